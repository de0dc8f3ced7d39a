"""`backupmx backup`: all that makes up this machine's Backup MX, in one file."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import rich_click as click

from backupmx.cli.files import new_file
from backupmx.cli.options import config_option, config_path, settings
from backupmx.cli.progress import progress
from backupmx.cli.terminal import say
from backupmx.core.label import BackupLabel, told
from backupmx.core.words import size
from backupmx.owner import as_owner

PIPE = Path("-")


def _recipients(_ctx: click.Context, _parameter: click.Parameter, typed: Sequence[str]) -> list[Any]:
    from backupmx.safekeeping import sealing  # noqa: PLC0415 - not needed for --help

    try:
        return [sealing.recipient(text) for text in typed]
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("backup")
@click.argument("file", metavar="FILE|-", type=click.Path(path_type=Path))
@click.option("--with-mail", is_flag=True, help="Also all mail, and how things went.")
@click.option(
    "--age",
    "recipients",
    metavar="KEY",
    multiple=True,
    callback=_recipients,
    help='Seal it for a key, "age1…" or "ssh-ed25519 …": nobody else can read it. Several times for several keys.',
)
@config_option
def back_up(file: Path, with_mail: bool, recipients: list[Any]) -> None:
    """Write configuration, recipients, users and tokens into one file, with or without a running server.

    In it are the files that the configuration names, where they are in its directory; others are named, and are not in it.
    Whoever reads it has all that is secret here, unless it is sealed.
    """
    from backupmx.safekeeping import copying  # noqa: PLC0415 - the store

    if file == PIPE and sys.stdout.isatty():
        raise click.UsageError("secrets are not for a terminal: give a file, or a pipe")
    now, found = datetime.now(UTC), settings()
    with as_owner(found.spool):
        total = copying.size(found, mail=with_mail)
    with progress("copying", total, octets=True) as step:
        if file == PIPE:
            try:
                with _sealed(sys.stdout.buffer, recipients) as out, as_owner(found.spool):
                    label = copying.write(config_path(), out, now, step, mail=with_mail)
            except OSError as error:
                say(f"standard output: {error.strerror or error}")
                sys.exit(1)
        else:
            with new_file(file) as draft, _sealed(draft, recipients) as out, as_owner(found.spool):
                label = copying.write(config_path(), out, now, step, mail=with_mail)
    _say(file, label, len(recipients))


@contextmanager
def _sealed(out: BinaryIO, recipients: Sequence[Any]) -> Iterator[BinaryIO]:
    if not recipients:
        yield out
        return
    from backupmx.safekeeping import sealing  # noqa: PLC0415

    with sealing.sealing(out, recipients) as into:
        yield into


def _say(file: Path, label: BackupLabel, keys: int) -> None:
    say(*told(label))
    if label.origin and label.origin.left_out:
        say("not in it, for they are elsewhere: " + ", ".join(label.origin.left_out))
    if file != PIPE:
        sealed = (
            f"sealed for {keys} key{'' if keys == 1 else 's'}" if keys else "whoever reads it has all passwords and keys in it"
        )
        say(f"{file}: {size(file.stat().st_size)}; {sealed}")
