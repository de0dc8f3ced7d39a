"""One route's way out: probes it, leases what is due while it is up, and has as many connections as the ramp allows.

Knows: the ledger, the ramp, the route's health, the pool of connections.
Does not know: how a route is found, how SMTP is spoken, and what a reply means.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from backupmx.config import Delivery
from backupmx.core.message import Lease
from backupmx.core.status import PrimaryState
from backupmx.courier.alarm import Alarm, Timer
from backupmx.courier.carrier import Carried, Carrier
from backupmx.courier.client import Connection, Dialler
from backupmx.courier.health import Health
from backupmx.courier.ledger import Ledger
from backupmx.courier.pool import Pool
from backupmx.courier.ramp import Ramp
from backupmx.courier.routes import Address
from backupmx.courier.sentry import Post, Sentry
from backupmx.errors import SpoolUnusable
from backupmx.ports import Acquaintances, Clock
from backupmx.watch import log

LEASES_PER_CONNECTION = 25
MOST_LEASES = 500
"""The bounded window of active work on an unbounded queue (I5)."""
DEFERRALS = 10
"""Messages in a row, all of whose recipients a primary puts off, after which it counts as one that does so with everything."""
PAUSE_S = 1.0
"""After trouble of our own, before the next turn."""
SHORTEST_WAIT_S = 0.05


@dataclass(frozen=True, slots=True)
class Office:
    """What all lanes share."""

    delivery: Delivery
    ledger: Ledger
    dialler: Dialler
    prober: Dialler
    """Less patient: whether a primary works is seen within seconds."""
    clock: Clock
    timer: Timer
    changed: Callable[["Lane"], None]
    """Told when what is known of a primary is another."""
    acquaintances: Acquaintances


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
        self._pool = Pool(office.timer)
        self._queue: deque[Lease] = deque()
        self._carriers: dict[Carrier, asyncio.Task[None]] = {}
        self._carrying = 0
        self._low = 0
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
            while self._carriers:
                await asyncio.wait(self._carriers.values())
            await self._give_back()
            await self._pool.close()
        finally:
            left = [task for task in (self._probe_task, *self._carriers.values()) if task]
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)
            self._pool.abort()

    async def _turn(self) -> float:
        """Do what is to be done; returns the seconds until there may be more."""
        try:
            if not self._probe_task and self.health.due(self._office.clock()):
                self._probe_task = asyncio.create_task(self._probe())
            if self._open:
                await self._fill()
                self._staff()
            else:
                await self._give_back()
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

    # Leases

    async def _fill(self) -> None:
        """Lease what is due, in equal parts for the domains, unless enough is leased already."""
        window = min(MOST_LEASES, self._ramp.limit * LEASES_PER_CONNECTION)
        canaries = {domain: self._sentry.canaries(domain) for domain in self.domains}
        if any(canaries.values()):
            window = min(window, sum(number or LEASES_PER_CONNECTION for number in canaries.values()))
        self._low = window // 2
        if len(self._queue) > self._low:
            return
        # another one begins each time
        self.domains[:] = self.domains[1:] + self.domains[:1]
        domains = tuple(self.domains)
        for number, domain in enumerate(domains):
            share = (window - len(self._queue)) // (len(domains) - number)
            share = min(max(1, share), canaries[domain] or window)
            self._queue.extend(await self._office.ledger.lease(domain, share))

    async def _give_back(self) -> None:
        """The route is down: what is leased and was not tried is due again, in its order, and nothing is held against it."""
        leases = tuple(self._queue)
        self._queue.clear()
        if leases:
            await asyncio.gather(*(self._office.ledger.close(lease, {}) for lease in leases))

    def _quiet(self) -> float:
        now = self._office.clock()
        times = [] if self._probe_task or self.health.next_probe is None else [self.health.next_probe]
        if self._open and not self._queue:
            times += filter(None, map(self._office.ledger.next_due, self.domains))
        longest = self._office.delivery.probe_interval.total_seconds()
        seconds = min(((time - now).total_seconds() for time in times), default=longest)
        return min(max(seconds, SHORTEST_WAIT_S), longest)

    # Connections

    def _staff(self) -> None:
        """As many carriers as there is work for, and as the ramp allows: one a connection."""
        while len(self._carriers) < min(self._ramp.limit, len(self._queue) + self._carrying):
            carrier = Carrier(self._office.ledger, self._pool.take(), self._sentry.screen)
            self._carriers[carrier] = asyncio.create_task(self._work(carrier))

    async def _work(self, carrier: Carrier) -> None:
        """Carry messages while there are any."""
        try:
            while self._queue and self._open and not self._stopping and len(self._carriers) <= self._ramp.limit:
                if not await self._next(carrier):
                    break
            await carrier.finish()
        except SpoolUnusable as error:
            self._fatal = error
        except Exception as error:  # noqa: BLE001 - a lease lapses, the others go on (I9)
            log.trouble(f"lane {self.name}", error)
        finally:
            del self._carriers[carrier]
            if carrier.connection:
                self._pool.park(carrier.connection)
            self.ring()

    async def _next(self, carrier: Carrier) -> bool:
        """Carry the message that was due first; returns whether to go on."""
        lease = self._queue.popleft()
        if len(self._queue) == self._low:
            self.ring()
        self._carrying += 1
        try:
            content = await self._office.ledger.screen(lease)
            if content is None:
                return True
            carrier.connection = carrier.connection or await self._connect()
            if carrier.connection is None:
                self._queue.appendleft(lease)
                return False
            self._learn(lease, await carrier.carry(lease, content))
        finally:
            self._carrying -= 1
        if not carrier.connection.usable:
            self._pool.dismiss(carrier.connection)
            carrier.connection = None
        return True

    def _learn(self, lease: Lease, carried: Carried) -> None:
        if carried.again:
            self._queue.appendleft(lease)
        elif carried.broken:
            self._trouble(str(carried.broken))
        else:
            self._answered(carried.delivered)
            self._weigh(carried)

    def _weigh(self, carried: Carried) -> None:
        """Whether it answers 4xx to everything: then it is tried, and nobody else is to rely on it."""
        self._put_off = self._put_off + 1 if carried.deferred else 0
        if self._put_off >= DEFERRALS and carried.deferred:
            self.defers(str(carried.deferred))
        elif not carried.deferred and self.health.relented():
            self._office.changed(self)

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
        self._answered(delivered=False)

    async def _connect(self) -> Connection | None:
        found = await self._office.dialler.dial(self.addresses)
        if isinstance(found, Connection):
            return found
        # while others are connected, one refusal says only that it is one too many
        alone = not any(carrier.connection for carrier in self._carriers)
        self._trouble(str(found), fatal=alone)
        return None

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
                self._answered(delivered=False)
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

    def _answered(self, delivered: bool) -> None:
        before = self.health.primary
        now = self._office.clock()
        if self.health.answered(now):
            self._ramp.reset()
            was_down = before.state is PrimaryState.DOWN and before.since
            # what we knew of it before we began is forgotten: it may be in the middle of coming back wrong (I10)
            self._sentry.returned()
            log.primary_up(self.name, now - before.since if was_down and before.since else None)
            self._put_off = 0
            self._office.changed(self)
            self.ring()
        if delivered:
            self._ramp.success()
            self._staff()

    def _trouble(self, error: str, fatal: bool = False) -> None:
        self._ramp.trouble()
        if fatal or self._ramp.exhausted:
            self._down(error, certain=self._ramp.exhausted)

    def _down(self, error: str, *, certain: bool = False) -> None:
        if self.health.failed(self._office.clock(), error, certain=certain):
            log.primary_down(self.name, error)
            self._office.changed(self)
        if not self.health.up:
            self._pool.abort()
        self.ring()
