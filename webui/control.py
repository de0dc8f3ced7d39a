"""What the page asks of the running server.

Knows: the questions of the control socket that a page needs.
Does not know: the socket, HTTP, HTML.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from backupmx.control import handing
from backupmx.control.answers import (
    Account,
    AccountsAnswer,
    AlertsAnswer,
    AmendedAnswer,
    AnyAnswer,
    AnyRow,
    BooksAnswer,
    Counted,
    DomainAnswer,
    DomainsAnswer,
    Done,
    FindingsAnswer,
    HistoryAnswer,
    Key,
    LifeRow,
    ListsAnswer,
    Made,
    RecipientRow,
    Refused,
    ReportAnswer,
    RestoreAnswer,
    RestoreNumber,
    Row,
    SpoolStatsAnswer,
    StatusAnswer,
    TestedAnswer,
    Text,
    Verified,
)
from backupmx.control.requests import (
    AccountChange,
    Act,
    ActMatching,
    AddToRestore,
    AmendDomain,
    AnyListing,
    AnyRequest,
    ApproveList,
    BeginRestore,
    CheckToken,
    CountMatching,
    GetAccount,
    GetAccounts,
    GetAlerts,
    GetBackup,
    GetBooks,
    GetDomain,
    GetDomains,
    GetFindings,
    GetHistory,
    GetMetrics,
    GetRecipient,
    GetReport,
    GetSpoolStats,
    GetStatus,
    ListQueue,
    ListRecipients,
    LookAgain,
    LookAtRestore,
    MuteAlerts,
    ReadMessage,
    Restore,
    Resume,
    ShowMessage,
    SpendCode,
    TestAlerts,
    TrackMessages,
    VerifyRecipient,
)
from backupmx.core.alerts import Answered
from backupmx.core.amendment import Amended, Outline
from backupmx.core.books import Line
from backupmx.core.finding import Report
from backupmx.core.history import History, Span
from backupmx.core.queue import SpoolStats
from backupmx.core.roll import Lists
from backupmx.core.status import Status
from backupmx.core.track import Life
from backupmx.errors import ControlUnavailable

A = TypeVar("A", bound=AnyAnswer)


class Control(Protocol):
    """What `backupmx.control.client.ControlClient` does. Each method raises ControlUnavailable."""

    def ask(self, request: AnyRequest) -> AnyAnswer:
        """One question, one answer."""

    def listing(self, request: ListQueue) -> Iterator[Row]:
        """Rows, newest first."""

    def lives(self, request: TrackMessages) -> Iterator[Life]:
        """What became of messages, newest first."""

    def page(self, request: AnyListing) -> tuple[list[AnyRow], str | None] | Refused:
        """All rows of one request, and where the next page begins."""

    def content(self, request: ReadMessage | GetBackup) -> Iterator[bytes]:
        """What a message says, or a backup, piece by piece."""


class Questions:
    """Each question with the one kind of answer that fits it; any other raises ControlUnavailable."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def status(self) -> Status:
        """The status document."""
        return self._one(GetStatus(), StatusAnswer).status

    def stats(self) -> SpoolStats:
        """How full the spool is."""
        return self._one(GetSpoolStats(), SpoolStatsAnswer).stats

    def metrics(self) -> str:
        """Prometheus' text form."""
        return self._one(GetMetrics(), Text).text

    def history(self, span: Span) -> History:
        """How things went."""
        return self._one(GetHistory(span), HistoryAnswer).history

    def books(self, since: int) -> Mapping[str, Mapping[int, Line]]:
        """What came in since that day, and what became of it."""
        return self._one(GetBooks(since), BooksAnswer).lines

    def findings(self) -> Report:
        """What the last look around found."""
        answer = self._one(GetFindings(), FindingsAnswer)
        return Report(answer.findings, answer.at)

    def report(self, month: str) -> ReportAnswer | Refused:
        """A month, like `2026-11`, or why nothing is told of it."""
        answer = self._control.ask(GetReport(month))
        if not isinstance(answer, ReportAnswer | Refused):
            raise _misfit(answer)
        return answer

    def message(self, id: str) -> Row | Refused:
        """One message by its id, or why there is none to show."""
        answer = self._control.ask(ShowMessage(id))
        if not isinstance(answer, Row | Refused):
            raise _misfit(answer)
        return answer

    def count(self, request: CountMatching) -> Counted:
        """How many messages a verb would move."""
        return self._one(request, Counted)

    def act(self, request: Act | ActMatching) -> Done | Refused:
        """Do it; what changed, or why nothing did."""
        answer = self._control.ask(request)
        if not isinstance(answer, Done | Refused):
            raise _misfit(answer)
        return answer

    def domains(self) -> tuple[Outline, ...]:
        """All domains in force, at a glance."""
        return self._one(GetDomains(), DomainsAnswer).domains

    def domain(self, name: str) -> DomainAnswer:
        """One domain, also one that is not there."""
        return self._one(GetDomain(name), DomainAnswer)

    def amend(self, request: AmendDomain) -> Amended | Refused:
        """Change a domain in the configuration file; what came of it, or why nothing did."""
        answer = self._control.ask(request)
        if not isinstance(answer, AmendedAnswer | Refused):
            raise _misfit(answer)
        return answer if isinstance(answer, Refused) else answer.amended

    def look_again(self, domain: str) -> Refused | None:
        """Have a domain looked at; why not, if that cannot be. It may go on afterwards."""
        answer = self._control.ask(LookAgain(domain))
        if not isinstance(answer, Done | Refused):
            raise _misfit(answer)
        return answer if isinstance(answer, Refused) else None

    def recipient(self, domain: str, local: str) -> RecipientRow | Refused | None:
        """What is known of one address; None where nothing is."""
        answer = self._control.ask(GetRecipient(domain, local))
        if not isinstance(answer, RecipientRow | Refused | Done):
            raise _misfit(answer)
        return None if isinstance(answer, Done) else answer

    def verify(self, domain: str, local: str) -> Verified | Refused:
        """What the primary says of one address now."""
        answer = self._control.ask(VerifyRecipient(domain, local))
        if not isinstance(answer, Verified | Refused):
            raise _misfit(answer)
        return answer

    def approve(self, domain: str, by: str) -> Lists | Refused:
        """Have the list count that waits; the lists that the domain has then, or why not."""
        answer = self._control.ask(ApproveList(domain, by))
        if not isinstance(answer, ListsAnswer | Refused):
            raise _misfit(answer)
        return answer if isinstance(answer, Refused) else answer.lists

    def resume(self, domain: str, by: str) -> Refused | None:
        """Believe a domain's primary again; why not, if that cannot be."""
        answer = self._control.ask(Resume(domain, by))
        if not isinstance(answer, Done | Refused):
            raise _misfit(answer)
        return answer if isinstance(answer, Refused) else None

    def content(self, request: ReadMessage | GetBackup) -> Iterator[bytes]:
        """What a message says, or a backup, piece by piece."""
        return self._control.content(request)

    def bring(self, parts: Iterable[bytes], identity: str) -> tuple[int, RestoreAnswer] | Refused:
        """Hand a backup in, and have it looked at; its number and what is in it, or why it is none."""
        begun = self._one(BeginRestore(), RestoreNumber)
        for octets in parts:
            taken = self._control.ask(AddToRestore(begun.number, octets))
            if not isinstance(taken, Done):
                return _refusal(taken)
        found = self._control.ask(LookAtRestore(begun.number, identity))
        return (begun.number, found) if isinstance(found, RestoreAnswer) else _refusal(found)

    def restore(self, number: int, by: str) -> Refused | None:
        """Put in place what was looked at; why not, if that cannot be."""
        answer = self._control.ask(Restore(number, by))
        return None if isinstance(answer, Done) else _refusal(answer)

    def account(self, name: str) -> Account | None:
        """A user of the page."""
        answer = self._control.ask(GetAccount(name))
        return answer if isinstance(answer, Account) else None

    def spend_code(self, name: str, code: str) -> bool:
        """Whether this code of a user's second factor counts; it does not a second time."""
        return isinstance(self._control.ask(SpendCode(name, code)), Done)

    def accounts(self) -> AccountsAnswer:
        """All users and tokens."""
        return self._one(GetAccounts(), AccountsAnswer)

    def change(self, request: AccountChange | MuteAlerts) -> Done | Made | Refused:
        """Do it; what is new and shown once, or why it was not done."""
        answer = self._control.ask(request)
        if not isinstance(answer, Done | Made | Refused):
            raise _misfit(answer)
        return answer

    def alerts(self) -> AlertsAnswer:
        """What is wrong now, and who is told."""
        return self._one(GetAlerts(), AlertsAnswer)

    def test_alerts(self, by: str) -> tuple[Answered, ...]:
        """Send a message to everybody who is told; what came of it."""
        return self._one(TestAlerts(by), TestedAnswer).answered

    def key(self, token: str) -> Key | None:
        """What this token opens, if it is one."""
        answer = self._control.ask(CheckToken(token))
        return answer if isinstance(answer, Key) else None

    def listing(self, request: ListQueue) -> Iterator[Row]:
        """Messages, newest first."""
        return self._control.listing(request)

    def queue_page(self, request: ListQueue) -> tuple[list[Row], str | None]:
        """Messages, newest first, and where the next page begins."""
        rows, after = self._page(request)
        return [row for row in rows if isinstance(row, Row)], after

    def lives(self, request: TrackMessages) -> Iterator[Life]:
        """What became of messages, newest first."""
        return self._control.lives(request)

    def track_page(self, request: TrackMessages) -> tuple[list[Life], str | None]:
        """What became of messages, newest first, and where the next page begins."""
        rows, after = self._page(request)
        return [row.life for row in rows if isinstance(row, LifeRow)], after

    def recipients(self, request: ListRecipients) -> list[RecipientRow] | None:
        """What is known of a domain's recipients; None when the domain is none of ours."""
        page = self._control.page(request)
        if isinstance(page, Refused):
            if page.missing:
                return None
            raise _misfit(page)
        return [row for row in page[0] if isinstance(row, RecipientRow)]

    def hand_in(self, domain: str, locals: Iterable[str], by: str) -> Lists | Refused:
        """Put a domain's whole list in place; the lists that it has then, or why this one does not count."""
        return handing.hand_in(self._control.ask, domain, locals, by)

    def _one(self, request: AnyRequest, kind: type[A]) -> A:
        answer = self._control.ask(request)
        if not isinstance(answer, kind):
            raise _misfit(answer)
        return answer

    def _page(self, request: AnyListing) -> tuple[list[AnyRow], str | None]:
        page = self._control.page(request)
        if isinstance(page, Refused):
            raise _misfit(page)
        return page


def _refusal(answer: AnyAnswer) -> Refused:
    if not isinstance(answer, Refused):
        raise _misfit(answer)
    return answer


def _misfit(answer: AnyAnswer) -> ControlUnavailable:
    said = "; ".join(answer.problems) if isinstance(answer, Refused) else f"an unexpected {type(answer).__name__}"
    return ControlUnavailable(f"the server answered with {said}")
