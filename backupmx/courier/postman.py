"""Carries notifications to whom they are for, wherever in the world that is: by MX, a few at a time, each in its own time.

Knows: the ledger, the routes of strangers' domains, the client.
Does not know: what a notification says, and our own domains' primaries.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from backupmx.core import judge
from backupmx.core.message import NOTICES, Lease
from backupmx.core.outcome import Deferred, Outcome, Reply
from backupmx.courier.alarm import Alarm, Timer
from backupmx.courier.client import Connection, Dialler
from backupmx.courier.ledger import Ledger
from backupmx.courier.routes import Nowhere, Routes
from backupmx.courier.transaction import Parcel
from backupmx.errors import MessageDamaged, SpoolUnusable
from backupmx.ports import Clock
from backupmx.watch import log

HANDS = 4
"""Carried at a time; a stranger's server that does not answer holds one of them up for half a minute."""
AWAY = timedelta(minutes=5)
"""How long nobody is dialled again at a domain that did not answer."""
MOST_AWAY = 1000
ROUND_S = 3600.0
"""It is rung for when there is something to do."""
PAUSE_S = 1.0


class Postman:
    """Works from `run` until `stop`."""

    def __init__(self, ledger: Ledger, routes: Routes, dialler: Dialler, clock: Clock, timer: Timer) -> None:
        self._ledger = ledger
        self._routes = routes
        self._dialler = dialler
        self._clock = clock
        self._alarm = Alarm(timer)
        self._carrying: set[asyncio.Task[None]] = set()
        self._away: dict[str, datetime] = {}
        """Domains that did not answer, and until when they are let alone."""
        self._stopping = False
        self._fatal: SpoolUnusable | None = None

    def ring(self) -> None:
        """Look at once whether there is something to do; cheap."""
        self._alarm.ring()

    def stop(self) -> None:
        """Finish what is on its way, begin nothing more; `run` then returns."""
        self._stopping = True
        self.ring()

    async def run(self) -> None:
        """Work until stopped. Raises SpoolUnusable; any other trouble is told, and the work goes on (I9)."""
        try:
            while not self._stopping:
                await self._alarm.wait(await self._turn())
                if self._fatal:
                    raise self._fatal
            if self._carrying:
                await asyncio.wait(self._carrying)
        finally:
            for task in self._carrying:
                task.cancel()
            if self._carrying:
                await asyncio.wait(self._carrying)

    async def _turn(self) -> float:
        """Begin what is due; returns the seconds until there may be more."""
        try:
            free = HANDS - len(self._carrying)
            for lease in await self._ledger.lease(NOTICES, free) if free else ():
                task = asyncio.create_task(self._carry(lease))
                self._carrying.add(task)
                task.add_done_callback(self._done)
            due = self._ledger.next_due(NOTICES)
        except SpoolUnusable:
            raise
        except Exception as error:  # noqa: BLE001 - no trouble of ours may end the delivery of mail
            log.trouble("notifications", error)
            return PAUSE_S
        if due is None or len(self._carrying) >= HANDS:
            return ROUND_S
        return min(max((due - self._clock()).total_seconds(), PAUSE_S), ROUND_S)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._carrying.discard(task)
        self.ring()

    async def _carry(self, lease: Lease) -> None:
        try:
            if await self._ledger.screen(lease) is not None:
                await self._ledger.close(lease, await self._outcomes(lease))
        except MessageDamaged as error:
            await self._ledger.set_aside(lease, error)
        except SpoolUnusable as error:
            self._fatal = error
        except Exception as error:  # noqa: BLE001 - its lease will lapse, the others go on (I9)
            log.trouble(f"notification {lease.message.id}", error)

    async def _outcomes(self, lease: Lease) -> Mapping[str, Outcome]:
        """Whatever is not said in so many words is a deferral. Raises MessageDamaged."""
        (address,) = lease.recipients
        domain = address.rpartition("@")[2].lower()
        found = await self._reach(domain)
        if isinstance(found, Reply):
            return {address: Deferred(found, "")}
        try:
            parcel = Parcel(lease.message, lease.recipients, self._ledger.time_left(lease))
            report = await found.carry(parcel, self._ledger.content(lease))
            if not report.broken:
                await found.quit()
        finally:
            found.abort()
        return {address: Deferred(report.broken or judge.OUR_TROUBLE, found.peer.host, found.peer.tls)} | dict(report.outcomes)

    async def _reach(self, domain: str) -> Connection | Reply:
        """A connection to one of a domain's MX hosts, or why there is none."""
        now = self._clock()
        # a clock that was set back keeps nobody away for longer
        if now < self._away.get(domain, now) <= now + AWAY:
            return Reply(451, "4.4.1 its mail servers did not answer a moment ago")
        route = await self._routes.elsewhere(domain)
        if isinstance(route, Nowhere):
            return judge.reply(451, f"4.4.4 {route.why}")
        found = await self._dialler.dial(route.addresses)
        if isinstance(found, Connection):
            return found
        if len(self._away) >= MOST_AWAY:
            self._away.clear()
        self._away[domain] = self._clock() + AWAY
        return judge.reply(451, f"4.4.1 {found}")
