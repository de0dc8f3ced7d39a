"""What all our processes have in common: the clock, shared memory, how they begin and how they end.

Knows: the event loop, signals, the spool's door.
Does not know: what a process is for.
"""

import asyncio
import gc
import os
import secrets
import signal
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import uvloop

from backupmx import allocator
from backupmx.admission.returns import Returns
from backupmx.config import Settings
from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.courier.board import Board
from backupmx.edge.certificate import Certificate
from backupmx.edge.tally import Tally
from backupmx.errors import SpoolUnusable
from backupmx.recipients.knowledge import Knowledge
from backupmx.spool.store import LmdbSpool
from backupmx.supervisor import Post
from backupmx.watch import log, metrics

GRACE = timedelta(seconds=30)
"""How long sessions in the middle of data may take after SIGTERM."""
COLLECT = (20_000, 20, 20)
"""The collector's thresholds: with the default ones it ran at every seventh message."""
LEARN_S = 1.0
"""How often what was learned of recipients is written down."""
ROUND_S = 1.0
"""How often the spool is asked whether it is still sound, and the supervisor told that we are."""


def now() -> datetime:
    """The one clock."""
    return datetime.now(UTC)


def certificate(settings: Settings) -> Certificate:
    """The edge's; a self-signed one is made in the spool's directory when none is configured.

    Made before the fork: a session that one worker began another one resumes.
    """
    smtp = settings.smtp
    return Certificate.of(smtp.tls_certificate, smtp.tls_key, settings.spool / "tls", settings.hostname)


@dataclass(frozen=True, slots=True)
class Shared:
    """Memory that all processes have in common, made before they are."""

    workers: int
    tally: Tally
    board: Board
    returns: Returns

    @classmethod
    def make(cls, settings: Settings, workers: int) -> "Shared":
        """For these domains, and as many edge workers."""
        return cls(workers, Tally.make(workers), Board(tuple(settings.domains)), Returns())


def new_id() -> MessageId:
    """For what we write ourselves."""
    return ids.made(now(), secrets.randbits(ids.CHANCE))


def nobody() -> str:
    """A local part that no person has: who takes it takes everybody."""
    return f"no-such-user-{secrets.token_hex(8)}"


async def remember(knowledge: Knowledge) -> None:
    """Write down together what was learned of recipients, and read lists that changed."""
    while True:
        await asyncio.to_thread(knowledge.look)
        await knowledge.write()
        await asyncio.sleep(LEARN_S)


def open_spool(settings: Settings, owner: str) -> LmdbSpool:
    """For one process, after the fork."""
    return LmdbSpool(settings.spool, owner=owner, reserve=int(settings.reserve), on_commit=metrics.COMMIT_SECONDS.observe)


async def terminated(spool: LmdbSpool, post: Post) -> int:
    """Ready now: wait for SIGTERM, and show that the loop turns.

    Or wait for the environment to break, after which only a new process is sound. Returns the exit status.
    """
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    while not stop.is_set():
        post.alive()
        if spool.broken:
            log.trouble("spool", SpoolUnusable(spool.broken))
            return 1
        with suppress(TimeoutError):
            async with asyncio.timeout(ROUND_S):
                await stop.wait()
    log.stopping()
    return 0


def run(main: Coroutine[Any, Any, int], post: Post) -> int:
    """Let a process do its work, on a loop of its own, for as long as the supervisor lives."""
    allocator.keep_blocks()
    # what there is by now stays; of what comes with a message little is left for a collector to find
    gc.freeze()
    gc.set_threshold(*COLLECT)

    async def with_lifeline() -> int:
        # the supervisor holds the spool's lock; without it nobody may go on
        asyncio.get_running_loop().add_reader(post.lifeline, os._exit, 1)
        return await main

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(with_lifeline())
