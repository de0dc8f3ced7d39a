"""`backupmx init`: three questions, and a configuration that works."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import rich_click as click

from backupmx.cli.options import config_option, config_path
from backupmx.cli.selection import parsed
from backupmx.cli.terminal import say, show
from backupmx.core import notation

MODE = 0o640
"""Who serves may read it, as a member of the directory's group; nobody else: there may be secrets in it one day."""


def primaries(typed: str) -> tuple[str, ...]:
    """Hosts with commas between them; none for the MX hosts. Raises ValueError."""
    from backupmx.setup.configuration import primaries  # noqa: PLC0415 - not needed for --help

    return primaries(typed)


@click.command("init")
@click.option("--domain", callback=parsed(notation.domain), help="The domain to protect.")
@click.option("--primary", callback=parsed(primaries), metavar="HOST,…", help='Its mail server; "" for its MX hosts.')
@click.option("--hostname", callback=parsed(notation.domain), help="This server's name; else this machine's full name.")
@click.option("--yes", is_flag=True, help="Ask nothing: what is not given is as if Enter was pressed.")
@click.option("--force", is_flag=True, help="Also in the place of a file that is there.")
@config_option
def init(domain: str | None, primary: tuple[str, ...] | None, hostname: str | None, yes: bool, force: bool) -> None:
    """Write a configuration: which domain, where its mail server is, and what this server is called."""
    path = config_path()
    if not force and os.path.lexists(path):
        say(f"{path}: is there already; --force writes a new one in its place, and domain add adds a domain to it")
        sys.exit(1)
    if yes and domain is None:
        raise click.UsageError("--yes needs at least --domain")
    from backupmx.setup.configuration import own_name, text  # noqa: PLC0415 - not needed for --help

    own = own_name()
    if yes and hostname is None and own is None:
        raise click.UsageError("this machine has no full name: --hostname is needed")
    if domain is None:
        domain = _ask("Which domain is to be protected?", notation.domain)
    if primary is None:
        primary = () if yes else _ask("Where is its mail server? [Enter: its MX hosts]", primaries, default="", show=False)
    if hostname is None:
        hostname = own if yes else _ask("What is this server called in DNS?", notation.domain, default=own)
    assert domain is not None
    assert hostname is not None
    if hostname in {notation.mailhost(host).host for host in primary}:
        say(f"{hostname}: is this server itself; the primary is another one")
        sys.exit(1)
    _write(path, text(hostname, domain, primary), force)
    for line in _next(path, domain, primary, hostname):
        show(line)


def _ask(question: str, parse: Callable[[str], Any], default: str | None = None, show: bool = True) -> Any:
    """Again, until there is an answer that can be read."""

    def read(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return click.prompt(question, default=default, show_default=show, value_proc=read, prompt_suffix=" ", err=True)


def _write(path: Path, text: str, force: bool) -> None:
    from backupmx import config  # noqa: PLC0415 - not needed for --help
    from backupmx.alone import alone  # noqa: PLC0415
    from backupmx.cli.files import new_file  # noqa: PLC0415

    # what this program writes it must be able to read: not even a draft is made of anything else
    config.read(text.encode(), path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # whoever claims the machine at the same time has it, or finds this
        with alone(path.parent), new_file(path, MODE, replace=force) as file:
            # where a package made the directory, it is the server's: that reads the file, and changes it for the page
            owner = path.parent.stat()
            os.fchown(file.fileno(), owner.st_uid if os.geteuid() == 0 else -1, owner.st_gid)
            file.write(text.encode())
    except OSError as error:
        say(f"{path}: cannot be written: {error.strerror}")
        sys.exit(1)


def _next(path: Path, domain: str, primary: tuple[str, ...], hostname: str) -> Iterator[str]:
    from backupmx import config  # noqa: PLC0415

    given = "" if path in (config.DEFAULT_PATH, Path(os.environ.get("BACKUPMX_CONFIG") or "")) else f" --config {path}"
    hosts = [host.host for host in map(notation.mailhost, primary) if not host.literal]
    yield f"{path} is written. Next:"
    yield ""
    yield f"  backupmx check --network{given}"
    yield "      tells what is not right yet, and how to mend it"
    yield f"  backupmx user add NAME --role admin{given}"
    yield "      for the status page"
    yield f"  backupmx serve{given}"
    yield "      takes mail; systemd does that where a package installed it"
    yield ""
    yield "and at last one record in DNS, with a larger number than the primary's:"
    yield ""
    yield f"  {domain}.  IN MX 10 {hosts[0] if hosts else f'mail.{domain}'}."
    yield f"  {domain}.  IN MX 20 {hostname}."
