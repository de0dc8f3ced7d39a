"""`backupmx init`: three questions, and a configuration that works."""

import json
import os
import socket
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
TEXT = """\
# Backup MX: whose mail it takes, and where it gives it back. All keys that there are, and what each does: README.md.
# `backupmx check` tells everything that is wrong in here; `backupmx reload` has the running server take a change.

# The name of this server in DNS: in the MX record below, and in the PTR record of its address.
hostname = {hostname}

[domain.{domain}]
{primary}
# How long mail is kept for a primary that is away: "1h" to "60d".
# holding_window = "14d"

# Who is told when something is wrong, like "ntfys://ntfy.example.net/topic" or "mailto://user:password@smtp.example.net".
# [alerts]
# urls = []
"""
PRIMARY = """\
# Its mail server, the best one first.
primary = {hosts}
"""
BY_MX = """\
# Its mail servers are the MX hosts that are better than this one. To name them here instead:
# primary = ["mail.{domain}:25"]
"""


def primaries(text: str) -> tuple[str, ...]:
    """Hosts with commas between them; none for the MX hosts. Raises ValueError."""
    return tuple(str(notation.mailhost(host.strip())) for host in text.split(",") if host.strip())


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
    own = _own_name()
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
    _write(path, _text(domain, primary, hostname), force)
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


def _own_name() -> str | None:
    """This machine's full name, if it has one."""
    try:
        name = notation.domain(socket.getfqdn())
    except ValueError:
        return None
    return name if "." in name and not name.startswith("localhost.") else None


def _text(domain: str, primary: tuple[str, ...], hostname: str) -> str:
    given = PRIMARY.format(hosts=json.dumps(primary)) if primary else BY_MX.format(domain=domain)
    return TEXT.format(hostname=json.dumps(hostname), domain=json.dumps(domain), primary=given)


def _write(path: Path, text: str, force: bool) -> None:
    from backupmx import config  # noqa: PLC0415 - not needed for --help
    from backupmx.cli.files import new_file  # noqa: PLC0415

    # what this program writes it must be able to read: not even a draft is made of anything else
    config.read(text.encode(), path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path, MODE, replace=force) as file:
            # the group that may read the directory is the server's where a package made it
            os.fchown(file.fileno(), -1, path.parent.stat().st_gid)
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
