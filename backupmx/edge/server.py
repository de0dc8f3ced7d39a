"""The door of one worker: listeners, sessions, their limits and their end.

Knows: sockets, the tally.
Does not know: what is said in a session.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from socket import socket

from backupmx.admission.admission import Admission
from backupmx.config import Smtp
from backupmx.core import replies
from backupmx.core.replies import Answer
from backupmx.core.track import Passed
from backupmx.edge.arrival import BUDGET, Dock
from backupmx.edge.connection import Connection
from backupmx.edge.guests import Guests, Requests
from backupmx.edge.house import House
from backupmx.edge.session import Session
from backupmx.edge.tally import Row
from backupmx.edge.terms import Terms
from backupmx.ports import Clock, Prove, Spool
from backupmx.watch import log, metrics

ROUND_S = 1.0
"""How often deadlines are looked at: one timer for a worker, not one for a connection."""
BACKLOG = 1024
SPARED = 10
"""Every tenth place, and as much of the memory, is for clients that sent mail before."""
CLOSING_S = 1.0
"""How long clients get to hear that we stop."""


class Edge:
    """Takes connections until stopped."""

    def __init__(  # noqa: PLR0913 - all that a worker is made of
        self,
        *,
        settings: Smtp,
        hostname: str,
        spool: Spool,
        admission: Admission,
        tally: Row,
        clock: Clock,
        wake: Callable[[], None],
        tls: ssl.SSLContext | None,
        ask: Callable[[str], None],
        prove: Prove,
    ) -> None:
        """`wake` is called for each message, `ask` for each domain whose primary asks for its queue (ETRN)."""
        self._settings = settings
        self._tally = tally
        self._tls = tls
        self._greeting = replies.greeting(hostname)
        self._terms = Terms(
            hostname=hostname,
            max_size=int(settings.max_message_size),
            max_recipients=settings.max_recipients,
            max_messages=settings.max_messages_per_connection,
            max_errors=settings.max_errors,
            tls_offered=tls is not None,
            admission=admission,
            room=spool.room,
            refused=_refused,
            ask=Requests(time.monotonic, ask),
        )
        self._dock = Dock(spool, hostname, int(settings.max_message_size), clock, wake, prove)
        self._sessions: set[Connection] = set()
        self._taken = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._round: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()

    async def start(self, sockets: Sequence[socket]) -> None:
        """Listen on sockets that are bound already and may be shared with other workers."""
        loop = asyncio.get_running_loop()
        house = House(
            loop=loop,
            terms=self._terms,
            dock=self._dock,
            tls=self._tls,
            guests=Guests(self._settings.proxy_from, self._settings.xclient_from),
            greeting=self._greeting,
            greeting_delay=self._settings.greeting_delay.total_seconds(),
            entered=self._entered,
            left=self._left,
            remember=self._remember,
            settled=self._changed.set,
            tasks=self._tasks,
        )
        for listener in sockets:
            self._servers.append(await loop.create_server(lambda: Session(house), sock=listener, backlog=BACKLOG))
        self._round = loop.call_later(ROUND_S, self._look_round)

    async def stop(self, grace: timedelta) -> None:
        """No new sessions; idle ones end with `421`, those in the middle of data may finish within the grace.

        Returns when all are gone and nothing of theirs is left to do in the spool.
        """
        for server in self._servers:
            server.close()
        for session in list(self._sessions):
            session.stop()
        await self._until(lambda: not any(session.in_data for session in self._sessions), grace.total_seconds())
        self._terms.admission.cut()
        await self._until(lambda: not any(session.in_data for session in self._sessions), CLOSING_S)
        for session in list(self._sessions):
            session.close()
        await self._until(lambda: not self._sessions, CLOSING_S)
        for session in list(self._sessions):
            session.abort()
        await self._until(lambda: not self._sessions, CLOSING_S)
        if self._round:
            self._round.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._tell_metrics()

    def take_noted(self) -> Sequence[Passed]:
        """What primaries took in the session since this was asked last, for the track."""
        return self._dock.take_noted()

    async def _until(self, true: Callable[[], bool], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass

    def _entered(self, session: Connection, limited: bool) -> Answer | None:
        cell, in_all, of_client = self._tally.enter(session.address)
        if in_all > self._settings.max_connections:
            refusal = replies.TOO_MANY_CONNECTIONS
        elif limited and of_client > self._settings.max_connections_per_client:
            refusal = replies.TOO_MANY_FROM_YOU
        elif limited and self._pressed(in_all) and not self._tally.knows(cell):
            refusal = replies.UNDER_PRESSURE
        else:
            session.cell = cell
            self._sessions.add(session)
            self._taken += 1
            return None
        # who is turned away takes no place
        self._tally.leave(cell)
        _TURNED_AWAY.inc()
        _refused(session.address, refusal, "")
        return refusal

    def _pressed(self, in_all: int) -> bool:
        """Whether places or memory run short: those that are left are for clients that sent mail before."""
        places = self._settings.max_connections
        return in_all > places - places // SPARED or self._dock.waiting > BUDGET - BUDGET // SPARED

    def _remember(self, session: Connection) -> None:
        self._tally.remember(session.cell)

    def _left(self, session: Connection) -> None:
        if session in self._sessions:
            self._sessions.discard(session)
            self._tally.leave(session.cell)
            self._changed.set()

    def _look_round(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        pressed = self._pressed(self._tally.in_all())
        for session in [session for session in self._sessions if session.deadline(pressed) < now]:
            session.expire()
        self._tell_metrics()
        self._round = loop.call_later(ROUND_S, self._look_round)

    def _tell_metrics(self) -> None:
        """Once a round: the library's counters are shared by all processes, and each of them costs as much as a command."""
        dock = self._dock
        metrics.CONNECTIONS.set(len(self._sessions))
        _TAKEN.inc(self._taken)
        _ACCEPTED.inc(dock.accepted)
        _RELAYED.inc(dock.relayed)
        metrics.RECEIVED_BYTES.inc(dock.accepted_octets)
        self._taken = dock.accepted = dock.relayed = dock.accepted_octets = 0


_TAKEN = metrics.CONNECTIONS_TOTAL.labels("taken")
_RELAYED = metrics.MESSAGES_TOTAL.labels("relayed", "")
_ACCEPTED = metrics.MESSAGES_TOTAL.labels("accepted", "")
_TURNED_AWAY = metrics.CONNECTIONS_TOTAL.labels("refused")


def _refused(client: str, answer: Answer, about: str) -> None:
    metrics.MESSAGES_TOTAL.labels("refused", answer.name).inc()
    log.refused(client, answer.name, str(answer), about)
