"""A real control server with a real spool behind it, and one message in it; the primary comes back when a test says so."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from structlog.testing import capture_logs

from backupmx import config
from backupmx.alerts.crier import Crier, Sources
from backupmx.amendments import Amendments
from backupmx.config import Settings
from backupmx.control.accounts import Accounts
from backupmx.control.metrics import exposition
from backupmx.control.server import ControlServer
from backupmx.core import ids
from backupmx.core.amendment import Amended, Change, Outline, Sheet
from backupmx.core.finding import About, Report
from backupmx.core.message import Client, Envelope, Recipient
from backupmx.core.outcome import Deferred, Delivered, Reply
from backupmx.core.status import DomainView, Primary, PrimaryState, Status, compose
from backupmx.safekeeping.afar import Afar
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool
from backupmx.watch.history import History

NOW = datetime(2026, 11, 23, 14, 35, tzinfo=UTC)
WINDOW = timedelta(days=5)
CONTENT = b"Subject: x\r\n\r\nhello\r\n"
ID = ids.encode((0x0199AB << 104).to_bytes(16))


FILE = """\
# Our backup
hostname = "mx2.example.net"
spool = "PLACE/spool"

# the office
[domain."example.com"]  # the first
primary = ["mail.example.com:25"]   # in the cellar
holding_window = "5d"
"""


async def nobody_knows(_domain: str, _local: str) -> Reply | None:
    return None


@dataclass
class Running:
    """The server in a thread of its own."""

    started: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    up: bool = False
    now: datetime = NOW
    """What the server's clock says, also for codes of a second factor."""
    report: Report = field(default_factory=Report)
    loop: asyncio.AbstractEventLoop | None = None
    spool: LmdbSpool | None = None
    looked: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    file: Path = Path()
    now_holds: Amendments | None = None
    """The configuration file, to the processes that run now."""
    hindrance: str = ""
    log: Sequence[Mapping[str, Any]] = ()

    @property
    def before(self) -> str:
        """The file as it was at first."""
        return FILE.replace("PLACE", str(self.file.parent))

    def logged(self, verb: str) -> list[tuple[str, str]]:
        """Who did what, of what an admin did."""
        return [(line["by"], line["what"]) for line in self.log if line.get("verb") == verb]

    def take(self) -> tuple[str, ...]:
        """The processes are replaced at once."""
        self.now_holds = Amendments(self.file, config.load(self.file), self.take)
        return ()

    def outlines(self) -> tuple[Outline, ...]:
        assert self.now_holds
        return self.now_holds.outlines()

    def sheet(self, domain: str) -> Sheet:
        assert self.now_holds
        sheet = self.now_holds.sheet(domain)
        return replace(sheet, hindrance=self.hindrance) if self.hindrance else sheet

    def amend(self, change: Change, domain: str, wanted: Mapping[str, str], made_from: str, *, dry_run: bool) -> Amended:
        assert self.now_holds
        return self.now_holds.amend(change, domain, wanted, made_from, dry_run=dry_run)

    async def look_again(self, domain: str) -> None:
        self.looked.append(domain)
        self.report = self.report.renewed(domain, (About("mx", domain).good("looked at anew"),), NOW)

    def resume(self, domain: str) -> bool:
        self.resumed.append(domain)
        return True

    def come_back(self) -> None:
        """The primary is up, and takes what waits for it."""
        assert self.loop and self.spool
        self.up = True
        asyncio.run_coroutine_threadsafe(deliver(self.spool), self.loop).result(20)


async def deliver(spool: LmdbSpool) -> None:
    later = NOW + timedelta(minutes=5)
    for lease in await spool.lease("example.com", "courier", later, later + timedelta(minutes=10), 10):
        taken = Delivered(Reply(250, "2.0.0 Ok: queued as 4cJt1"), "mail.example.com")
        await spool.settle(lease, dict.fromkeys(lease.recipients, taken), NOW, later)


async def serve(place: Path, running: Running) -> None:
    """One message came in two hours ago; its primary deferred it once, and is down since."""
    layout.prepare(place / "spool")
    running.file = place / "backupmx.toml"
    running.file.write_text(FILE.replace("PLACE", str(place)))
    running.take()
    spool = LmdbSpool(place / "spool", owner="courier", reserve=0, map_size=2**24)
    running.spool, running.loop = spool, asyncio.get_running_loop()
    intake = spool.intake(ID)
    await intake.write(CONTENT)
    recipient = Recipient("user@example.com", "example.com")
    await intake.commit(
        Envelope("anna@sender.example", (recipient,), Client("192.0.2.1", "client.example")), NOW - timedelta(hours=2), "x"
    )
    (lease,) = await spool.lease("example.com", "courier", NOW, NOW + timedelta(minutes=10), 1)
    outcome = Deferred(Reply(451, "4.3.0 come back later"), "mail.example.com")
    await spool.settle(lease, {"user@example.com": outcome}, NOW, NOW + timedelta(minutes=5))

    def status() -> Status:
        down = Primary(PrimaryState.DOWN, NOW - timedelta(hours=1), "connection refused")
        primary = Primary(PrimaryState.UP, NOW) if running.up else down
        view = DomainView(primary, NOW + timedelta(seconds=30), WINDOW)
        views = {outline.domain: view for outline in running.outlines()}
        return compose("0.1.0", "mx2.example.net", NOW, spool.census(), views)

    past = History(place / "spool" / "history.sqlite", ("example.com",), NOW)
    settings = Settings.model_validate({"hostname": "mx2.example.net", "domain": {"example.com": {}}})
    crier = Crier(settings, Sources(status, spool, past, lambda: NOW + WINDOW * 20, Report), place, lambda: NOW)
    server = ControlServer(
        place / "c.sock",
        spool,
        status=status,
        wake=lambda: None,
        reload=tuple,
        metrics=lambda: exposition(status(), spool.stats(), crier.counts()),
        clock=lambda: running.now,
        accounts=Accounts(place / "accounts.json"),
        windows={"example.com": WINDOW},
        roll=spool.roll,
        verify=nobody_knows,
        resume=running.resume,
        write_back=lambda *_: None,
        past=past,
        lookout=running,
        alerts=crier,
        amendments=running,
        copies=Afar(running.file, config.load(running.file), lambda: NOW, lambda *_: ()),
        begin_anew=lambda: None,
    )
    await server.start()
    with capture_logs() as running.log:
        running.started.set()
        await asyncio.to_thread(running.stop.wait)
    await server.stop()
    past.close(NOW)
    spool.close()


@contextmanager
def served(place: Path) -> Iterator[Running]:
    """From a thread of its own, at `place`."""
    running = Running()
    thread = threading.Thread(target=asyncio.run, args=(serve(place, running),))
    thread.start()
    try:
        assert running.started.wait(20)
        yield running
    finally:
        running.stop.set()
        thread.join()
