"""What every session of one worker has in common.

Knows: the terms, the dock, who counts sessions.
Does not know: what a session does with them.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import TYPE_CHECKING, Any

from backupmx.core.replies import Answer
from backupmx.edge.arrival import Dock
from backupmx.edge.guests import Guests
from backupmx.edge.terms import Terms

if TYPE_CHECKING:
    from backupmx.edge.connection import Connection


@dataclass(frozen=True, slots=True)
class House:
    """What every session of a worker has in common."""

    loop: asyncio.AbstractEventLoop
    terms: Terms
    dock: Dock
    tls: SSLContext | None
    guests: Guests
    greeting: bytes
    greeting_delay: float
    """Seconds that a stranger waits for it."""
    entered: Callable[["Connection", bool], Answer | None]
    """A connection begins, limited for its client or not; returns why it may not."""
    left: Callable[["Connection"], None]
    remember: Callable[["Connection"], None]
    """Its client got a message through."""
    settled: Callable[[], None]
    """Some message is no longer on its way."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """Work that outlives its connection: a commit goes on when the client is gone (I1)."""

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Let it run beside the conversation."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
