"""One route's way out: probes it, leases what is due while it is up, and has as many connections as the ramp allows.

Knows: the ledger, the ramp, the route's health, the pool of connections.
Does not know: how a route is found, how SMTP is spoken, and what a reply means.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from backupmx.core.message import Lease
from backupmx.core.outcome import Outcome
from backupmx.core.status import PrimaryState
from backupmx.courier.alarm import Alarm
from backupmx.courier.borrowed import Borrowed
from backupmx.courier.carrier import Carried
from backupmx.courier.client import Connection
from backupmx.courier.crew import Crew
from backupmx.courier.health import Health
from backupmx.courier.office import Office
from backupmx.courier.ramp import Ramp
from backupmx.courier.routes import Address
from backupmx.courier.sentry import Post, Sentry
from backupmx.errors import SpoolUnusable
from backupmx.watch import log

DEFERRALS = 10
"""Messages in a row, all of whose recipients a primary puts off, after which it counts as one that does so with everything."""
PAUSE_S = 1.0
"""After trouble of our own, before the next turn."""
SHORTEST_WAIT_S = 0.05


class Lane:
    """Domains that share a route, and its connections."""

    def __init__(self, name: str, office: Office) -> None:
        self.name = name
        self.domains: list[str] = []
        self.addresses: tuple[Address, ...] = ()
        self.health = Health(office.delivery.probe_interval)
        self._office = office
        post = Post(
            name,
            self.health,
            office.prober,
            office.acquaintances,
            self.domains,
            lambda: self.addresses,
            lambda: office.changed(self),
        )
        self._sentry = Sentry(post)
        self._ramp = Ramp(office.delivery.max_connections_per_route)
        self._alarm = Alarm(office.timer)
        self._borrowed = Borrowed(office.ledger, self.domains, office.paces, self.ring)
        self._crew = Crew(office, self._ramp, self._borrowed, self)
        self._put_off = 0
        """Messages in a row that the primary deferred."""
        self._probe_task: asyncio.Task[None] | None = None
        self._stopping = False
        self._fatal: SpoolUnusable | None = None

    def ring(self) -> None:
        """Look at once whether there is something to do; cheap."""
        self._alarm.ring()

    def stop(self) -> None:
        """Finish what is in flight, begin nothing more; `run` then returns."""
        self._stopping = True
        self.ring()

    async def run(self) -> None:
        """Work until stopped. Raises SpoolUnusable; any other trouble is told, and the work goes on (I9)."""
        try:
            while not self._stopping:
                await self._alarm.wait(await self._turn())
                if self._fatal:
                    raise self._fatal
            await self._crew.finish()
            await self._borrowed.give_back()
        finally:
            if self._probe_task:
                self._probe_task.cancel()
                await asyncio.wait([self._probe_task])
            await self._crew.end()

    async def _turn(self) -> float:
        """Do what is to be done; returns the seconds until there may be more."""
        try:
            if not self._probe_task and self.health.due(self._office.clock()):
                self._probe_task = asyncio.create_task(self._probe())
            if self._open:
                await self._fill()
                self._crew.staff()
            else:
                self._crew.rest()
                await self._borrowed.give_back()
            return self._quiet()
        except SpoolUnusable:
            raise
        except Exception as error:  # noqa: BLE001 - no trouble of ours may end the delivery of mail
            log.trouble(f"lane {self.name}", error)
            return PAUSE_S

    def next_attempt(self, domain: str) -> datetime | None:
        """The next probe while the primary is not up, else the earliest due message; None when nothing waits."""
        due = self._office.ledger.next_due(domain)
        if self.health.up or due is None:
            return due
        return self.health.next_probe or self._office.clock()

    async def _fill(self) -> None:
        canaries = {domain: self._sentry.canaries(domain) for domain in self.domains}
        await self._borrowed.fill(self._crew.size, canaries, self._office.clock())

    def _quiet(self) -> float:
        now = self._office.clock()
        times = [None if self._probe_task else self.health.next_probe]
        if self._open:
            times += [self._borrowed.more(now), self._crew.next_substitute(now)]
        longest = self._office.delivery.probe_interval.total_seconds()
        seconds = min(((time - now).total_seconds() for time in times if time), default=longest)
        return min(max(seconds, SHORTEST_WAIT_S), longest)

    # What the crew is told, and tells

    @property
    def working(self) -> bool:
        """See `Foreman`."""
        return self._open and not self._stopping

    async def screen(self, lease: Lease, outcomes: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
        """See `Foreman`."""
        return await self._sentry.screen(lease, outcomes)

    def heard(self, carried: Carried) -> None:
        """See `Foreman`: whether it answers 4xx to everything, then it is tried, and nobody else is to rely on it."""
        self._answered()
        self._put_off = self._put_off + 1 if carried.deferred else 0
        if self._put_off >= DEFERRALS and carried.deferred:
            self.defers(str(carried.deferred))
        elif not carried.deferred and self.health.relented():
            self._office.changed(self)

    def troubled(self, error: str, *, fatal: bool) -> None:
        """See `Foreman`."""
        self._ramp.trouble()
        if fatal or self._ramp.exhausted:
            self._down(error, certain=self._ramp.exhausted)

    def failed(self, error: Exception) -> None:
        """See `Foreman`."""
        if isinstance(error, SpoolUnusable):
            self._fatal = error
        else:
            log.trouble(f"lane {self.name}", error)

    # What others say of the primary

    def defers(self, words: str) -> None:
        """It answers 4xx to everything, as somebody saw."""
        if self.health.up and self.health.deferred(words):
            log.primary_defers(self.name, words)
            self._office.changed(self)

    def lost(self) -> None:
        """Somebody's line to it broke: look at once."""
        if self.health.up:
            self.health.hurry()
            self.ring()

    def well(self) -> None:
        """Somebody had its word just now."""
        self._answered()

    @property
    def _open(self) -> bool:
        """Whether mail may leave."""
        return self.health.up and not self.health.suspect

    async def examine(self, domain: str) -> None:
        """Somebody heard it refuse a recipient whom it had."""
        try:
            if self._open:
                await self._sentry.examine(domain, "550 refuses recipients whom it had, as senders are told")
        except Exception as error:  # noqa: BLE001 - whoever hears it next says so again
            log.trouble(f"lane {self.name}", error)

    def take_over(self, domain: str, old: "Lane | None", *, away: bool) -> None:
        """A domain comes to this route, from another one or from none: what was doubtful of it is so still."""
        self.domains.append(domain)
        if away:
            self._sentry.returned(domain)  # its records were lost: an outage like any other
        if old is not None and old.health.suspect is not None and old.doubts(domain):
            self._sentry.doubt(domain, old.health.suspect)
        self.ring()

    def doubts(self, domain: str) -> bool:
        """Whether the primary has still to vouch for this domain."""
        return self._sentry.doubts(domain)

    def leave(self, domain: str) -> None:
        """A domain goes another way."""
        self.domains.remove(domain)
        self.resume(domain)

    def resume(self, domain: str) -> None:
        """What the primary says of a domain is to be believed again, whatever it said."""
        self._sentry.trust(domain)
        self.ring()

    # Health

    async def _probe(self) -> None:
        """A real greeting, EHLO and QUIT; the only thing that is spent on a primary that is down (I5).

        One that is up is asked as well when no mail told for an interval how it is: "up" on the page has to be true.
        """
        answers = self.health.answers
        self.health.probing(self._office.clock())
        try:
            found = await self._office.prober.dial(self.addresses)
            if isinstance(found, Connection):
                self._answered()
                if self.health.deferring:
                    await self._ask_again(found)
                if self.health.suspect:
                    await self._sentry.hear(found)
                await found.quit()
            elif self.health.answers == answers:
                self._down(str(found))
        except Exception as error:  # noqa: BLE001 - the next probe comes (I9)
            log.trouble(f"probe of {self.name}", error)
        finally:
            self._probe_task = None
            self.ring()

    async def _ask_again(self, connection: Connection) -> None:
        """Whether it still answers 4xx to everything: a greeting alone does not tell."""
        said = await connection.verify([f"postmaster@{self.domains[0]}"]) if self.domains else None
        if said and said[0].code // 100 in (2, 5) and self.health.relented():
            self._office.changed(self)

    def _answered(self) -> None:
        before = self.health.primary
        now = self._office.clock()
        if not self.health.answered(now):
            return
        self._ramp.reset()
        was_down = before.state is PrimaryState.DOWN and before.since
        # what we knew of it before we began is forgotten: it may be in the middle of coming back wrong (I10)
        self._sentry.returned()
        log.primary_up(self.name, now - before.since if was_down and before.since else None)
        self._put_off = 0
        self._office.changed(self)
        self.ring()

    def _down(self, error: str, *, certain: bool = False) -> None:
        if self.health.failed(self._office.clock(), error, certain=certain):
            log.primary_down(self.name, error)
            self._office.changed(self)
        if not self.health.up:
            self._crew.lost()
        self.ring()
