"""What tells admins, with real parts around it, and a clock that only moves when told to; and who listens on the other side."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from backupmx.alerts.crier import Crier, Sources
from backupmx.config import Settings
from backupmx.core import ids
from backupmx.core.finding import Report
from backupmx.core.message import Client, Envelope, Recipient
from backupmx.core.outcome import Delivered, Reply
from backupmx.core.status import DomainView, Primary, PrimaryState, Status, compose
from backupmx.spool.memory import MemorySpool
from backupmx.watch.history import History

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
WINDOW = timedelta(days=10)
DOMAIN = "example.com"


@dataclass
class Web:
    """A web server that keeps what it is sent, and answers with `status`."""

    server: ThreadingHTTPServer
    asked: list[str] = field(default_factory=list)
    """Paths, with what they were asked for."""
    got: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"


@contextmanager
def web(context: ssl.SSLContext | None = None) -> Iterator[Web]:
    """With a certificate, if there is a context."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.do_GET()

        def do_GET(self) -> None:
            found.asked.append(f"{self.command} {self.path}")
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    found = Web(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class House:
    """A spool, a history, a primary's state that tests set, and what tells admins of it."""

    def __init__(self, place: Path, **settings: Any) -> None:
        self.place = place
        self.settings = settings
        self.now = START
        self.primary = Primary(PrimaryState.UP, START)
        self.report = Report()
        self.difference = 0
        self.spool = MemorySpool()
        self.past = History(place / "history.sqlite", (DOMAIN,), START)
        self.crier = self.begin()

    def begin(self) -> Crier:
        """A new one, as after a restart."""
        settings = Settings.model_validate(
            {"hostname": "mx2.example.net", "alerts": self.settings, "domain": {DOMAIN: {"primary": ("mail.example.com",)}}}
        )
        sources = Sources(self.status, self.spool, self.past, lambda: START + timedelta(days=365), lambda: self.report)
        self.crier = Crier(settings, sources, self.place, lambda: self.now)
        return self.crier

    def status(self) -> Status:
        view = DomainView(self.primary, None, WINDOW, "mail.example.com:25")
        return compose("1.0", "mx2.example.net", self.now, self.spool.census(), {DOMAIN: view}, self.difference)

    def down(self, why: str = "connection refused") -> None:
        self.primary = Primary(PrimaryState.DOWN, self.now, why)

    def up(self) -> None:
        self.primary = Primary(PrimaryState.UP, self.now)

    async def look(self, minutes: int = 1) -> None:
        """Once a minute."""
        for _ in range(minutes):
            await self.crier.look()
            self.now += timedelta(minutes=1)

    async def take(self) -> None:
        """A message comes in."""
        intake = self.spool.intake(ids.encode(int(self.now.timestamp() * 1000).to_bytes(16)))
        await intake.write(b"Subject: x\r\n\r\n")
        envelope = Envelope("a@sender.test", (Recipient(f"user@{DOMAIN}", DOMAIN),), Client("192.0.2.1", "client.test"))
        await intake.commit(envelope, self.now)

    async def deliver(self) -> None:
        """The primary takes what waits."""
        taken = Delivered(Reply(250, "2.0.0 taken"), "mail.example.com")
        for lease in await self.spool.lease(DOMAIN, "courier", self.now, self.now + timedelta(hours=1), 100):
            await self.spool.settle(lease, dict.fromkeys(lease.recipients, taken), self.now, self.now)

    def close(self) -> None:
        self.past.close(self.now)


@contextmanager
def house(place: Path, **settings: Any) -> Iterator[House]:
    """With this table `[alerts]`."""
    found = House(place, **settings)
    try:
        yield found
    finally:
        found.close()
