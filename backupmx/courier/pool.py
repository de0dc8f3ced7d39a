"""Connections of a route between two bursts of mail: kept for a moment, then closed with QUIT.

Knows: how long an idle connection is kept.
Does not know: who uses them, and what for.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from backupmx.courier.alarm import Handle, Timer
from backupmx.courier.client import Connection

IDLE_S = 5.0
FAREWELL_S = 2.0
"""How long all of them may take together when we stop."""


class Pool:
    """Idle connections, and farewells that are being said."""

    def __init__(self, timer: Timer, gone: Callable[[], None] = lambda: None) -> None:
        """`gone` is called for each connection that was parked and was not taken again."""
        self._timer = timer
        self._gone = gone
        self._idle: dict[Connection, Handle] = {}
        self._errands: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> Connection | None:
        """The connection that was used last, if it still stands."""
        while self._idle:
            connection, handle = self._idle.popitem()
            handle.cancel()
            if connection.usable:
                return connection
            connection.abort()
            self._gone()
        return None

    def park(self, connection: Connection) -> None:
        """Keep it for a while, or let it go if it is worn out."""
        if connection.usable:
            self._idle[connection] = self._timer(IDLE_S, lambda: self._retire(connection))
        else:
            self.dismiss(connection)
            self._gone()

    def spare(self) -> bool:
        """Close the one that has been idle for longest; returns whether there was one."""
        connection = next(iter(self._idle), None)
        if connection is None:
            return False
        self._idle[connection].cancel()
        self._retire(connection)
        return True

    def dismiss(self, connection: Connection) -> None:
        """Close it with QUIT; nobody waits for that."""
        self.errand(connection.quit())

    def errand(self, job: Coroutine[Any, Any, None]) -> None:
        """Have something done aside; it must not fail."""
        task = asyncio.create_task(job)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def abort(self) -> None:
        """Drop all idle ones: their peer is gone."""
        while self._idle:
            connection, handle = self._idle.popitem()
            handle.cancel()
            connection.abort()
            self._gone()

    async def close(self) -> None:
        """Take leave of all."""
        while self.spare():
            pass
        if self._errands:
            _, left = await asyncio.wait(self._errands, timeout=FAREWELL_S)
            for task in left:
                task.cancel()

    def _retire(self, connection: Connection) -> None:
        if self._idle.pop(connection, None):
            self.dismiss(connection)
            self._gone()
