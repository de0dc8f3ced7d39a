"""Carries leased messages over one connection, one after the other, and closes their leases, whatever happens.

Knows: its connection, the ledger, how many recipients go in one transaction.
Does not know: the route, and the other carriers.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from backupmx.core import judge, schedule
from backupmx.core.message import Lease
from backupmx.core.outcome import Deferred, Delivered, Outcome, Reply
from backupmx.courier.client import Connection
from backupmx.courier.ledger import Ledger
from backupmx.courier.transaction import Parcel
from backupmx.errors import MessageDamaged, SpoolError, SpoolUnusable
from backupmx.watch import log

RECIPIENTS = 100
"""In one transaction; every server takes as many (RFC 5321 section 4.5.3.1.8)."""
SETTLEMENTS = 4
"""Of one connection, not durable yet. With fewer the disk sets the pace; with more, more could come twice after a crash (I1)."""


Screen = Callable[[Lease, Mapping[str, Outcome]], Awaitable[Mapping[str, Outcome]]]


@dataclass(frozen=True, slots=True)
class Carried:
    """What it means for the connection and its route."""

    delivered: bool = False
    deferred: Reply | None = None
    """What the primary said, when it was 4xx to everybody."""
    broken: Reply | None = None
    """Why the connection is of no more use."""
    again: bool = False
    """It was dead already, or the primary does not know what it offers: the lease is still open."""


class Carrier:
    """At most one connection, and a few settlements that are not durable yet, while the next message is on its way."""

    def __init__(self, ledger: Ledger, connection: Connection | None, screen: Screen, done: Callable[[Lease], None]) -> None:
        """`screen` has a look at the outcomes before they are settled; `done` is told of each lease when they are."""
        self._done = done
        self._ledger = ledger
        self._screen = screen
        self._settling: deque[asyncio.Task[SpoolUnusable | None]] = deque()
        self.connection = connection
        self.since: datetime | None = None
        """When it began with the message that is on its way."""

    async def carry(self, lease: Lease, content: Iterator[bytes]) -> Carried:
        """Ask the primary, and begin to settle. Raises SpoolError."""
        assert self.connection
        outcomes: dict[str, Outcome] = {}
        try:
            carried = await self._ask(self.connection, lease, content, outcomes)
        except MessageDamaged as error:
            # the connection ended before the dot; what the primary said of other recipients before is kept
            self._done(lease)
            if outcomes:
                await self._ledger.close(lease, outcomes)
            await self._ledger.set_aside(lease, error)
            return Carried()
        except SpoolError:
            self.connection.abort()
            raise
        except Exception as error:  # noqa: BLE001 - a bug is our own trouble: a deferral (I9)
            self.connection.abort()
            log.trouble(f"carrying {lease.message.id}", error)
            carried = Carried()
            outcomes = self._deferred(lease, judge.OUR_TROUBLE) | outcomes
        if not carried.again:
            if carried.broken and schedule.suspect(lease.message.schedule[lease.domain]):
                outcomes = self._deferred(lease, carried.broken) | outcomes
            await self._settle(lease, await self._screen(lease, outcomes))
        return carried

    async def finish(self) -> None:
        """Return once all is settled. Raises SpoolUnusable."""
        while self._settling:
            await self._settled()

    async def _ask(self, connection: Connection, lease: Lease, content: Iterator[bytes], outcomes: dict[str, Outcome]) -> Carried:
        reused = connection.carried > 0
        first, left = True, list(lease.recipients)
        while left:
            some, left = left[:RECIPIENTS], left[RECIPIENTS:]
            # beyond the lease's end somebody else may begin with the message
            parcel = Parcel(lease.message, some, self._ledger.time_left(lease))
            report = await connection.carry(parcel, content if first else self._ledger.content(lease))
            if report.stale and reused and first:
                return Carried(broken=report.broken, again=True)
            if report.no_chunks:
                return Carried(again=first)
            outcomes |= report.outcomes
            if report.broken:
                return Carried(broken=report.broken)
            first, left = False, [*_left_over(report.outcomes), *left]
        delivered = any(isinstance(outcome, Delivered) for outcome in outcomes.values())
        put_off = [outcome.reply for outcome in outcomes.values() if isinstance(outcome, Deferred)]
        return Carried(delivered, put_off[0] if len(put_off) == len(outcomes) and put_off else None)

    async def _settle(self, lease: Lease, outcomes: Mapping[str, Outcome]) -> None:
        self._settling.append(asyncio.create_task(self._close(lease, outcomes)))
        while self._settling and (len(self._settling) > SETTLEMENTS or self._settling[0].done()):
            await self._settled()

    async def _settled(self) -> None:
        """Wait for the one that was begun first. Raises SpoolUnusable."""
        if error := await self._settling.popleft():
            raise error

    async def _close(self, lease: Lease, outcomes: Mapping[str, Outcome]) -> SpoolUnusable | None:
        self._done(lease)
        try:
            await self._ledger.close(lease, outcomes)
        except SpoolUnusable as error:
            return error
        except Exception as error:  # noqa: BLE001 - its lease will lapse, the others go on (I9)
            log.trouble(f"settling {lease.message.id}", error)
        return None

    def _deferred(self, lease: Lease, reply: Reply) -> dict[str, Outcome]:
        peer = self.connection.peer if self.connection else None
        return {address: Deferred(reply, peer.host if peer else "", peer.tls if peer else None) for address in lease.recipients}


def _left_over(outcomes: Mapping[str, Outcome]) -> list[str]:
    """For whom there was no room in a transaction that delivered to others: they need not wait."""
    if not any(isinstance(outcome, Delivered) for outcome in outcomes.values()):
        return []
    return [address for address, outcome in outcomes.items() if isinstance(outcome, Deferred) and judge.too_many(outcome.reply)]
