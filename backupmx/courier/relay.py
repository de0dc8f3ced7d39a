"""The ways to the primaries from within a session: connections that are kept, limits, who is worth the try.

Knows: routes, the board, pools of connections.
Does not know: sessions of strangers, the spool, what the primaries' words mean.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backupmx.core.message import Envelope
from backupmx.core.outcome import Reply
from backupmx.core.status import PrimaryState
from backupmx.courier.alarm import Timer, loop_timer
from backupmx.courier.client import Connection, Dialler
from backupmx.courier.handover import Handover, Way
from backupmx.courier.pool import Pool
from backupmx.courier.routes import Nowhere, Route, Routes
from backupmx.courier.transaction import Patience
from backupmx.ports import Health
from backupmx.watch import log

PATIENCE = Patience(connect=5, command=30, data=60, block=60, dot=240)
"""Shorter than that of any client, which waits behind us."""
QUEUE_S = 5.0
"""How long a client waits for one of the connections that a route may have."""
DIAL_S = 20.0
"""How long a client waits for anybody to answer at any of a route's addresses."""
SHUNNED_S = 3.0
"""After a failure, until somebody else is made to wait for the same."""
OF_ONE_CLIENT = 0.5
"""The part of the connections that one client may have in its hands."""
VERIFIERS = 2
"""Connections of a worker that ask for recipients alone."""
STRIKES = 10
"""4xx in a row, without one other word, after which a primary counts as one that answers so to everything"""
STRIKERS = 3
"""… if so many clients heard them: it may mean one alone;"""
STRIKES_S = 60.0
"""… if they came over at least this time: one impatient client makes ten in a moment."""
DOUBT_S = 10.0
"""The courier is told at most this often that a primary refuses whom it had."""
WELL_S = 10.0
"""The courier is told at most this often that a primary does its work."""


@dataclass(slots=True)
class _Desk:
    """All that a worker has with one route."""

    pool: Pool
    quiet: Pool
    """Connections that never spoke for a client: what is asked on them is asked in our name."""
    places: asyncio.Semaphore
    verifiers: asyncio.Semaphore
    shunned_until: float = 0.0
    strikes: int = 0
    strikers: set[str] = field(default_factory=set)
    first_strike: float = 0.0
    told_well: float = field(default=float("-inf"))
    told_doubt: float = field(default=float("-inf"))


class Relay:
    """See `ports.Primaries`; one for each worker."""

    def __init__(
        self,
        routes: Routes,
        dialler: Dialler,
        health: Health,
        tell: Callable[[str, str], None],
        limit: int,
        *,
        patience: Patience = PATIENCE,
        timer: Timer = loop_timer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tell` takes `lost`, `well`, `deferring` or `doubtful`, and a domain: the courier owns the primaries' health.

        `limit` is how many connections to one route this worker may have for messages.
        """
        self._routes = routes
        self._dialler = dialler
        self._health = health
        self._tell = tell
        self._limit = limit
        self._patience = patience
        self._timer = timer
        self._clock = clock
        self._desks: dict[str, _Desk] = {}
        self._found: dict[str, tuple[Route, float]] = {}
        self._live: set[Handover] = set()
        self._dials: set[asyncio.Timeout] = set()
        self._is_cut = False

    def reachable(self, domain: str) -> bool:
        """See `ports.Primaries`."""
        if self._is_cut or self._health.state(domain) is PrimaryState.DOWN:
            return False
        found = self._found.get(domain)
        return found is None or self._desk(found[0]).shunned_until <= self._clock()

    async def route(self, domain: str) -> str:
        """See `ports.Primaries`."""
        route = await self._route_of(domain)
        return route.key if route else ""

    async def hand_over(self, domain: str, envelope: Envelope, size: int) -> Handover | None:
        """See `ports.Primaries`."""
        route = await self._route_of(domain)
        # LMTP has a reply to the content for each recipient: a sender could not be told all of them
        if route is None or not route.takes_transactions:
            return None
        desk, client = self._desk(route), envelope.client.address
        if not await self._place(desk, client):
            return None
        if self._is_cut:
            desk.places.release()
            return None

        async def dial(fresh: bool) -> Connection | None:
            connection = None if fresh else desk.pool.take()
            return connection or await self._fresh(domain, route, desk)

        def release(connection: Connection | None, open_still: bool) -> None:
            self._live.discard(handover)
            if connection is not None and open_still:
                desk.pool.errand(reset(connection))
                return
            desk.places.release()
            if connection is not None:
                desk.pool.park(connection)

        async def reset(connection: Connection) -> None:
            # its place is taken until then: the next client waits for this connection rather than make one more
            await connection.reset()
            desk.pool.park(connection)
            desk.places.release()

        def heard(reply: Reply | None) -> None:
            self._heard(domain, desk, reply, client)

        handover = Handover(Way(route.key, dial, release, heard, self._patience, self._timer), envelope, size)
        self._live.add(handover)
        return handover

    async def _place(self, desk: _Desk, client: str) -> bool:
        """One of the connections that a route may have, in a while; not all of them are for one client."""
        if sum(other.client == client for other in self._live) >= max(1, self._limit * OF_ONE_CLIENT):
            return False
        try:
            async with asyncio.timeout(QUEUE_S):
                await desk.places.acquire()
        except TimeoutError:
            return False
        return True

    def doubt(self, domain: str) -> None:
        """See `ports.Primaries`."""
        found = self._found.get(domain)
        if found is not None and self._clock() - (desk := self._desk(found[0])).told_doubt >= DOUBT_S:
            desk.told_doubt = self._clock()
            self._tell("doubtful", domain)

    def cut(self) -> None:
        """See `ports.Primaries`."""
        self._is_cut = True
        for handover in list(self._live):
            handover.cut()
        for dial in list(self._dials):
            dial.reschedule(asyncio.get_running_loop().time())

    async def verify(self, domain: str, locals_: Sequence[str]) -> Sequence[Reply] | None:
        """See `ports.Primaries`."""
        route = await self._route_of(domain)
        if route is None:
            return None
        desk = self._desk(route)
        async with desk.verifiers:
            for fresh in (False, True):
                # who waited for its turn may find that nobody is there any more
                connection = await self._quiet(domain, route, desk, fresh=fresh) if self.reachable(domain) else None
                if connection is None:
                    return None
                reused = connection.carried > 0
                replies = await connection.verify([f"{local}@{domain}" for local in locals_])
                alive = connection.usable
                desk.quiet.park(connection)
                if replies is not None or alive or not reused:
                    if replies is not None or not alive:
                        self._heard(domain, desk, replies[0] if replies else None)
                    return replies
        return None

    async def _quiet(self, domain: str, route: Route, desk: _Desk, *, fresh: bool) -> Connection | None:
        connection = None if fresh else desk.quiet.take()
        return connection or await self._fresh(domain, route, desk)

    async def close(self) -> None:
        """Take leave of all."""
        for desk in self._desks.values():
            await desk.pool.close()
            await desk.quiet.close()

    async def _route_of(self, domain: str) -> Route | None:
        found = self._found.get(domain)
        if found is not None and found[1] > self._clock():
            return found[0]
        try:
            route = await self._routes.find(domain)
        except Exception as error:  # noqa: BLE001 - a bug here may cost the primary's word, not the message (I9)
            log.trouble(f"route of {domain}", error)
            return None
        if isinstance(route, Nowhere):
            return None
        self._found[domain] = (route, self._clock() + route.good_for.total_seconds())
        return route

    def _desk(self, route: Route) -> _Desk:
        desk = self._desks.get(route.key)
        if desk is None:
            places, verifiers = asyncio.Semaphore(self._limit), asyncio.Semaphore(VERIFIERS)
            desk = self._desks[route.key] = _Desk(Pool(self._timer), Pool(self._timer), places, verifiers)
        return desk

    async def _fresh(self, domain: str, route: Route, desk: _Desk) -> Connection | None:
        try:
            # of several addresses, each with its own time, not all can be waited for
            async with asyncio.timeout(DIAL_S) as dial:
                self._dials.add(dial)
                try:
                    found = await self._dialler.dial(route.addresses)
                finally:
                    self._dials.discard(dial)
        except TimeoutError:
            found = None
        if isinstance(found, Connection):
            return found
        desk.shunned_until = self._clock() + SHUNNED_S
        self._tell("lost", domain)
        return None

    def _heard(self, domain: str, desk: _Desk, reply: Reply | None, client: str = "") -> None:
        """What each word of a primary says about its health."""
        now = self._clock()
        if reply is None:
            desk.shunned_until = now + SHUNNED_S
            self._tell("lost", domain)
        elif reply.code // 100 == 4:
            desk.first_strike = desk.first_strike if desk.strikes else now
            desk.strikes += 1
            desk.strikers.add(client)
            if desk.strikes >= STRIKES and len(desk.strikers) >= STRIKERS and now - desk.first_strike >= STRIKES_S:
                desk.strikes = 0
                self._tell("deferring", domain)
        else:
            desk.strikes = 0
        if not desk.strikes:
            desk.strikers.clear()
        if reply is not None and reply.code // 100 != 4 and now - desk.told_well >= WELL_S:
            desk.told_well = now
            self._tell("well", domain)
