"""The door of one worker: listeners, sessions, their limits and their end.

Knows: sockets, the tally.
Does not know: what is said in a session.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from datetime import timedelta
from socket import socket

from backupmx.admission.domains import Domains
from backupmx.config import Smtp
from backupmx.core import replies
from backupmx.core.replies import Answer
from backupmx.edge.arrival import Dock
from backupmx.edge.dialogue import Terms
from backupmx.edge.session import House, Session
from backupmx.edge.tally import Row
from backupmx.ports import Clock, Spool
from backupmx.watch import log, metrics

ROUND_S = 1.0
"""How often deadlines are looked at: one timer for a worker, not one for a connection."""
BACKLOG = 1024


class Edge:
    """Takes connections until stopped."""

    def __init__(
        self,
        settings: Smtp,
        hostname: str,
        spool: Spool,
        admission: Domains,
        tally: Row,
        clock: Clock,
        wake: Callable[[], None],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._settings = settings
        self._tally = tally
        self._tls = tls
        self._greeting = f"220 {hostname} ESMTP Backup MX\r\n".encode("ascii")
        self._terms = Terms(
            hostname=hostname,
            max_size=int(settings.max_message_size),
            max_recipients=settings.max_recipients,
            tls_offered=tls is not None,
            admission=admission,
            room=spool.room,
            refused=_refused,
        )
        self._dock = Dock(spool, hostname, int(settings.max_message_size), clock, wake)
        self._sessions: set[Session] = set()
        self._servers: list[asyncio.Server] = []
        self._round: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    async def start(self, sockets: Sequence[socket]) -> None:
        """Listen on sockets that are bound already and may be shared with other workers."""
        loop = asyncio.get_running_loop()
        house = House(loop, self._terms, self._dock, self._tls, self._greeting, self._entered, self._left)
        for listener in sockets:
            self._servers.append(await loop.create_server(lambda: Session(house), sock=listener, backlog=BACKLOG))
        self._round = loop.call_later(ROUND_S, self._look_round)

    async def stop(self, grace: timedelta) -> None:
        """No new sessions; those in the middle of data may finish within the grace."""
        for server in self._servers:
            server.close()
        for session in list(self._sessions):
            session.stop()
        try:
            async with asyncio.timeout(grace.total_seconds()):
                while any(session.in_data for session in self._sessions):
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            pass
        if self._round:
            self._round.cancel()
        for session in list(self._sessions):
            session.abort()

    def _entered(self, session: Session) -> Answer | None:
        self._sessions.add(session)
        session.cell, in_all, of_client = self._tally.enter(session.address)
        metrics.CONNECTIONS.inc()
        refusal = None
        if in_all > self._settings.max_connections:
            refusal = replies.TOO_MANY_CONNECTIONS
        elif of_client > self._settings.max_connections_per_client:
            refusal = replies.TOO_MANY_FROM_YOU
        if refusal:
            _refused(session.address, refusal, "")
        (_TURNED_AWAY if refusal else _TAKEN).inc()
        return refusal

    def _left(self, session: Session) -> None:
        self._sessions.discard(session)
        self._tally.leave(session.cell)
        metrics.CONNECTIONS.dec()
        self._empty.set()

    def _look_round(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for session in [session for session in self._sessions if session.deadline < now]:
            session.expire()
        self._round = loop.call_later(ROUND_S, self._look_round)


_TAKEN = metrics.CONNECTIONS_TOTAL.labels("taken")
_TURNED_AWAY = metrics.CONNECTIONS_TOTAL.labels("refused")


def _refused(client: str, answer: Answer, about: str) -> None:
    metrics.MESSAGES_TOTAL.labels("refused", answer.name).inc()
    log.refused(client, answer.name, str(answer), about)
