"""What each process of ours is made of: an edge worker, the courier.

Knows: the rooms that a process needs, and how they are wired to each other.
Does not know: how processes are started and watched.
"""

import asyncio
import gc
import os
import secrets
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any

import uuid_utils
import uvloop
from msgspec.structs import replace

from backupmx import __version__, allocator, bell
from backupmx.admission.admission import Admission
from backupmx.admission.returns import Returns
from backupmx.admission.sender import Senders
from backupmx.alerts.crier import Crier, Sources
from backupmx.annals import Annals
from backupmx.app import ask_for_reload
from backupmx.bell import Bell
from backupmx.checks.port25 import Came
from backupmx.checks.primary import PATIENCE as CHECK_PATIENCE
from backupmx.checks.round import Round, Told
from backupmx.checks.watchman import Watchman
from backupmx.config import Settings
from backupmx.control.accounts import Accounts
from backupmx.control.metrics import exposition
from backupmx.control.server import ControlServer
from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.core.outcome import Reply
from backupmx.core.status import Status, compose
from backupmx.core.track import KEPT, Wanted
from backupmx.courier.board import Board
from backupmx.courier.client import Dialler
from backupmx.courier.courier import Courier
from backupmx.courier.notifier import Notifier
from backupmx.courier.relay import PATIENCE as RELAY_PATIENCE
from backupmx.courier.relay import Relay
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Routes
from backupmx.edge.certificate import Certificate
from backupmx.edge.server import Edge
from backupmx.edge.tally import Tally
from backupmx.errors import ConfigurationError, SpoolUnusable
from backupmx.recipients.callouts import Callouts
from backupmx.recipients.knowledge import Knowledge
from backupmx.recipients.upkeep import Upkeep
from backupmx.spool.store import LmdbSpool
from backupmx.supervisor import Post
from backupmx.watch import log, metrics

GRACE = timedelta(seconds=30)
"""How long sessions in the middle of data may take after SIGTERM."""
COLLECT = (20_000, 20, 20)
"""The collector's thresholds: with the default ones it ran at every seventh message."""
LEARN_S = 1.0
"""How often what was learned of recipients is written down."""
TRACK_S = 1.0
"""How often it is written down what primaries took in the session."""
SWEEP_MINUTES = 60
ALERT_MINUTES = 1
DIRECTORY_MINUTES = 1
"""How often it is looked whether a directory's time has come."""
CHECK_MINUTES = 15
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


def edge(
    settings: Settings,
    log_format: log.Format,
    number: int,
    sockets: list[socket],
    shared: Shared,
    tls: Certificate,
    pipe: int,
    post: Post,
) -> int:
    """One edge worker, until SIGTERM."""
    log.set_up(log_format, f"edge{number}")
    return _run(_edge(settings, number, sockets, shared, tls, pipe, post), post)


async def _edge(
    settings: Settings, number: int, sockets: list[socket], shared: Shared, tls: Certificate, pipe: int, post: Post
) -> int:
    spool = _spool(settings, f"edge{number}")
    spool.sweep(f"edge{number}")
    ring = Bell(pipe)
    knowledge = Knowledge(settings.domains, spool.roll, shared.board, now, time.monotonic)
    relay = Relay(
        Routes(settings, Resolver(settings.dns.nameservers)),
        Dialler(settings.hostname, RELAY_PATIENCE),
        shared.board,
        ring.tell,
        max(1, settings.delivery.max_connections_per_route // shared.workers),
    )
    callouts = Callouts(relay, knowledge, nobody)
    senders = Senders(settings.dns.nameservers, partial(log.trouble, "sender"))
    door = Edge(
        settings=settings.smtp,
        hostname=settings.hostname,
        spool=spool,
        admission=Admission(settings.domains, knowledge, callouts, relay, shared.returns, now),
        tally=shared.tally.row(number),
        clock=now,
        wake=ring.ring,
        ask=ring.ask,
        prove=senders.prove,
        tls=tls.context,
    )
    await asyncio.to_thread(knowledge.look)
    await door.start(sockets)
    chores = [
        asyncio.create_task(_renew(tls)),
        asyncio.create_task(_remember(knowledge)),
        asyncio.create_task(_track(door, spool)),
    ]
    post.ready()
    status = await _terminated(spool)
    for chore in chores:
        chore.cancel()
    await door.stop(GRACE)
    await _write_track(door, spool)
    await senders.close()
    await callouts.close()
    await relay.close()
    await knowledge.write()
    spool.close()
    return status


def new_id() -> MessageId:
    """For what we write ourselves."""
    return ids.encode(uuid_utils.uuid7().bytes)


def nobody() -> str:
    """A local part that no person has: who takes it takes everybody."""
    return f"no-such-user-{secrets.token_hex(8)}"


async def _remember(knowledge: Knowledge) -> None:
    """Write down together what was learned of recipients, and read lists that changed."""
    while True:
        await asyncio.to_thread(knowledge.look)
        await knowledge.write()
        await asyncio.sleep(LEARN_S)


async def _track(door: Edge, spool: LmdbSpool) -> None:
    """Write down together what primaries took in the session."""
    while True:
        await _write_track(door, spool)
        await asyncio.sleep(TRACK_S)


async def _write_track(door: Edge, spool: LmdbSpool) -> None:
    noted = door.take_noted()
    try:
        # history gets nothing of what is left for mail
        if spool.room():
            await spool.track.note(noted)
    except Exception as error:  # noqa: BLE001 - the primary has it, whatever is known of that here
        log.trouble("track", error)


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


def courier(
    settings: Settings, log_format: log.Format, path: Path, shared: Shared, tls: Certificate, pipe: int, post: Post
) -> int:
    """The courier and the control socket, until SIGTERM."""
    log.set_up(log_format, "courier")
    return _run(_courier(settings, path, shared, tls, pipe, post), post)


async def _courier(settings: Settings, path: Path, shared: Shared, tls: Certificate, pipe: int, post: Post) -> int:
    spool = _spool(settings, "courier")
    knowledge = Knowledge(settings.domains, spool.roll, shared.board, now, time.monotonic)
    upkeep = Upkeep(settings.domains, spool.roll, shared.board, now)

    async def forget() -> None:
        await spool.track.sweep(now() - KEPT)

    prober = Dialler(settings.hostname, CHECK_PATIENCE)

    def look_around() -> Round:
        views = carrier.views()
        newest = spool.track.page(Wanted(), None, 1).lives
        told = Told(
            {domain: view.primary for domain, view in views.items()},
            {domain: knowledge.acquaintance(domain) for domain in views},
            {domain: knowledge.some(domain) for domain in views},
            Came(newest[0].client.address, newest[0].arrived) if newest else None,
        )
        return Round(settings, prober, now, told, settings.spool / "mta-sts")

    def status() -> Status:
        views = {
            domain: replace(view, acquaintance=knowledge.acquaintance(domain), split=sum(spool.roll.returns(domain).values()))
            for domain, view in carrier.views().items()
        }
        return compose(__version__, settings.hostname, now(), spool.census(), views, annals.balance.difference)

    watchman = Watchman(look_around, now)
    annals = Annals(settings, spool, now)
    facts = Sources(status, spool, annals.past, partial(_expires, tls), lambda: watchman.report)
    crier = Crier(settings, facts, settings.spool, now)
    chores = (
        (upkeep.sweep, SWEEP_MINUTES),
        (upkeep.ask_directories, DIRECTORY_MINUTES),
        (forget, SWEEP_MINUTES),
        (watchman.look, CHECK_MINUTES),
        (crier.look, ALERT_MINUTES),
        *annals.chores,
    )

    def learn(domain: str, local: str, reply: Reply) -> None:
        # a no to somebody's message may be one to its sender: it is asked again in our own name
        if reply.positive:
            knowledge.learn(domain, local, reply)
        else:
            callouts.refresh(domain, local)

    notifier = Notifier(settings, spool.content, new_id)
    carrier = Courier(
        settings=settings,
        spool=spool,
        clock=now,
        acquaintances=knowledge,
        notifier=notifier,
        board=shared.board,
        learn=learn,
        chronicle=annals.past,
        chores=chores,
    )
    relay = Relay(
        Routes(settings, Resolver(settings.dns.nameservers)),
        Dialler(settings.hostname, RELAY_PATIENCE),
        shared.board,
        carrier.told,
        1,
    )
    callouts = Callouts(relay, knowledge, nobody)

    async def verify(domain: str, local: str) -> Reply | None:
        replies = await relay.verify(domain, (local,))
        if replies:
            knowledge.learn(domain, local, replies[0])
        return replies[0] if replies else None

    server = ControlServer(
        settings.control.socket,
        spool,
        status=status,
        wake=carrier.wake,
        reload=lambda: ask_for_reload(path),
        metrics=lambda: exposition(status(), spool.stats(), crier.counts()),
        clock=now,
        accounts=Accounts(settings.spool / "accounts.json"),
        windows={name: domain.holding_window for name, domain in settings.domains.items()},
        roll=spool.roll,
        verify=verify,
        resume=carrier.resume,
        write_back=notifier.bounced,
        past=annals.past,
        report=lambda: watchman.report,
        alerts=crier,
    )
    loop = asyncio.get_running_loop()
    loop.add_reader(pipe, lambda: _heard(pipe, carrier, crier))
    await server.start()
    running = asyncio.create_task(carrier.run())
    # a courier that ends unasked takes the process along: the supervisor starts it anew
    running.add_done_callback(lambda task: os._exit(1) if not task.cancelled() and task.exception() else None)
    remembering = [asyncio.create_task(_remember(knowledge)), asyncio.create_task(annals.keep())]
    post.ready()
    outcome = await _terminated(spool)
    await carrier.stop()
    await server.stop()
    for task in remembering:
        task.cancel()
    await callouts.close()
    await relay.close()
    await knowledge.write()
    annals.close()
    spool.close()
    return outcome


def _spool(settings: Settings, owner: str) -> LmdbSpool:
    return LmdbSpool(settings.spool, owner=owner, reserve=int(settings.reserve), on_commit=metrics.COMMIT_SECONDS.observe)


def _expires(tls: Certificate) -> datetime:
    """When the certificate that senders see expires; what is wrong with new files the edge tells."""
    with suppress(ConfigurationError):
        tls.renew()
    return tls.expires


def _heard(pipe: int, carrier: Courier, crier: Crier) -> None:
    said = bell.heard(pipe)
    if said is None:
        return
    carrier.wake()
    for what, domain in said:
        if what == bell.ETRN:
            carrier.asked(domain)
        elif what == bell.DIED:
            crier.died(domain)
        else:
            carrier.told(what, domain)


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
