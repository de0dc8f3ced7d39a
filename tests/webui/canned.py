"""A control socket with canned answers."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from past import FINDINGS, OUTAGES, STATS, booked, history, lives_gone, months, records
from protected import AMENDED, LISTS, OUTLINES, sheet
from samples import CONTENT, NOW, OUTAGE, ago, outage_rows

from backupmx.control.accounts import Role, Scope
from backupmx.control.answers import (
    Account,
    AccountsAnswer,
    AlertsAnswer,
    AmendedAnswer,
    AnyAnswer,
    BooksAnswer,
    Counted,
    DomainAnswer,
    DomainsAnswer,
    Done,
    FindingsAnswer,
    HistoryAnswer,
    Key,
    LifeRow,
    Person,
    Piece,
    RecipientRow,
    Refused,
    ReportAnswer,
    Row,
    SetupAnswer,
    SpoolStatsAnswer,
    StatusAnswer,
    TestedAnswer,
    Text,
)
from backupmx.control.passwords import hasher
from backupmx.control.requests import (
    MOVES,
    Act,
    ActMatching,
    AmendDomain,
    AnyRequest,
    CheckToken,
    CountMatching,
    GetAccount,
    GetAccounts,
    GetAlerts,
    GetBooks,
    GetDomain,
    GetDomains,
    GetFindings,
    GetHistory,
    GetMetrics,
    GetRecipient,
    GetReport,
    GetSetup,
    GetSpoolStats,
    GetStatus,
    ListQueue,
    ListRecipients,
    MuteAlerts,
    ReadMessage,
    ShowMessage,
    TestAlerts,
    TrackMessages,
    Verb,
)
from backupmx.core import ids, track
from backupmx.core.amendment import Amended
from backupmx.core.belief import Word
from backupmx.core.finding import NAMES, Finding
from backupmx.core.history import Outage
from backupmx.core.status import Status
from backupmx.core.track import Life, Record

PASSWORD = "correct horse battery staple"
TOKEN = "bmx_a-token-for-tests"
HASH = hasher().hash(PASSWORD)


@dataclass
class Canned:
    """What the control socket answers; change it at will while it serves."""

    status: Status | None = OUTAGE
    rows: list[Row] = field(default_factory=outage_rows)
    gone: list[Life] = field(default_factory=lives_gone)
    records: dict[str, Record] = field(default_factory=lambda: records(outage_rows()))
    accounts: dict[str, str] = field(default_factory=lambda: {"petra": HASH})
    role: str = "admin"
    metrics: str = "# HELP backupmx_build_info x\nbackupmx_build_info 1.0\n"
    content: bytes = CONTENT
    outages: tuple[Outage, ...] = OUTAGES
    findings: tuple[Finding, ...] = FINDINGS
    matching: int = 1204
    """Messages that a filter means, where it is not known from `rows`."""
    counted: bool = True
    batch: int = 1000
    slow: float = 0
    """Seconds that a batch takes."""
    page: int | None = None
    """After so many rows a listing says that its time is over."""
    alerts: AlertsAnswer = field(default_factory=lambda: AlertsAnswer((), ("mailto://smtp.example.net",), None))
    tested: TestedAnswer = field(default_factory=lambda: TestedAnswer(()))
    hindrance: str = ""
    """Why the configuration file cannot be changed."""
    amended: Amended = AMENDED
    silent: tuple[type, ...] = ()
    """Questions that are refused."""
    asked: list[AnyRequest] = field(default_factory=list)

    def answers(self, request: AnyRequest) -> Iterator[AnyAnswer]:  # noqa: C901, PLR0912 - one line a request
        self.asked.append(request)
        if isinstance(request, self.silent):
            yield Refused(("trouble inside; the log has more",))
            return
        match request:
            case GetStatus():
                yield StatusAnswer(self.status) if self.status else Refused(("trouble inside; the log has more",))
            case ListQueue():
                yield from self._listed(request)
            case ShowMessage():
                found = [known for known in self.rows if known.message.id == request.id]
                yield found[0] if found else Refused((f"{request.id}: no such message",))
            case TrackMessages():
                yield from self._lives(request)
            case ReadMessage():
                here = any(known.message.id == request.id for known in self.rows)
                read = self.content.partition(b"\r\n\r\n")[0] if request.header_only else self.content
                yield from (
                    [Piece(read[:30]), Piece(read[30:]), Done()] if here else [Refused((f"{request.id}: no such message",))]
                )
            case Act():
                yield Done(tuple(known.message.id for known in self._moved(request)))
            case CountMatching():
                yield Counted(self.matching, self.counted, NOW)
            case ActMatching():
                time.sleep(self.slow)
                yield self._act(request)
            case GetHistory():
                yield HistoryAnswer(history(request.span, self.outages))
            case GetBooks():
                yield BooksAnswer(booked())
            case GetReport():
                yield ReportAnswer(months(), ago(days=20))
            case GetFindings():
                yield FindingsAnswer(self.findings, ago(minutes=4))
            case GetDomains():
                yield DomainsAnswer(OUTLINES)
            case GetDomain():
                found = tuple(each for each in self.findings if each.subject == request.domain or each.topic in NAMES)
                yield DomainAnswer(sheet(request.domain, self.hindrance), LISTS, found, ago(minutes=4), looking=False)
            case ListRecipients():
                yield Done()
            case GetRecipient():
                yield RecipientRow(request.domain, request.local, Word.KNOWN, 3600, "250 ok", listed=True)
            case AmendDomain():
                yield AmendedAnswer(self.amended)
            case GetSpoolStats():
                yield SpoolStatsAnswer(STATS)
            case GetMetrics():
                yield Text(self.metrics)
            case GetAlerts():
                yield self.alerts
            case TestAlerts():
                yield self.tested
            case MuteAlerts():
                yield Done()
            case GetAccounts():
                yield AccountsAnswer(tuple(Person(name, Role(self.role), None, 0) for name in self.accounts), ())
            case GetAccount():
                known = self.accounts.get(request.name)
                yield Account(request.name, self.role, known) if known else Refused(("no such user",))
            case GetSetup():
                yield SetupAnswer(open=False)
            case CheckToken():
                yield Key("nagios", Scope.READ) if request.token == TOKEN else Refused(("no such token",))
            case _:
                yield Refused(("not canned",))

    def _listed(self, request: ListQueue) -> Iterator[AnyAnswer]:
        rows = [
            known
            for known in self.rows
            if (request.after is None or known.message.id < request.after)
            and (request.filter.state is None or known.message.state() is request.filter.state)
            and (request.filter.domain is None or request.filter.domain in known.message.domains())
            and (request.filter.sender is None or request.filter.sender in known.message.envelope.sender)
        ]
        limit = min(request.limit or len(rows), len(rows) if self.page is None else self.page)
        yield from rows[:limit]
        yield Done(after=rows[limit - 1].message.id if 0 < limit < len(rows) else None)

    def _lives(self, request: TrackMessages) -> Iterator[AnyAnswer]:
        here = (track.life(known.message.id, known.message, self.records.get(known.message.id)) for known in self.rows)
        lives = sorted([*filter(None, here), *self.gone], key=lambda life: life.id, reverse=True)
        found = [life for life in lives if track.matches(request.wanted, life) and (not request.after or life.id < request.after)]
        limit = min(request.limit or len(found), len(found) if self.page is None else self.page)
        yield from map(LifeRow, found[:limit])
        yield Done(after=found[limit - 1].id if 0 < limit < len(found) else None)

    def _moved(self, request: Act) -> list[Row]:
        moved = [known for known in self.rows if known.message.id in request.ids and known.message.state() in MOVES[request.verb]]
        if request.verb is Verb.DELETE:
            self.rows = [known for known in self.rows if known not in moved]
        return moved

    def _act(self, request: ActMatching) -> Done:
        """So many at a time of `matching`; where it is, is in the last octets of `after`."""
        done = int.from_bytes(ids.decode(request.after)) if request.after else 0
        count = min(self.batch, self.matching - done)
        after = ids.encode((done + count).to_bytes(16)) if done + count < self.matching else None
        return Done(tuple(ids.encode(number.to_bytes(16)) for number in range(count)), after)


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
