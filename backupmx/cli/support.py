"""`backupmx support-bundle`: what helps somebody else to find a fault, in one file, without secrets and without people."""

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from backupmx.cli.files import new_file
from backupmx.cli.options import config_option, config_path
from backupmx.cli.terminal import say
from backupmx.core.words import size
from backupmx.errors import BackupMXError

if TYPE_CHECKING:
    from backupmx.config import Settings
    from backupmx.support.scrubbing import Scrubber

README = """\
What Backup MX tells of itself, for whoever is asked for help.

about.txt           versions, memory, packages
configuration.toml  keys and values that are known to be harmless; all others are removed
problems.txt        what is wrong with the configuration
findings.txt        what `backupmx check --network` found
status.json         how much waits, for whom, since when
metrics.txt, spool.txt, processes.txt, disks.txt, units.txt
journal.txt         the newest lines of the log

There is no mail in it and no subject of any. Of addresses of people the domain alone is left; passwords, tokens and addresses of
alerts are removed. Names of hosts and domains and addresses of servers are in it. What others say in their own words, like a
primary in its replies, may name somebody all the same. Look at it before you send it.
"""
Parts = dict[str, Callable[[], Iterable[str]]]


@click.command("support-bundle")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@config_option
def support_bundle(file: Path | None) -> None:
    """Collect what helps to find a fault, with or without a running server, also when the configuration is broken.

    No mail, no secrets, no addresses of people. It may take a minute or two. Look at it before you send it: tar tzf FILE
    """
    from backupmx.support import scrubbing  # noqa: PLC0415 - not needed for --help

    now = datetime.now(UTC)
    name = f"backupmx-support-{now:%Y%m%d-%H%M%S}"
    file = file or Path(f"{name}.tar.gz")
    path = config_path()
    text, settings, wrong = _configuration(path)
    scrubber = scrubbing.Scrubber(_secrets(text, settings))
    with new_file(file) as out, tarfile.open(fileobj=out, mode="w:gz") as tar:
        for part, lines in {"README": README.splitlines, **_parts(path, text, settings, wrong, scrubber)}.items():
            octets = "".join(f"{line}\n" for line in _clean(lines, scrubber)).encode(errors="backslashreplace")
            member = tarfile.TarInfo(f"{name}/{part}")
            member.size, member.mode, member.mtime = len(octets), 0o644, int(now.timestamp())
            tar.addfile(member, io.BytesIO(octets))
    say(f"{file}: {size(file.stat().st_size)}; no mail, no secrets, no addresses of people, but names of hosts and domains")
    say(f"look at it before you send it: tar tzf {file}, tar xzOf {file}")


def _clean(lines: Callable[[], Iterable[str]], scrubber: "Scrubber") -> Iterator[str]:
    """Whatever a part is, once more; and one that cannot be had says so."""
    try:
        for line in lines():
            yield scrubber.clean(line)
    except Exception as error:  # noqa: BLE001 - a bundle is wanted most where something is broken
        yield scrubber.clean(f"could not be had: {type(error).__name__}: {error}")


def _configuration(path: Path) -> tuple[str, "Settings | None", tuple[str, ...]]:
    """The file, what it says, and what is wrong with it."""
    from backupmx import config  # noqa: PLC0415
    from backupmx.errors import ConfigurationError  # noqa: PLC0415

    text, settings = "", None
    wrong: tuple[str, ...] = ()
    try:
        text = config.octets(path).decode(errors="replace")
        settings = config.load(path, serving=False)
        config.load(path)
    except ConfigurationError as error:
        wrong = error.problems
    return text, settings, wrong


def _secrets(text: str, settings: "Settings | None") -> set[str]:
    """All that must appear nowhere: values that are not shown, and what is in files of secrets, as far as they can be read."""
    from backupmx.support import harmless, scrubbing  # noqa: PLC0415

    found = harmless.secrets(text)
    if settings:
        files = [settings.alerts.urls_file]
        for domain in settings.domains.values():
            files += [domain.primary_password_file, domain.ldap.password_file if domain.ldap else None]
        for file in files:
            with suppress(OSError, UnicodeDecodeError):
                found |= {line.strip() for line in file.read_text().splitlines()} if file else set()
    return set().union(*map(scrubbing.parts, found))


def _parts(path: Path, text: str, settings: "Settings | None", wrong: tuple[str, ...], scrubber: "Scrubber") -> Parts:
    from backupmx import config  # noqa: PLC0415
    from backupmx.support import harmless, journal, machine, scrubbing  # noqa: PLC0415

    return {
        "about.txt": machine.about,
        "configuration.toml": lambda: harmless.shown(text),
        "problems.txt": lambda: map(scrubbing.without_value, wrong) if wrong else ("none",),
        "findings.txt": lambda: _findings(settings),
        "status.json": lambda: _status(settings),
        "metrics.txt": lambda: _metrics(settings),
        "spool.txt": lambda: _stats(settings),
        "processes.txt": machine.processes,
        "disks.txt": lambda: machine.disks(config.spool_of(path), path.parent),
        "units.txt": machine.units,
        # where it is not known what is secret here, nobody's free words are shown
        "journal.txt": lambda: journal.shown(machine.journal(), scrubber, words=settings is not None),
    }


# What the running server tells


def _needed(settings: "Settings | None") -> "Settings":
    if settings is None:
        raise BackupMXError("the configuration cannot be used")
    return settings


def _findings(settings: "Settings | None") -> Iterator[str]:
    from backupmx.cli import network  # noqa: PLC0415

    for each in network.findings(_needed(settings)):
        yield f"{each.level.value}: {each.topic} {each.subject}: {each.said}"
        if each.mend:
            yield f"  {each.mend}"


def _status(settings: "Settings | None") -> Iterator[str]:
    from backupmx.control.answers import StatusAnswer  # noqa: PLC0415
    from backupmx.control.client import ControlClient  # noqa: PLC0415
    from backupmx.control.requests import GetStatus  # noqa: PLC0415
    from backupmx.core.status import document  # noqa: PLC0415

    answer = ControlClient(_needed(settings).control.socket).ask(GetStatus())
    if isinstance(answer, StatusAnswer):
        yield json.dumps(document(answer.status), indent=1, default=str, ensure_ascii=False)


def _metrics(settings: "Settings | None") -> Iterator[str]:
    from backupmx.control.answers import Text  # noqa: PLC0415
    from backupmx.control.client import ControlClient  # noqa: PLC0415
    from backupmx.control.requests import GetMetrics  # noqa: PLC0415

    answer = ControlClient(_needed(settings).control.socket).ask(GetMetrics())
    yield from answer.text.splitlines() if isinstance(answer, Text) else ()


def _stats(settings: "Settings | None") -> Iterator[str]:
    import msgspec  # noqa: PLC0415

    from backupmx.control.answers import SpoolStatsAnswer  # noqa: PLC0415
    from backupmx.control.client import ControlClient  # noqa: PLC0415
    from backupmx.control.requests import GetSpoolStats  # noqa: PLC0415

    answer = ControlClient(_needed(settings).control.socket).ask(GetSpoolStats())
    if isinstance(answer, SpoolStatsAnswer):
        yield json.dumps(msgspec.to_builtins(answer.stats), indent=1)
