"""A control socket with canned answers, and a queue that looks like an outage in the middle of the week."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from argon2 import PasswordHasher

from backupmx.control.accounts import MEMORY_KIB, Scope
from backupmx.control.protocol import (
    Account,
    AnyAnswer,
    AnyRequest,
    CheckToken,
    Done,
    GetAccount,
    GetMetrics,
    GetStatus,
    Key,
    ListQueue,
    Refused,
    Row,
    ShowMessage,
    StatusAnswer,
    Text,
)
from backupmx.core import ids
from backupmx.core.belief import Acquaintance
from backupmx.core.message import Client, Envelope, Fate, Hold, Message, Progress, Recipient, Schedule
from backupmx.core.status import DomainStatus, Primary, PrimaryState, QueueStatus, Status

NOW = datetime(2026, 11, 23, 14, 35, 7, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
TOKEN = "bmx_a-token-for-tests"
HASH = PasswordHasher(time_cost=2, memory_cost=MEMORY_KIB, parallelism=1).hash(PASSWORD)
CLIENT = Client("203.0.113.7", "mail.sender.example", tls="TLSv1.3 TLS_AES_256_GCM_SHA384")
NO_ROUTE = "451 4.4.1 mail.example.com[192.0.2.25]:25: connection refused"


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def to_come(**length: float) -> datetime:
    return NOW + timedelta(**length)


def row(
    number: int,
    sender: str = "anna@sender.example",
    recipients: tuple[str, ...] = ("office@example.com",),
    said: str | None = NO_ROUTE,
    *,
    size: int = 4096,
    arrived: datetime = NOW - timedelta(minutes=5),
    attempts: int = 1,
    due: datetime = NOW + timedelta(minutes=5),
    owner: str | None = None,
    hold: Hold | None = None,
    damage: str | None = None,
    fates: Mapping[str, Fate] | None = None,
    client: Client = CLIENT,
) -> Row:
    """One message; its domains are those of its recipients."""
    fates = fates or {}
    named = tuple(Recipient(address, address.rpartition("@")[2]) for address in recipients)
    progress = {
        a: Progress(fates.get(a, Fate.PENDING), said, "mail.example.com", ago(minutes=2)) for a in recipients if said is not None
    }
    schedule = {
        r.domain: Schedule(due, attempts, attempts, owner) for r in named if fates.get(r.address, Fate.PENDING) is Fate.PENDING
    }
    message = Message(
        id=ids.encode((0x0199AB3C0000_0000 + number).to_bytes(8) + b"\x7c\x01\x92\x3a\x44\xe1\x00\x05"),
        arrived=arrived,
        size=size,
        chunks=1,
        digest=bytes(16),
        envelope=Envelope(sender, named, client),
        schedule=schedule,
        progress=progress,
        hold=hold,
        damage=damage,
    )
    return Row(message, arrived + timedelta(days=5) if schedule else None)


def domain(
    name: str, state: PrimaryState, since: datetime | None = None, *, messages: int = 0, bytes: int = 0, **more: object
) -> DomainStatus:
    values: dict[str, object] = {
        "domain": name,
        "primary": Primary(state, since, more.pop("last_error", None)),  # type: ignore[arg-type]
        "messages": messages,
        "bytes": bytes,
        "oldest": None,
        "next_attempt": None,
        "holding_window_s": 5 * 86400,
        "held": 0,
        "quarantined": 0,
    }
    return DomainStatus(**(values | more))  # type: ignore[arg-type]


def status(*domains: DomainStatus, time: datetime = NOW, damaged: int = 0) -> Status:
    """A document whose totals fit its domains."""
    return Status(
        version="0.1.0",
        hostname="mx2.example.net",
        time=time,
        queue=QueueStatus(
            messages=sum(d.messages for d in domains),
            bytes=sum(d.bytes for d in domains),
            oldest=min((d.oldest for d in domains if d.oldest), default=None),
            held=sum(d.held for d in domains),
            quarantined=sum(d.quarantined for d in domains),
            damaged=damaged,
        ),
        domains=domains,
    )


QUIET = status(
    domain("example.com", PrimaryState.UP, ago(days=41)),
    domain("example.org", PrimaryState.UP, ago(days=12, hours=3)),
)
OUTAGE = status(
    domain("club.example", PrimaryState.UP, ago(days=41)),
    domain(
        "example.com",
        PrimaryState.DOWN,
        ago(hours=3, minutes=12),
        messages=1187,
        bytes=1_249_000_000,
        oldest=ago(hours=3, minutes=11),
        next_attempt=to_come(seconds=18),
        last_error=NO_ROUTE,
        held=1,
        acquaintance=Acquaintance(known=214, asked=612, answered=596),
    ),
    domain(
        "example.org",
        PrimaryState.UP,
        ago(days=12, hours=3),
        messages=17,
        bytes=331_000,
        oldest=ago(minutes=26),
        next_attempt=to_come(minutes=2),
        quarantined=2,
    ),
)


def outage_rows() -> list[Row]:
    """The newest messages of `OUTAGE`, newest first."""
    greylisted = "450 4.2.0 <info@example.org>: Recipient address rejected: Greylisted, see http://postgrey.example/help"
    return [
        row(
            20, "anna.lindqvist@nordwind.example", ("office@example.com",), None, size=7_312, arrived=ago(seconds=41), attempts=0
        ),
        row(19, "bounces+4711@news.shop.example", ("mira@example.com",), None, size=48_760, arrived=ago(minutes=2), attempts=0),
        row(18, "j.tanaka@kaisha.example", ("sales@example.com", "office@example.com", "mira@example.com"), size=2_411_093),
        row(
            17,
            "billing@hosting.example",
            ("info@example.org",),
            greylisted,
            size=18_220,
            arrived=ago(minutes=26),
            attempts=2,
            due=to_come(minutes=2),
        ),
        row(16, "", ("postmaster@example.com",), size=3_980, arrived=ago(minutes=31)),
        row(15, "noreply@bank.example", ("treasurer@example.org",), None, size=21_555, arrived=ago(seconds=3), owner="courier"),
        row(
            14,
            "ceo@examp1e.com",
            ("accounting@example.com",),
            None,
            size=5_120,
            arrived=ago(hours=1, minutes=4),
            attempts=0,
            hold=Hold("petra", "looks like fraud, asking the sender", ago(minutes=50)),
        ),
        row(
            13,
            "scanner@branch.example",
            ("old.employee@example.org",),
            "550 5.1.1 <old.employee@example.org>: Recipient address rejected: User unknown in local recipient table",
            size=1_048_576,
            arrived=ago(hours=2, minutes=2),
            fates={"old.employee@example.org": Fate.QUARANTINED},
        ),
    ]


@dataclass
class Canned:
    """What the control socket answers; change it at will while it serves."""

    status: Status | None = OUTAGE
    rows: list[Row] = field(default_factory=outage_rows)
    accounts: dict[str, str] = field(default_factory=lambda: {"petra": HASH})
    metrics: str = "# HELP backupmx_build_info x\nbackupmx_build_info 1.0\n"
    asked: list[AnyRequest] = field(default_factory=list)

    def answers(self, request: AnyRequest) -> Iterator[AnyAnswer]:
        self.asked.append(request)
        match request:
            case GetStatus():
                yield StatusAnswer(self.status) if self.status else Refused(("trouble inside; the log has more",))
            case ListQueue():
                rows = self.rows[: request.limit] if request.limit else self.rows
                yield from rows
                yield Done()
            case ShowMessage():
                found = [known for known in self.rows if known.message.id == request.id]
                yield found[0] if found else Refused((f"{request.id}: no such message",))
            case GetMetrics():
                yield Text(self.metrics)
            case GetAccount():
                known = self.accounts.get(request.name)
                yield Account(request.name, "admin", known) if known else Refused(("no such user",))
            case CheckToken():
                yield Key("nagios", Scope.READ) if request.token == TOKEN else Refused(("no such token",))
            case _:
                yield Refused(("not canned",))


@contextmanager
def serving(path: Path, canned: Canned) -> Iterator[None]:
    """Answer at `path` from a thread of its own."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                for answer in canned.answers(msgspec.json.decode(line, type=AnyRequest)):
                    writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        finally:
            writer.transport.abort()

    async def main() -> None:
        async with await asyncio.start_unix_server(converse, str(path)):
            started.set()
            await asyncio.to_thread(stop.wait)

    started, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert started.wait(10)
    try:
        yield
    finally:
        stop.set()
        thread.join()
