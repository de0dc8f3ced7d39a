"""What each process of ours is made of: an edge worker, the courier.

Knows: the rooms that a process needs, and how they are wired to each other.
Does not know: how processes are started and watched.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import socket
from typing import Any

import uvloop

from backupmx import __version__, allocator
from backupmx.admission.domains import Domains
from backupmx.app import ask_for_reload
from backupmx.config import Settings
from backupmx.control.accounts import Accounts
from backupmx.control.metrics import exposition
from backupmx.control.server import ControlServer
from backupmx.core.status import Status, compose
from backupmx.courier.courier import Courier
from backupmx.edge.certificate import Certificate
from backupmx.edge.server import Edge
from backupmx.edge.tally import Tally
from backupmx.errors import ConfigurationError, SpoolUnusable
from backupmx.spool.store import LmdbSpool
from backupmx.supervisor import Post
from backupmx.watch import log, metrics

GRACE = timedelta(seconds=30)
"""How long sessions in the middle of data may take after SIGTERM."""
COLLECT = (20_000, 20, 20)
"""The collector's thresholds: with the default ones it ran at every seventh message."""
BELL_S = 0.02
"""New mail is told to the courier at most this often: a signal for each message would cost more than the message."""

RENEWAL_S = 60.0
"""How often the files of the certificate are looked at."""
ROUND_S = 1.0
"""How often the spool is asked whether it is still sound."""


def now() -> datetime:
    """The one clock."""
    return datetime.now(UTC)


def certificate(settings: Settings) -> Certificate:
    """The edge's; a self-signed one is made in the spool's directory when none is configured.

    Made before the fork: a session that one worker began another one resumes.
    """
    smtp = settings.smtp
    return Certificate.of(smtp.tls_certificate, smtp.tls_key, settings.spool / "tls", settings.hostname)


class Bell:
    """Tells the courier that something changed, not more often than it wants to hear it: a line each, empty for new mail."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._pending = False

    def ring(self) -> None:
        """Cheap: called for each message."""
        if not self._pending:
            self._pending = True
            asyncio.get_running_loop().call_later(BELL_S, self._write)

    def ask(self, domain: str) -> None:
        """A primary wants what waits for this domain."""
        self._say(domain)

    def _write(self) -> None:
        self._pending = False
        self._say("")

    def _say(self, line: str) -> None:
        try:
            os.write(self._pipe, f"{line}\n".encode("ascii"))
        except BlockingIOError:
            pass  # the pipe is full of rings: it will be heard


def edge(
    settings: Settings,
    log_format: log.Format,
    number: int,
    sockets: list[socket],
    tally: Tally,
    tls: Certificate,
    bell: int,
    post: Post,
) -> int:
    """One edge worker, until SIGTERM."""
    log.set_up(log_format, f"edge{number}")
    return _run(_edge(settings, number, sockets, tally, tls, bell, post), post)


async def _edge(
    settings: Settings, number: int, sockets: list[socket], tally: Tally, tls: Certificate, bell: int, post: Post
) -> int:
    spool = _spool(settings, f"edge{number}")
    spool.sweep(f"edge{number}")
    ring = Bell(bell)
    door = Edge(
        settings=settings.smtp,
        hostname=settings.hostname,
        spool=spool,
        admission=Domains(tuple(settings.domains)),
        tally=tally.row(number),
        clock=now,
        wake=ring.ring,
        ask=ring.ask,
        tls=tls.context,
    )
    await door.start(sockets)
    renewing = asyncio.create_task(_renew(tls))
    post.ready()
    status = await _terminated(spool)
    renewing.cancel()
    await door.stop(GRACE)
    spool.close()
    return status


async def _renew(tls: Certificate) -> None:
    """Take a new certificate when its files change: nobody need tell us."""
    metrics.CERTIFICATE_EXPIRY.set(tls.expires.timestamp())
    while True:
        await asyncio.sleep(RENEWAL_S)
        try:
            if tls.renew():
                metrics.CERTIFICATE_EXPIRY.set(tls.expires.timestamp())
                log.certificate_renewed(tls.expires)
        except ConfigurationError as error:
            log.certificate_kept(error.problems)


def courier(settings: Settings, log_format: log.Format, path: Path, bell: int, post: Post) -> int:
    """The courier and the control socket, until SIGTERM."""
    log.set_up(log_format, "courier")
    return _run(_courier(settings, path, bell, post), post)


async def _courier(settings: Settings, path: Path, bell: int, post: Post) -> int:
    spool = _spool(settings, "courier")
    carrier = Courier(settings=settings, spool=spool, clock=now)

    def status() -> Status:
        return compose(__version__, settings.hostname, now(), spool.census(), carrier.views())

    server = ControlServer(
        settings.control.socket,
        spool,
        status=status,
        wake=carrier.wake,
        reload=lambda: ask_for_reload(path),
        metrics=lambda: exposition(status(), spool.stats()),
        clock=now,
        accounts=Accounts(settings.spool / "accounts.json"),
        windows={name: domain.holding_window for name, domain in settings.domains.items()},
    )
    loop = asyncio.get_running_loop()
    loop.add_reader(bell, lambda: _heard(bell, carrier))
    await server.start()
    running = asyncio.create_task(carrier.run())
    # a courier that ends unasked takes the process along: the supervisor starts it anew
    running.add_done_callback(lambda task: os._exit(1) if not task.cancelled() and task.exception() else None)
    post.ready()
    outcome = await _terminated(spool)
    await carrier.stop()
    await server.stop()
    spool.close()
    return outcome


def _spool(settings: Settings, owner: str) -> LmdbSpool:
    return LmdbSpool(settings.spool, owner=owner, reserve=int(settings.reserve), on_commit=metrics.COMMIT_SECONDS.observe)


def _heard(bell: int, carrier: Courier) -> None:
    try:
        # a line that is cut in two names no domain, and is an alarm all the same
        lines = os.read(bell, 4096).decode("ascii").split("\n")
    except BlockingIOError:
        return
    carrier.wake()
    for domain in {line for line in lines if line}:
        carrier.asked(domain)


async def _terminated(spool: LmdbSpool) -> int:
    """Wait for SIGTERM; or for the environment to break, after which only a new process is sound. Returns the exit status."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    while not stop.is_set():
        if spool.broken:
            log.trouble("spool", SpoolUnusable(spool.broken))
            return 1
        with suppress(TimeoutError):
            async with asyncio.timeout(ROUND_S):
                await stop.wait()
    log.stopping()
    return 0


def _run(main: Coroutine[Any, Any, int], post: Post) -> int:
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
