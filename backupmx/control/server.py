"""The answering side of the control socket.

Knows: who answers which part of what may be asked.
Does not know: the socket, who asks, what a terminal or a page is, how mail is delivered.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from backupmx.control.accounting import AccountsDesk
from backupmx.control.accounts import Accounts
from backupmx.control.admin import Admin, WriteBack
from backupmx.control.alerting import AlertsDesk
from backupmx.control.answers import AnyAnswer, Done, FindingsAnswer, Refused, SetupAnswer, SpoolStatsAnswer, StatusAnswer, Text
from backupmx.control.conversations import Answers, Conversations
from backupmx.control.copies import CopiesDesk
from backupmx.control.domains import DomainsDesk
from backupmx.control.lookback import LookBackDesk
from backupmx.control.requests import (
    AccountRequest,
    Alerting,
    AnyListing,
    AnyRequest,
    DomainRequest,
    GetBackup,
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
    RestoreRequest,
    Resume,
    RollRequest,
    SetupRequest,
    TrackMessages,
)
from backupmx.control.roll import RollDesk, Verify
from backupmx.control.track import TrackDesk
from backupmx.core.status import Status
from backupmx.ports import Alerts, Amendments, Clock, Copies, Lookout, Roll, Spool
from backupmx.watch import log
from backupmx.watch.history import History


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
        copies: Copies,
        begin_anew: Callable[[], None],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wake` is called after an admin's verb; `reload` returns what is wrong; `windows` are the holding windows by domain.

        `verify` asks a primary of one address, `resume` has one believed again, `write_back` tells a sender; `past` is how things
        went, `lookout` has what the last look found, `amendments` the file. The domains are those that have a window.
        """
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
        self._copies = CopiesDesk(copies, begin_anew)
        self._conversations = Conversations(path, self._answers)

    async def start(self) -> None:
        """Take connections. Raises ControlTaken when the socket cannot be ours."""
        await self._conversations.start()

    async def stop(self) -> None:
        """Take no more, and end what is under way."""
        await self._conversations.stop()

    async def _answers(self, request: AnyRequest) -> Answers:  # noqa: C901 - one line a desk
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
        elif isinstance(request, RestoreRequest):
            try:
                yield await self._copies.answer(request)
            finally:
                # only now, for whoever asked has the answer; or is gone, and what was decided is all the same
                self._copies.begin_anew_if_due()
        elif isinstance(request, SetupRequest):
            # whoever has a configuration is set up
            yield SetupAnswer(open=False)
        else:
            yield await self._answer(request)

    def _listing(self, request: AnyListing) -> Answers:
        match request:
            case ListQueue():
                return self._admin.listing(request)
            case ListRecipients():
                return self._roll.listing(request)
            case TrackMessages():
                return self._track.listing(request)
            case ReadMessage():
                return self._admin.content(request)
            case GetBackup():
                return self._copies.copy(request)

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
