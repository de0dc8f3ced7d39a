"""A courier in front of an in-memory spool, with a clock and timers that only move when told to."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from backupmx.config import Settings
from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.core.message import Client, Envelope, Recipient
from backupmx.courier.board import Board
from backupmx.courier.courier import Courier
from backupmx.courier.notifier import Notifier
from backupmx.courier.routes import Routes
from backupmx.courier.transaction import Patience
from backupmx.ports import Chronicle, Spool
from backupmx.recipients.knowledge import Knowledge
from backupmx.spool.memory import MemorySpool

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTENT = b"Received: from a by b\r\nSubject: hello\r\n\r\nhello\r\n"
HASTE = Patience(connect=5, command=5, data=5, block=5, dot=5, quit=1)
_serial = itertools.count()


class Time:
    """A clock that stands, and timers that go off when it is moved."""

    def __init__(self) -> None:
        self.now = START
        self._timers: list[tuple[datetime, int, Callable[[], object]]] = []
        self._cancelled: set[int] = set()

    def clock(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return (self.now - START).total_seconds()

    def timer(self, seconds: float, call: Callable[[], object]) -> "_Handle":
        number = next(_serial)
        heapq.heappush(self._timers, (self.now + timedelta(seconds=seconds), number, call))
        return _Handle(self._cancelled, number)

    async def advance(self, seconds: float) -> None:
        """Let this time pass; what goes off on the way sees the time at which it does."""
        end = self.now + timedelta(seconds=seconds)
        while self._timers and self._timers[0][0] <= end:
            at, number, call = heapq.heappop(self._timers)
            if number not in self._cancelled:
                self.now = max(self.now, at)
                call()
                await breathe()
        self.now = end
        await breathe()


class _Handle:
    def __init__(self, cancelled: set[int], number: int) -> None:
        self._cancelled, self._number = cancelled, number

    def cancel(self) -> None:
        self._cancelled.add(self._number)


async def breathe() -> None:
    """Let everything run that can run without the network."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(holds: Callable[[], object], what: str = "", within: float = 10.0) -> None:
    """Wait for what sockets bring about; fails loudly."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - what is waited for happens beyond a socket
            await asyncio.sleep(0.002)


def settings(primary: Sequence[str] = (), domains: Sequence[str] = ("example.com",), **delivery: Any) -> Settings:
    """A configuration for these domains."""
    return Settings.model_validate(
        {
            "hostname": "mx2.example.net",
            "delivery": delivery,
            "domain": {name: {"primary": tuple(primary)} for name in domains},
        }
    )


def envelope(*recipients: str | Recipient, sender: str = "sender@sender.test", **more: Any) -> Envelope:
    """To these addresses."""
    to = tuple(
        each if isinstance(each, Recipient) else Recipient(each, each.rpartition("@")[2])
        for each in recipients or ("user@example.com",)
    )
    return Envelope(sender, to, Client("192.0.2.7", "client.test"), **more)


async def put(
    spool: Spool, *recipients: str | Recipient, content: bytes = CONTENT, arrived: datetime = START, **more: Any
) -> MessageId:
    """A message in the spool."""
    id = new_id()
    intake = spool.intake(id)
    for start in range(0, len(content), 2**16):
        await intake.write(content[start : start + 2**16])
    await intake.commit(envelope(*recipients, **more), arrived)
    return id


def new_id() -> MessageId:
    return ids.encode(next(_serial).to_bytes(16))


class House:
    """What a test works with."""

    def __init__(
        self,
        spool: Any,
        settings: Settings,
        time: Time,
        patience: Patience,
        routes: Routes | None = None,
        chronicle: Chronicle | None = None,
    ) -> None:
        self.spool = spool
        self.time = time
        self.board = Board(tuple(settings.domains))
        self.knowledge = Knowledge(settings.domains, spool.roll, self.board, time.clock, time.seconds)
        self.courier = Courier(
            settings,
            spool,
            time.clock,
            self.knowledge,
            Notifier(settings, spool.content, new_id),
            board=self.board,
            chronicle=chronicle,
            timer=time.timer,
            seconds=time.seconds,
            patience=patience,
            routes=routes,
        )

    def said(self, id: MessageId, address: str = "user@example.com") -> str:
        """The last words that the spool has for a recipient."""
        message = self.spool.get(id)
        return message.progress[address].said if message and address in message.progress else ""

    def primary(self, domain: str = "example.com") -> str:
        return str(self.courier.views()[domain].primary.state)

    def empty(self) -> bool:
        return not self.spool.census().total


async def acquainted(at: House, messages: int = 1) -> None:
    """The primary has taken mail since we began: its refusals are believed."""
    for _ in range(messages):
        await put(at.spool, "first@example.com")
    at.courier.wake()
    await until(at.empty, "the first ones")


@asynccontextmanager
async def house(
    settings: Settings,
    spool: Spool | None = None,
    time: Time | None = None,
    patience: Patience = HASTE,
    routes: Routes | None = None,
    chronicle: Chronicle | None = None,
) -> AsyncIterator[House]:
    """A running courier, stopped at the end."""
    made = House(spool or MemorySpool(), settings, time or Time(), patience, routes, chronicle)
    running = asyncio.create_task(made.courier.run())
    try:
        yield made
    finally:
        await made.courier.stop(timedelta(seconds=5))
        await running
