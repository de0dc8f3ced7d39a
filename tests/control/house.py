"""A control server over a real spool, in a loop of its own, for tests that ask from outside."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop
from structlog.testing import capture_logs

from backupmx.alerts.crier import Crier, Sources
from backupmx.amendments import Amendments
from backupmx.config import Alerts, Settings
from backupmx.control.accounts import Accounts
from backupmx.control.client import ControlClient
from backupmx.control.metrics import exposition
from backupmx.control.server import ControlServer
from backupmx.core import ids
from backupmx.core.belief import Acquaintance, Learned
from backupmx.core.finding import About, Report
from backupmx.core.ids import MessageId
from backupmx.core.message import Client, Envelope, Proof, Recipient
from backupmx.core.outcome import Deferred, Failed, Reply
from backupmx.core.roll import MOST_LOST, Lists
from backupmx.core.status import DomainView, Primary, PrimaryState, Status, compose
from backupmx.courier.notifier import Notifier
from backupmx.safekeeping.afar import Afar
from backupmx.spool.memory import MemorySpool
from backupmx.watch.history import History

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=2)
UP = Primary(PrimaryState.UP)
WINDOWS = {"one.example": timedelta(days=10), "two.example": timedelta(days=3)}


SETTINGS = Settings.model_validate({"hostname": "mx2.example.net", "domain": {name: {} for name in WINDOWS}})
FILE = 'hostname = "mx2.example.net"\n' + "".join(f'\n[domain."{name}"]  # {name}\n' for name in WINDOWS)
_serial = itertools.count(0x0198 << 112)


def an_id_of_ours() -> MessageId:
    """For what is written by the house itself."""
    return ids.encode(next(_serial).to_bytes(16))


def an_id(number: int) -> MessageId:
    """Ids in the order of their numbers; those of one block of 32 differ in the last letter alone."""
    return ids.encode(((0x0197 << 112) + number).to_bytes(16))


@dataclass
class House:
    """A spool, a control server on it, and what the server asked of the house around it."""

    path: Path
    spool: Any = field(default_factory=MemorySpool)
    replies: dict[str, Reply | None] = field(default_factory=dict)
    """What the primary says to each address; to all others, that there is no such user."""
    acquaintance: Acquaintance | None = None
    split: int = 0
    problems: tuple[str, ...] = ()
    woken: int = 0
    resumed: list[str] = field(default_factory=list)
    primary: Primary = UP
    tick: Callable[[], float] = lambda: 0.0
    """What the clock says that is never set."""
    difference: int = 0
    past: Any = None
    report: Report = field(default_factory=Report)
    now: datetime = NOW
    alert_urls: tuple[str, ...] = ()
    alerts: Any = None
    logged: Sequence[Mapping[str, Any]] = ()
    loop: asyncio.AbstractEventLoop | None = None

    looked: list[str] = field(default_factory=list)
    taken: int = 0

    @property
    def file(self) -> Path:
        return self.path / "backupmx.toml"

    @property
    def client(self) -> ControlClient:
        return ControlClient(self.path / "c.sock", timeout_s=20)

    @property
    def roll(self) -> Any:
        return self.spool.roll

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.path / "spool" / "accounts.json")

    def status(self) -> Status:
        views = {
            name: DomainView(self.primary, None, window, "mail.example", self.acquaintance, self.split)
            for name, window in WINDOWS.items()
        }
        return compose("1.0", "mx2.example.net", NOW, self.spool.census(), views, self.difference)

    def server(self, **other: Any) -> ControlServer:
        return ControlServer(
            **{
                "path": self.path / "c.sock",
                "spool": self.spool,
                "status": self.status,
                "wake": self._wake,
                "reload": lambda: self.problems,
                "metrics": lambda: exposition(self.status(), self.spool.stats(), self.alerts.counts()),
                "clock": lambda: self.now,
                "accounts": self.accounts,
                "windows": WINDOWS,
                "roll": self.roll,
                "verify": self._verify,
                "resume": self._resume,
                "write_back": Notifier(SETTINGS, self.spool.content, an_id_of_ours).bounced,
                "past": self.past,
                "lookout": self,
                "amendments": Amendments(self.file, SETTINGS, self._take),
                "alerts": self.alerts,
                "copies": Afar(
                    self.file, SETTINGS.model_copy(update={"spool": self.path / "spool"}), lambda: self.now, lambda *_: ()
                ),
                "begin_anew": lambda: None,
                "seconds": lambda: self.tick(),  # noqa: PLW0108 - a test may set it later
            }
            | other
        )

    def crier(self) -> Crier:
        """What tells admins, with a file in the house's directory."""
        settings = SETTINGS.model_copy(update={"alerts": Alerts(urls=self.alert_urls)})
        sources = Sources(self.status, self.spool, self.past, lambda: NOW + timedelta(days=90), lambda: self.report)
        return Crier(settings, sources, self.path, lambda: self.now)

    def do(self, work: Any) -> Any:
        """Run a coroutine where the server runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def take(
        self,
        number: int,
        sender: str = "sender@elsewhere.example",
        to: tuple[str, ...] = ("user@one.example",),
        arrived: datetime = NOW,
        helo: str = "client.example",
        proof: Proof = Proof.NONE,
        subject: str = "x",
        content: bytes | None = None,
    ) -> MessageId:
        """A message comes in."""

        async def accept() -> None:
            intake = self.spool.intake(an_id(number))
            await intake.write(content if content is not None else b"Subject: x\r\n\r\n" + b"x" * number + b"\r\n")
            recipients = tuple(Recipient(address, address.rpartition("@")[2]) for address in to)
            await intake.commit(Envelope(sender, recipients, Client("192.0.2.1", helo), proof=proof), arrived, subject)

        self.do(accept())
        return an_id(number)

    def try_all(self, said: str, fail: bool = False, domain: str = "one.example") -> None:
        """The courier attempts everything that is due; the primary says this to each recipient."""

        async def attempt() -> None:
            outcome = (Failed if fail else Deferred)(Reply(550 if fail else 451, said), "mail.example")
            for lease in await self.spool.lease(domain, "courier", NOW, NOW + timedelta(minutes=10), 100):
                await self.spool.settle(lease, dict.fromkeys(lease.recipients, outcome), NOW, NOW + timedelta(minutes=5))

        self.do(attempt())

    def learn(self, domain: str, **learned: Learned) -> None:
        """What primaries said before."""
        self.do(self.roll.learn(domain, learned))

    def put_list(self, domain: str, *locals_: str) -> Lists:
        """A list that came some other way."""

        async def put() -> Lists:
            number = await self.roll.begin_list(domain)
            await self.roll.enlist(domain, number, locals_)
            return await self.roll.close_list(domain, number, MOST_LOST)

        return self.do(put())

    def listed(self, domain: str) -> list[str]:
        """Today's list."""
        return [entry.local for entry in self.roll.page(domain, "", 100_000) if entry.listed]

    async def _verify(self, domain: str, local: str) -> Reply | None:
        return self.replies.get(f"{local}@{domain}", Reply(550, "5.1.1 no such user"))

    def _resume(self, domain: str) -> bool:
        self.resumed.append(domain)
        return domain in WINDOWS

    async def look_again(self, domain: str) -> None:
        self.looked.append(domain)
        self.report = self.report.renewed(domain, (About("mx", domain).good("as it should be"),), self.now)

    def _take(self) -> tuple[str, ...]:
        self.taken += not self.problems
        return self.problems

    def _wake(self) -> None:
        self.woken += 1


@contextmanager
def closing_past(house: House) -> Iterator[None]:
    """How things went, in a file of its own."""
    house.past = History(house.path / "history.sqlite", tuple(WINDOWS), LONG_AGO)
    try:
        yield
    finally:
        house.past.close(NOW)


@contextmanager
def running(path: Path, spool: Any, alert_urls: tuple[str, ...] = ()) -> Iterator[House]:
    """The house, with its server taking connections."""
    (path / "backupmx.toml").write_text(FILE)
    house = House(path, spool, loop=uvloop.new_event_loop(), alert_urls=alert_urls)
    thread = threading.Thread(target=house.loop.run_forever)
    thread.start()
    # what the server logs must not mix with what the command line prints beside it
    try:
        with capture_logs() as house.logged, closing_past(house):
            house.alerts = house.crier()
            server = house.server()
            house.do(server.start())
            yield house
            house.do(server.stop())
    finally:
        house.loop.call_soon_threadsafe(house.loop.stop)
        thread.join(20)
        house.loop.close()
