"""The carriers of one route: as many as there is work for, as the ramp allows, and as the other routes leave places.

Knows: carriers, connections that are kept for them, the ramp, the route's share of the places.
Does not know: where leases come from, and what is made of the primary's health.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from backupmx.core.message import Lease
from backupmx.core.outcome import Outcome
from backupmx.courier import chunks
from backupmx.courier.borrowed import Borrowed
from backupmx.courier.carrier import Carried, Carrier
from backupmx.courier.client import Connection
from backupmx.courier.office import Office
from backupmx.courier.pool import Pool
from backupmx.courier.ramp import Ramp
from backupmx.courier.routes import Address

LONG = timedelta(seconds=5)
"""A carrier that has been on one message for this time does not hold up the others: another one may take its turn …"""
SUBSTITUTES = 3
"""… and so many such, beside those that the ramp allows."""
SLOW = timedelta(seconds=30)
"""A primary that takes this time for a small message has too much to do."""


class Foreman(Protocol):
    """The lane, as its crew sees it."""

    @property
    def addresses(self) -> Sequence[Address]:
        """Where the primary is."""

    @property
    def working(self) -> bool:
        """Whether another message may be begun."""

    def ring(self) -> None:
        """Look whether there is something to do."""

    async def screen(self, lease: Lease, outcomes: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
        """What may be settled."""

    def heard(self, carried: Carried) -> None:
        """The primary spoke about a message."""

    def troubled(self, error: str, *, fatal: bool) -> None:
        """A connection was refused, lost, or fell silent; `fatal`: it was the only one."""

    def failed(self, error: Exception) -> None:
        """Trouble of our own."""


class Crew:
    """All of a lane's."""

    def __init__(self, office: Office, ramp: Ramp, borrowed: Borrowed, foreman: Foreman) -> None:
        self._office = office
        self._ramp = ramp
        self._borrowed = borrowed
        self._foreman = foreman
        self._share = office.places.share(foreman.ring, self._spare)
        self._pool = Pool(office.timer, self._share.leave)
        self._carriers: set[Carrier] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        """The carriers' work; it ends when all is settled, and they are carriers no more."""
        self._carrying = 0

    @property
    def size(self) -> int:
        """For how many connections messages are to be there: those that there are, and one more."""
        return min(len(self._carriers) + 1, self._ramp.limit)

    def staff(self) -> None:
        """Employ as many as there is work for."""
        while len(self._carriers) < min(self._width(), len(self._borrowed) + self._carrying):
            # a connection that was kept has kept its place
            connection = self._pool.take()
            if connection is None and not self._share.take():
                return
            carrier = Carrier(self._office.ledger, connection, self._foreman.screen, self._borrowed.done)
            self._carriers.add(carrier)
            task = asyncio.create_task(self._work(carrier))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._share.content()

    def _width(self) -> int:
        if self._ramp.limit >= self._ramp.widest:
            return self._ramp.widest
        now = self._office.clock()
        long = sum(carrier.since is not None and now - carrier.since >= LONG for carrier in self._carriers)
        return min(self._ramp.widest, self._ramp.limit + min(long, SUBSTITUTES))

    def next_substitute(self, now: datetime) -> datetime | None:
        """When one of them will have been on its message for so long that another may take its turn."""
        if not self._borrowed or self._ramp.limit >= self._ramp.widest:
            return None
        # one that is about to begin is looked at then, too
        times = ((carrier.since or now) + LONG for carrier in self._carriers)
        return min((time for time in times if time > now), default=None)

    async def _work(self, carrier: Carrier) -> None:
        """Carry messages while there are any."""
        carried = 0
        try:
            while self._borrowed and self._foreman.working and len(self._carriers) <= self._width():
                if self._share.must_yield(carried) or not await self._next(carrier):
                    break
                carried += 1
            self._put_away(carrier)
            await carrier.finish()
        except Exception as error:  # noqa: BLE001 - a lease lapses, the others go on (I9)
            self._foreman.failed(error)
        finally:
            if carrier in self._carriers:
                self._put_away(carrier)
            self._foreman.ring()

    def _put_away(self, carrier: Carrier) -> None:
        """Its place goes with the connection, if that is kept."""
        self._carriers.remove(carrier)
        connection, carrier.connection = carrier.connection, None
        if connection is not None and not self._share.crowded:
            self._pool.park(connection)
            return
        if connection is not None:
            self._pool.dismiss(connection)
        self._share.leave()

    async def _next(self, carrier: Carrier) -> bool:
        """Carry the message that was due first; returns whether to go on."""
        lease = self._borrowed.pop()
        again = False
        self._carrying += 1
        try:
            self._borrowed.done(lease)  # for the case that it is settled here
            content = await self._office.ledger.screen(lease)
            if content is None:
                return True
            self._borrowed.begun(lease)
            carrier.connection = carrier.connection or await self._connect()
            if carrier.connection is None:
                again = True
                return False
            carrier.since = began = self._office.clock()
            carried = await carrier.carry(lease, content)
            again = carried.again
            self._learn(lease, carried, began)
        finally:
            carrier.since = None
            self._carrying -= 1
            (self._borrowed.put_back if again else self._borrowed.done)(lease)
        if not carrier.connection.usable:
            self._pool.dismiss(carrier.connection)
            carrier.connection = None
        return True

    def _learn(self, lease: Lease, carried: Carried, began: datetime) -> None:
        if carried.again:
            return
        if carried.broken:
            self._foreman.troubled(str(carried.broken), fatal=False)
        else:
            self._foreman.heard(carried)
            self._weigh(lease, carried, began)

    def _weigh(self, lease: Lease, carried: Carried, began: datetime) -> None:
        """Whether the primary can take more at a time, or has too much already."""
        now = self._office.clock()
        if lease.message.size <= chunks.SMALL and now - began >= SLOW:
            self._ramp.slow(began, now)
        elif carried.delivered:
            self._ramp.success()
            self.staff()

    async def _connect(self) -> Connection | None:
        found = await self._office.dialler.dial(self._foreman.addresses)
        if isinstance(found, Connection):
            return found
        # while others are connected, one refusal says only that it is one too many
        alone = not self._pool and not any(carrier.connection for carrier in self._carriers)
        self._foreman.troubled(str(found), fatal=alone)
        return None

    def _spare(self) -> bool:
        return self._pool.spare()

    def lost(self) -> None:
        """The primary is gone: no connection to it is of use, and it may come back as another."""
        self._pool.abort()
        self._office.dialler.forget(self._foreman.addresses)

    def rest(self) -> None:
        """There is nothing to do."""
        self._share.content()

    async def finish(self) -> None:
        """Return once all that was begun is settled, and leave was taken."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._pool.close()

    async def end(self) -> None:
        """Whatever is still going on is cut off."""
        left = tuple(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        self._pool.abort()
        self._share.close()
