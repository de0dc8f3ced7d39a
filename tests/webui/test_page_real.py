"""The page on a real control server with a real spool behind it."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from canned import PASSWORD
from flask.testing import FlaskClient
from visitor import token_in, words_of

from backupmx.control.accounts import Accounts, Role
from backupmx.control.client import ControlClient
from backupmx.control.metrics import exposition
from backupmx.control.server import ControlServer
from backupmx.core import ids
from backupmx.core.message import Client, Envelope, Recipient
from backupmx.core.outcome import Deferred, Reply
from backupmx.core.status import DomainView, Primary, PrimaryState, Status, compose
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool
from webui.app import create_app

NOW = datetime(2026, 11, 23, 14, 35, tzinfo=UTC)
WINDOW = timedelta(days=5)
ID = ids.encode((0x0199AB << 104).to_bytes(16))


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
    )
    await server.start()
    started.set()
    await asyncio.to_thread(stop.wait)
    await server.stop()
    spool.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Path]:
    started, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(serve(tmp_path, started, stop),))
    thread.start()
    try:
        assert started.wait(20)
        yield tmp_path
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def visitor(house: Path) -> FlaskClient:
    return create_app(ControlClient(house / "c.sock", 20)).test_client()


def test_what_came_in_is_on_the_page(house: Path, visitor: FlaskClient) -> None:
    """I8: from the spool to the page with a user's password, and with a token to the API, the same figures."""
    accounts = Accounts(house / "accounts.json")
    accounts.set_user("petra", Role.VIEWER, PASSWORD)
    token = accounts.create_token("nagios", NOW)
    form = {"name": "petra", "password": PASSWORD, "csrf_token": token_in(visitor.get("/login"))}
    assert visitor.post("/login", data=form).status_code == 302
    words = words_of(visitor.get("/"))
    assert "The primary of example.com has been down for 1 h; 1 message (21 B) is safe; the oldest has 4 d 22 h left." in words
    assert f"user@example.com from anna@sender.example {ID} 21 B 2 h" in words
    assert "4.3.0 come back later" in words
    assert "goes as soon as the primary is back; kept until 28 Nov, 12:35 UTC" in words_of(visitor.get(f"/message/{ID}"))
    program = create_app(ControlClient(house / "c.sock", 20)).test_client()
    bearer = {"Authorization": f"Bearer {token}"}
    status = program.get("/api/v1/status", headers=bearer).json
    assert status and status["queue"]["messages"] == 1
    listed = program.get("/api/v1/queue?state=waiting", headers=bearer).json
    assert listed and listed[0]["queue_id"] == ID and listed[0]["attempts"] == 1
    assert program.get("/api/v1/queue?state=held", headers=bearer).json == []
    assert 'backupmx_queue_messages{domain="example.com",state="waiting"} 1.0' in program.get("/metrics", headers=bearer).text
    assert program.get("/healthz").status_code == 200
    accounts.remove_user("petra")
    assert visitor.get("/").status_code == 302
