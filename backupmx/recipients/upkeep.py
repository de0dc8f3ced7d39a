"""What is done for the roll now and then: directories are asked, what is too old to be believed goes.

Knows: directories, the roll, how long what was learned is believed.
Does not know: when it is called.
"""

from collections.abc import Mapping
from datetime import datetime

from backupmx.config import Domain, Ldap
from backupmx.core import belief
from backupmx.core.belief import Word
from backupmx.core.roll import MOST_LOST
from backupmx.core.roster import Roster, spellings
from backupmx.ports import Clock, Health, Roll
from backupmx.recipients.ldap import Directory, Unavailable, fetch
from backupmx.watch import log

PART = 1000
"""Addresses that one transaction takes: others wait for the writer meanwhile."""
GONE_KEPT = belief.DAY
"""An old no is still worth a `450` while the primary is down."""


class Upkeep:
    """The courier's process does it, for all."""

    def __init__(self, domains: Mapping[str, Domain], roll: Roll, health: Health, clock: Clock) -> None:
        self._domains = domains
        self._roll = roll
        self._health = health
        self._clock = clock
        self._asked: dict[str, datetime] = {}

    async def sweep(self) -> None:
        """Forget what nobody believes any more; never fails."""
        for domain in self._domains:
            clock = self._health.clock(domain)
            try:
                await self._roll.sweep(domain, Word.KNOWN, clock - belief.KNOWN_FOR)
                await self._roll.sweep(domain, Word.GONE, clock - GONE_KEPT)
            except Exception as error:  # noqa: BLE001 - the next time will do
                log.trouble(f"recipients of {domain}", error)

    async def ask_directories(self) -> None:
        """Each whose time has come; never fails."""
        for domain, policy in self._domains.items():
            now, last = self._clock(), self._asked.get(domain)
            if policy.ldap is None or (last is not None and last <= now < last + policy.ldap.refresh):
                continue
            self._asked[domain] = now
            try:
                await self._ask(domain, policy.ldap)
            except Exception as error:  # noqa: BLE001 - today's list stays (I9)
                log.trouble(f"directory of {domain}", error)

    async def _ask(self, domain: str, ldap: Ldap) -> None:
        password = ldap.password_file.read_text().strip() if ldap.password_file else ""
        found = await fetch(
            Directory(ldap.url, ldap.base, ldap.filter, ldap.attributes, ldap.bind_dn, password, ldap.start_tls, ldap.ca_file),
            domain,
        )
        if isinstance(found, Unavailable):
            log.directory_unavailable(domain, found.why)
        else:
            await self._enrol(domain, found)

    async def _enrol(self, domain: str, roster: Roster) -> None:
        names = sorted({spellings(local, "", True)[0] for name, local in roster.entries if name == domain})
        number = await self._roll.begin_list(domain)
        for start in range(0, len(names), PART):
            await self._roll.enlist(domain, number, names[start : start + PART])
        lists = await self._roll.close_list(domain, number, MOST_LOST)
        if lists.waiting is not None:
            log.recipients_changed("recipients wait for approval", "directory", domain, lists.waiting.entries)
        elif lists.adopted is not None:
            log.recipients_changed("list recipients", "directory", domain, lists.adopted.entries)
