"""The messages that a lane has leased and not begun: a bounded part of an unbounded queue (I5), of all its domains in turn.

Knows: the ledger's leases, the pace that a domain may have.
Does not know: connections, and what comes of a message.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from backupmx.core.ids import MessageId
from backupmx.core.message import Lease
from backupmx.courier.ledger import Ledger
from backupmx.courier.pace import Pace

LEASES_PER_CONNECTION = 25
MOST_LEASES = 500


class Borrowed:
    """In the order in which they were due."""

    def __init__(self, ledger: Ledger, domains: list[str], paces: Mapping[str, Pace], ring: Callable[[], None]) -> None:
        """`domains` is the lane's own list; `ring` is called when it is time to `fill` again."""
        self._ledger = ledger
        self._domains = domains
        self._paces = paces
        self._ring = ring
        self._queue: deque[Lease] = deque()
        self._out: dict[tuple[MessageId, str], Lease] = {}
        """What nobody has asked to settle yet. A clock that is set right may end all leases at once: what we have then, we do not
        take again."""
        self._low = 0

    def __len__(self) -> int:
        return len(self._queue)

    def pop(self) -> Lease:
        """The next one."""
        lease = self._queue.popleft()
        if len(self._queue) == self._low:
            self._ring()
        return lease

    def begun(self, lease: Lease) -> None:
        """It is on its way."""
        self._out[lease.message.id, lease.domain] = lease

    def done(self, lease: Lease) -> None:
        """Its settlement is asked for in this moment: whatever is leased from now on may be this message again."""
        if self._out.get((lease.message.id, lease.domain)) is lease:
            del self._out[lease.message.id, lease.domain]

    def put_back(self, lease: Lease) -> None:
        """It is the next one still."""
        self._queue.appendleft(lease)

    async def fill(self, connections: int, canaries: Mapping[str, int | None], now: datetime) -> None:
        """Lease what is due for so many connections, in equal parts for the domains, unless enough is leased already.

        `canaries` is how many of a domain there may be while its primary is on trial.
        """
        window = min(MOST_LEASES, connections * LEASES_PER_CONNECTION)
        if any(canaries.values()):
            window = min(window, sum(number or LEASES_PER_CONNECTION for number in canaries.values()))
        self._low = window // 2
        if len(self._queue) > self._low:
            return
        # another one begins each time
        self._domains[:] = self._domains[1:] + self._domains[:1]
        domains = tuple(self._domains)
        for number, domain in enumerate(domains):
            share = (window - len(self._queue)) // (len(domains) - number)
            share = min(max(1, share), canaries[domain] or window)
            out = self._out.copy()
            if pace := self._paces.get(domain):
                leases = await self._lease_slowly(domain, min(share, pace.allowed(now)), pace, now)
            else:
                leases = await self._ledger.lease(domain, share)
            for lease in leases:
                if (lease.message.id, lease.domain) not in out:
                    self.begun(lease)
                    self._queue.append(lease)

    async def _lease_slowly(self, domain: str, limit: int, pace: Pace, now: datetime) -> Sequence[Lease]:
        # what could not leave at its time must not leave all at once
        if limit <= 0 or self._has(domain):
            return ()
        leases = await self._ledger.lease(domain, limit)
        # one that was put off by its primary has been counted
        pace.spend(sum(lease.message.schedule[domain].deferrals == 0 for lease in leases), now)
        return leases

    async def give_back(self) -> None:
        """The route is down: all are due again, in their order, and nothing is held against them."""
        leases = tuple(self._queue)
        self._queue.clear()
        for lease in leases:
            self.done(lease)
        if leases:
            await asyncio.gather(*(self._ledger.close(lease, {}) for lease in leases))

    def more(self, now: datetime) -> datetime | None:
        """When there is something to lease, if it is worth to look; None when nothing waits."""
        if len(self._queue) > self._low:
            return None
        times = []
        for domain in self._domains:
            pace = self._paces.get(domain)
            if not self._queue or (pace and not self._has(domain)):
                due = self._ledger.next_due(domain)
                if due:
                    times.append(max(due, pace.next(now)) if pace else due)
        return min(times, default=None)

    def _has(self, domain: str) -> bool:
        return any(lease.domain == domain for lease in self._queue)
