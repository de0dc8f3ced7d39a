"""The first configuration file of a machine, with comments for whoever opens it next.

Knows: the text, and what has to be written for the answers.
Does not know: who answered, how the file gets its name.
"""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backupmx.config import DEFAULT_PATH, Control, Settings
from backupmx.core import notation
from backupmx.core.setup import Answers

TEXT = """\
# Backup MX: whose mail it takes, and where it gives it back. All keys that there are, and what each does: README.md.
# `backupmx check` tells everything that is wrong in here; `backupmx reload` has the running server take a change.

# The name of this server in DNS: in the MX record below, and in the PTR record of its address.
hostname = {hostname}
{spool}
[domain.{domain}]
{primary}
# How long mail is kept for a primary that is away: "1h" to "60d".
# holding_window = "14d"

# Who is told when something is wrong, like "ntfys://ntfy.example.net/topic" or "mailto://user:password@smtp.example.net".
{alerts}
{control}"""
PRIMARY = """\
# Its mail server, the best one first.
primary = {hosts}
"""
BY_MX = """\
# Its mail servers are the MX hosts that are better than this one. To name them here instead:
# primary = ["mail.{domain}:25"]
"""
TOLD = "[alerts]\nurls = {urls}"
NOBODY = "# [alerts]\n# urls = []"
SPOOL = "\n# Where the mail is.\nspool = {place}\n"
CONTROL = "\n# Where the command line and the page ask.\n[control]\nsocket = {place}\n"


@dataclass(frozen=True, slots=True)
class Places:
    """Where a machine has what."""

    configuration: Path = DEFAULT_PATH
    spool: Path = Settings.model_fields["spool"].default
    socket: Path = Control().socket


def text(hostname: str, domain: str, primary: Sequence[str], alerts: Sequence[str] = (), places: Places | None = None) -> str:
    """The file; what is in its usual place is not said."""
    usual, places = Places(), places or Places()
    return TEXT.format(
        hostname=_toml(hostname),
        domain=_toml(domain),
        primary=PRIMARY.format(hosts=_toml(primary)) if primary else BY_MX.format(domain=domain),
        alerts=TOLD.format(urls=_toml(alerts)) if alerts else NOBODY,
        spool="" if places.spool == usual.spool else SPOOL.format(place=_toml(str(places.spool))),
        control="" if places.socket == usual.socket else CONTROL.format(place=_toml(str(places.socket))),
    )


def written(answers: Answers, places: Places) -> str:
    """The file that these answers make, which have no faults."""
    return text(
        notation.domain(answers.hostname),
        notation.domain(answers.domain),
        primaries(answers.primary),
        [answers.alert] if answers.alert else [],
        places,
    )


def primaries(typed: str) -> tuple[str, ...]:
    """Hosts with commas between them; none for the MX hosts. Raises ValueError."""
    return tuple(str(notation.mailhost(host.strip())) for host in typed.split(",") if host.strip())


def own_name() -> str | None:
    """This machine's full name, if it has one that DNS could have."""
    try:
        name = notation.domain(socket.getfqdn())
    except ValueError:
        return None
    # what ends so is a name in this network alone (RFC 6762)
    private = name.startswith("localhost.") or name.endswith((".local", ".localdomain"))
    return name if "." in name and not private else None


def _toml(value: str | Sequence[str]) -> str:
    # what JSON may hold unescaped TOML may, too: all of it is printable
    return json.dumps(value, ensure_ascii=False)
