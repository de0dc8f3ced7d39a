"""Port 25: is the way out open, and does mail come in?

Knows: which silence means a closed way, what a message from outside proves.
Does not know: what is said on a connection.
"""

import asyncio
import errno
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from backupmx.checks.names import public
from backupmx.core import words
from backupmx.core.finding import About, Finding

SMTP_PORT = 25
MOST = 10
"""Hosts that are tried."""
WITHIN_S = 10.0
RECENT = timedelta(days=7)
NO_WAY = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""This machine has no address of that kind: nothing was sent."""
NO_ANSWER = {errno.ETIMEDOUT, errno.EHOSTUNREACH}


@dataclass(frozen=True, slots=True)
class Came:
    """The newest message that came in."""

    client: str
    at: datetime


async def outward(
    answered: str | None, ips: Sequence[str], *, needed: bool, port: int = SMTP_PORT, within: float = WITHIN_S
) -> Finding:
    """Do connections to other mail servers get through? Only the domains' own are tried, never a stranger's.

    `answered` is one that is known to have answered. `needed`: some primary is reached by this port.
    """
    about = About("port25")
    if answered is not None:
        return about.good(f"the way out is open: {answered} answers")
    tried = dict(zip(ips[:MOST], await asyncio.gather(*(_tried(ip, port, within) for ip in ips[:MOST])), strict=True))
    through = [ip for ip, outcome in tried.items() if outcome is _Tried.ANSWERS]
    silent = [ip for ip, outcome in tried.items() if outcome is _Tried.SILENT]
    if through:
        return about.good(f"the way out is open: {through[0]} answers")
    if not silent:
        mend = "Look again when a mail server of the domains is up and known."
        return about.unknown("whether the way out is open cannot be told: there is nobody to try it with", mend)
    said = f"no answer at port 25 of {', '.join(silent)}: either all of them are off, or port 25 outward is closed here"
    mend = (
        "If they answer from elsewhere (`nc -vz HOST 25`), this machine's provider closes port 25: have it opened (most do it "
        "when asked, or has a setting for it; look at your own firewall, too). Until then give mail back by another port, "
        'primary = ["mail.example.com:587"] with primary_user and primary_password_file. Notifications to senders need port 25.'
    )
    return (about.bad if needed else about.odd)(said, mend)


class _Tried(Enum):
    ANSWERS = auto()
    """Be it with a no."""
    SILENT = auto()
    NO_WAY = auto()


async def _tried(ip: str, port: int, within: float) -> _Tried:
    try:
        async with asyncio.timeout(within):
            _, writer = await asyncio.open_connection(ip, port)
    except OSError as error:
        if error.errno in NO_WAY:
            return _Tried.NO_WAY
        silent = isinstance(error, TimeoutError) or error.errno in NO_ANSWER
        return _Tried.SILENT if silent else _Tried.ANSWERS
    writer.transport.abort()
    return _Tried.ANSWERS


def inward(hostname: str, came: Came | None, now: datetime) -> Finding:
    """Does mail come in? A message from outside proves it; without one it cannot be seen from here."""
    about = About("inward", hostname)
    if came and public(came.client) and now - came.at < RECENT:
        return about.good(f"mail came in from {came.client} {words.age(came.at, now)} ago")
    return about.unknown(
        "whether the Internet reaches port 25 of this machine cannot be seen from here, and no mail came in lately",
        f"Try from another network: `nc -vz {hostname} 25` (it must say open or succeeded). If it does not, let TCP port 25 in: "
        "in this machine's firewall (`nft list ruleset`), in the router, at the provider.",
    )
