"""The answering side of the control socket: one line a request, newline-delimited JSON.

Knows: the protocol, and who answers which part of it.
Does not know: who asks, what a terminal or a page is, how mail is delivered.

Whoever can open the socket may ask anything: its mode (0660) and its group are the guard.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import msgspec

from backupmx.control import place
from backupmx.control.accounting import AccountsDesk
from backupmx.control.accounts import Accounts
from backupmx.control.admin import Admin, WriteBack
from backupmx.control.alerting import AlertsDesk
from backupmx.control.answers import AnyAnswer, Done, FindingsAnswer, Refused, SpoolStatsAnswer, StatusAnswer, Text
from backupmx.control.domains import DomainsDesk
from backupmx.control.lookback import LookBackDesk
from backupmx.control.requests import (
    AccountRequest,
    Alerting,
    AnyListing,
    AnyRequest,
    DomainRequest,
    GetFindings,
    GetMetrics,
    GetSpoolStats,
    GetStatus,
    ListQueue,
    ListRecipients,
    LookBack,
    MessageRequest,
    ReadMessage,
    Reload,
    Resume,
    RollRequest,
    TrackMessages,
)
from backupmx.control.roll import RollDesk, Verify
from backupmx.control.track import TrackDesk
from backupmx.core.status import Status
from backupmx.errors import BackupMXError
from backupmx.ports import Alerts, Amendments, Clock, Lookout, Roll, Spool
from backupmx.watch import log
from backupmx.watch.history import History

LINE_LIMIT = 128 * 1024
"""Octets of one request: a thousand ids take about thirty thousand."""
CLIENTS = 64
"""Connections at a time; each may hold one line and one page of the listing in memory."""
PATIENCE_S = 60.0
"""How long a client may take to ask, or to read what it asked for."""


class ControlServer:
    """Answers on a unix socket until stopped."""

    def __init__(  # noqa: PLR0913 - the composition root names each of them
        self,
        path: Path,
        spool: Spool,
        *,
        status: Callable[[], Status],
        wake: Callable[[], None],
        reload: Callable[[], tuple[str, ...]],
        metrics: Callable[[], str],
        clock: Clock,
        accounts: Accounts,
        windows: Mapping[str, timedelta],
        roll: Roll,
        verify: Verify,
        resume: Callable[[str], bool],
        write_back: WriteBack,
        past: History,
        lookout: Lookout,
        alerts: Alerts,
        amendments: Amendments,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wake` is called after an admin's verb; `reload` returns what is wrong; `windows` are the holding windows by domain.

        `verify` asks a primary of one address, `resume` has one believed again, `write_back` tells a sender; `past` is how things
        went, `lookout` has what the last look found, `amendments` the file. The domains are those that have a window.
        """
        self._path = path
        self._spool = spool
        self._status = status
        self._reload = reload
        self._metrics = metrics
        self._resume = resume
        self._lookout = lookout
        self._accounts = AccountsDesk(accounts, clock)
        self._admin = Admin(spool, clock, wake, windows, write_back, seconds)
        self._roll = RollDesk(roll, verify, windows.keys())
        self._domains = DomainsDesk(amendments, lookout, roll)
        self._track = TrackDesk(spool.track, seconds)
        self._look_back = LookBackDesk(past, spool, windows.keys(), clock)
        self._alerts = AlertsDesk(alerts, clock)
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take connections. Raises ControlTaken when the socket cannot be ours."""
        listener = place.open_socket(self._path)
        self._server = await asyncio.start_unix_server(self._welcome, sock=listener, limit=LINE_LIMIT)

    async def stop(self) -> None:
        """Take no more, and end what is under way."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        # who was let in a moment ago is not here yet; a line that stays open keeps the loop from ending
        await asyncio.sleep(0)
        for task in self._clients:
            task.cancel()
        if self._clients:
            await asyncio.wait(self._clients)
        await server.wait_closed()
        self._path.unlink(missing_ok=True)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._converse(reader, writer, crowded=len(self._clients) >= CLIENTS))
        self._clients.add(task)

        def gone(_task: object) -> None:  # also when it was ended before it began
            self._clients.discard(task)
            writer.transport.abort()

        task.add_done_callback(gone)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, crowded: bool) -> None:
        try:
            if crowded:
                await _send(writer, Refused((f"more than {CLIENTS} clients ask at once; try again",)))
            while not crowded and await self._exchange(reader, writer):
                pass
            writer.close()
            async with asyncio.timeout(PATIENCE_S):
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.CancelledError):
            # the client went away or is stuck, or we are stopping: nothing is owed to it
            pass

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answers; returns whether the client may ask again."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return False
        except asyncio.LimitOverrunError:
            await _send(writer, Refused((f"a request is at most {LINE_LIMIT} octets long",)))
            return False
        try:
            request: AnyRequest = msgspec.json.decode(line, type=AnyRequest)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            await _send(writer, Refused((f"not a request that this version knows: {error}",)))
            return True
        async with contextlib.aclosing(self._answers(request)) as answers:
            async for answer in answers:
                await _send(writer, answer)
        return True

    async def _answers(self, request: AnyRequest) -> AsyncGenerator[AnyAnswer, None]:  # noqa: C901 - one line a desk
        try:
            if isinstance(request, AnyListing):
                async with contextlib.aclosing(self._listing(request)) as rows:
                    async for answer in rows:
                        yield answer
            elif isinstance(request, MessageRequest):
                yield await self._admin.answer(request)
            elif isinstance(request, RollRequest):
                yield await self._roll.answer(request)
            elif isinstance(request, DomainRequest):
                yield await self._domains.answer(request)
            elif isinstance(request, LookBack):
                yield await self._look_back.answer(request)
            elif isinstance(request, AccountRequest):
                yield await self._accounts.answer(request)
            elif isinstance(request, Alerting):
                yield await self._alerts.answer(request)
            else:
                yield await self._answer(request)
        except BackupMXError as error:
            log.trouble("control", error)
            yield Refused((str(error),))
        except Exception as error:  # noqa: BLE001 - a bug must not take the courier's process along, and must be seen
            log.trouble("control", error)
            yield Refused(("trouble inside; the log has more",))

    def _listing(self, request: AnyListing) -> AsyncGenerator[AnyAnswer, None]:
        match request:
            case ListQueue():
                return self._admin.listing(request)
            case ListRecipients():
                return self._roll.listing(request)
            case TrackMessages():
                return self._track.listing(request)
            case ReadMessage():
                return self._admin.content(request)

    async def _answer(self, request: AnyRequest) -> AnyAnswer:  # noqa: PLR0911 - one line a request
        match request:
            case GetStatus():
                return StatusAnswer(self._status())
            case GetFindings():
                report = self._lookout.report
                return FindingsAnswer(report.findings, report.at)
            case GetSpoolStats():
                return SpoolStatsAnswer(self._spool.stats())
            case GetMetrics():
                return Text(self._metrics())
            case Resume():
                if not self._resume(request.domain):
                    return Refused((f"{request.domain}: there is no primary to be asked",), missing=True)
                log.admin_trusts(request.by, request.domain)
                return Done()
            case Reload():
                problems = await asyncio.to_thread(self._reload)
                if not problems and request.what:
                    log.configuration_changed(request.by, request.what)
                return Refused(problems) if problems else Done()
            case _:
                return Refused(("not a question for one answer",))


async def _send(writer: asyncio.StreamWriter, answer: AnyAnswer) -> None:
    writer.write(msgspec.json.encode(answer) + b"\n")
    async with asyncio.timeout(PATIENCE_S):
        await writer.drain()
