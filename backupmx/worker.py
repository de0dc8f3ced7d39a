"""One edge worker: what a process that takes mail from strangers is made of.

Knows: the rooms that it needs, and how they are wired to each other.
Does not know: how processes are started and watched, and any decision.
"""

import asyncio
import time
from functools import partial
from socket import socket

from backupmx.admission.admission import Admission
from backupmx.admission.sender import Senders
from backupmx.bell import Bell
from backupmx.config import Settings
from backupmx.courier.client import Dialler
from backupmx.courier.relay import PATIENCE, Relay
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Routes
from backupmx.edge.certificate import Certificate
from backupmx.edge.server import Edge
from backupmx.errors import ConfigurationError
from backupmx.processes import GRACE, Shared, nobody, now, open_spool, remember, run, terminated
from backupmx.recipients.callouts import Callouts
from backupmx.recipients.knowledge import Knowledge
from backupmx.spool.store import LmdbSpool
from backupmx.supervisor import Post
from backupmx.watch import log, metrics

TRACK_S = 1.0
"""How often it is written down what primaries took in the session."""
RENEWAL_S = 60.0
"""How often the files of the certificate are looked at."""


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
    return run(_edge(settings, number, sockets, shared, tls, pipe, post), post)


async def _edge(
    settings: Settings, number: int, sockets: list[socket], shared: Shared, tls: Certificate, pipe: int, post: Post
) -> int:
    spool = open_spool(settings, f"edge{number}")
    spool.sweep(f"edge{number}")
    ring = Bell(pipe)
    knowledge = Knowledge(settings.domains, spool.roll, shared.board, now, time.monotonic)
    relay = Relay(
        Routes(settings, Resolver(settings.dns.nameservers)),
        Dialler(settings.hostname, PATIENCE),
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
        asyncio.create_task(remember(knowledge)),
        asyncio.create_task(_track(door, spool)),
    ]
    status = await terminated(spool, post)
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
