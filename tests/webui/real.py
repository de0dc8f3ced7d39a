"""A real control server with a real spool behind it, and one message in it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backupmx.control.accounts import Accounts
from backupmx.control.metrics import exposition
from backupmx.control.server import ControlServer
from backupmx.core import ids
from backupmx.core.message import Client, Envelope, Recipient
from backupmx.core.outcome import Deferred, Reply
from backupmx.core.status import DomainView, Primary, PrimaryState, Status, compose
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool

NOW = datetime(2026, 11, 23, 14, 35, tzinfo=UTC)
WINDOW = timedelta(days=5)
ID = ids.encode((0x0199AB << 104).to_bytes(16))


async def nobody_knows(_domain: str, _local: str) -> Reply | None:
    return None


async def serve(place: Path, started: threading.Event, stop: threading.Event) -> None:
    """One message came in two hours ago; its primary deferred it once, and is down since."""
    layout.prepare(place / "spool")
    spool = LmdbSpool(place / "spool", owner="courier", reserve=0, map_size=2**24)
    intake = spool.intake(ID)
    await intake.write(b"Subject: x\r\n\r\nhello\r\n")
    recipient = Recipient("user@example.com", "example.com")
    await intake.commit(
        Envelope("anna@sender.example", (recipient,), Client("192.0.2.1", "client.example")), NOW - timedelta(hours=2)
    )
    (lease,) = await spool.lease("example.com", "courier", NOW, NOW + timedelta(minutes=10), 1)
    outcome = Deferred(Reply(451, "4.3.0 come back later"), "mail.example.com")
    await spool.settle(lease, {"user@example.com": outcome}, NOW, NOW + timedelta(minutes=5))

    def status() -> Status:
        primary = Primary(PrimaryState.DOWN, NOW - timedelta(hours=1), "connection refused")
        view = DomainView(primary, NOW + timedelta(seconds=30), WINDOW)
        return compose("0.1.0", "mx2.example.net", NOW, spool.census(), {"example.com": view})

    server = ControlServer(
        place / "c.sock",
        spool,
        status=status,
        wake=lambda: None,
        reload=tuple,
        metrics=lambda: exposition(status(), spool.stats()),
        clock=lambda: NOW,
        accounts=Accounts(place / "accounts.json"),
        windows={"example.com": WINDOW},
        roll=spool.roll,
        verify=nobody_knows,
        resume=lambda _domain: True,
    )
    await server.start()
    started.set()
    await asyncio.to_thread(stop.wait)
    await server.stop()
    spool.close()


@contextmanager
def served(place: Path) -> Iterator[None]:
    """From a thread of its own, at `place`."""
    started, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(serve(place, started, stop),))
    thread.start()
    try:
        assert started.wait(20)
        yield
    finally:
        stop.set()
        thread.join()
