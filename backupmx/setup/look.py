"""What the network says to answers that nobody has decided on yet.

Knows: which of the findings matter before there is a server.
Does not know: how names and ports are looked at (`checks`), who reads it.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from backupmx.checks.names import ANYWHERE, public
from backupmx.checks.primary import PATIENCE
from backupmx.checks.round import Round, Told
from backupmx.config import Settings
from backupmx.core.destination import shown
from backupmx.core.finding import About, Finding, Level
from backupmx.courier.client import Dialler
from backupmx.courier.routes import source
from backupmx.watch import log

LONGEST_S = 60.0
LATER = {"certificate", "tlsa", "recipients", "inward"}
"""Topics of what a server makes, learns or sees when it runs."""
ONLY_TROUBLE = {"disk", "room", "spool", "clock", "mta-sts"}
"""Topics that nobody asks for at this moment, unless something is wrong."""
AGAIN = "Look again in a while."


async def look(settings: Settings) -> tuple[Finding, ...]:
    """What is right, and what is to be mended: now, or after the machine is set up."""
    with TemporaryDirectory(prefix="backupmx-") as copies:
        dialler = Dialler(settings.hostname, PATIENCE)
        round_ = Round(settings, dialler, lambda: datetime.now(UTC), Told(), Path(copies))
        try:
            async with asyncio.timeout(LONGEST_S):
                found = await round_.look()
        except TimeoutError:
            return (About("network").unknown(f"not all of it is known after {LONGEST_S:.0f} s", AGAIN),)
        except Exception as error:  # noqa: BLE001 - the machine can be set up all the same
            log.trouble("set-up", error)
            return (About("network").unknown("trouble of our own", "The log tells more; please report it."),)
    telling = (finding for finding in found if finding.topic not in LATER and not _goes_without_saying(finding))
    return (*telling, _inward(settings.hostname), *_alerts(settings))


def addresses() -> tuple[str, ...]:
    """From which this machine sends, as far as it has any."""
    return tuple(ip for ip in map(source, ANYWHERE) if ip)


def _goes_without_saying(finding: Finding) -> bool:
    return finding.topic in ONLY_TROUBLE and finding.level is Level.GOOD


def _inward(hostname: str) -> Finding:
    inside = [ip for ip in addresses() if ":" not in ip and not public(ip)]
    router = f" A router is in between: have it forward TCP port 25 to {inside[0]}." if inside else ""
    return About("inward", hostname).unknown(
        "whether the Internet reaches port 25 of this machine cannot be seen from here, and before it is set up nobody answers",
        f"Let TCP port 25 in, in firewalls and at the provider.{router} "
        f"When it is set up, try from another network: `nc -vz {hostname} 25` (it must say open or succeeded).",
    )


def _alerts(settings: Settings) -> Iterator[Finding]:
    urls, about = settings.alerts.everybody(), About("alerts")
    if not urls:
        mend = "Say how to reach you, here or later in the configuration: [alerts] urls."
        yield about.odd("nobody is told when something is wrong", mend)
    for url in urls:
        if why := settings.led_astray(url):
            yield about.odd(f"{shown(url)}: {why}", "Name a way that does not need the mail server that is backed up.")
