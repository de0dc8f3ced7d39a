"""The words of the control socket: one JSON object a line each way.

Knows: every request and its answer, as closed unions.
Does not know: sockets.

A request is answered by one line, but `ListQueue`, `ListRecipients`, `TrackMessages` and `ReadMessage`: by a row for each, or by
pieces, and then `Done`.
Anything that cannot be done is answered by `Refused`.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from backupmx.control.accounts import Scope
from backupmx.core.alerts import Answered, Standing
from backupmx.core.belief import Word
from backupmx.core.books import Line
from backupmx.core.finding import Finding
from backupmx.core.history import History, Month, Span
from backupmx.core.message import Message, State
from backupmx.core.queue import Filter, SpoolStats
from backupmx.core.roll import Lists
from backupmx.core.status import Status
from backupmx.core.track import Life, Wanted


class Verb(StrEnum):
    """What an admin may do with messages."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    BOUNCE = "bounce"
    """Back to the sender, if the sender is known to be who it says (I3)."""
    DELETE = "delete"


MOVES: Mapping[Verb, Collection[State]] = {
    Verb.RETRY: {State.WAITING, State.LEASED},
    Verb.HOLD: {State.WAITING, State.LEASED},
    Verb.RELEASE: {State.HELD, State.QUARANTINED, State.DAMAGED},
    Verb.BOUNCE: {State.WAITING, State.HELD, State.QUARANTINED},
    Verb.DELETE: set(State),
}
"""Which states a verb moves: a filter means messages in those alone."""


class Request(Struct, frozen=True, tag_field="ask"):
    """What a client may ask."""


class GetStatus(Request, frozen=True, tag="status"):
    """Answered by `StatusAnswer`."""


class ListQueue(Request, frozen=True, tag="list"):
    """Answered by rows, newest first, then `Done`; `limit` 0 means all."""

    filter: Filter = Filter()
    limit: int = 0
    after: str | None = None
    seconds: float = 0
    """How long is looked for, 0 for as long as it takes; where it stopped is told by `Done.after`."""


class ShowMessage(Request, frozen=True, tag="show"):
    """By id or unambiguous abbreviation; answered by `Row`."""

    id: str


class Act(Request, frozen=True, tag="act"):
    """By ids or unambiguous abbreviations (at most 1,000 a request); answered by `Done` with the ids that changed."""

    verb: Verb
    ids: tuple[str, ...]
    by: str
    why: str = ""


class CountMatching(Request, frozen=True, tag="count"):
    """How many messages a verb would move, of those that match; answered by `Counted`. Looks for as long as `seconds`."""

    verb: Verb
    filter: Filter
    seconds: float = 1.0


class ActMatching(Request, frozen=True, tag="act-matching"):
    """Do it to all that match and arrived no later than `upto`, a thousand at a time; answered by `Done` with what changed.

    `Done.after` is where the next thousand begins; None when there is no more.
    """

    verb: Verb
    filter: Filter
    by: str
    upto: datetime
    why: str = ""
    after: str | None = None


class ReadMessage(Request, frozen=True, tag="content"):
    """What a message says; answered by `Piece`s, then `Done`. Who looked at more than the header is written down."""

    id: str
    by: str
    header_only: bool = True


class GetHistory(Request, frozen=True, tag="history"):
    """How things went; answered by `HistoryAnswer`."""

    span: Span


class GetBooks(Request, frozen=True, tag="books"):
    """What came in since that day (of 1970), and what became of it; answered by `BooksAnswer`."""

    since: int


class GetReport(Request, frozen=True, tag="report"):
    """A month, `2026-11`; answered by `ReportAnswer`."""

    month: str


class GetFindings(Request, frozen=True, tag="findings"):
    """What the last look at names, ports, certificate, disk and primaries found; answered by `FindingsAnswer`."""


class GetAlerts(Request, frozen=True, tag="alerts"):
    """What is wrong now, and who is told of it; answered by `AlertsAnswer`."""


class TestAlerts(Request, frozen=True, tag="test-alerts"):
    """Send a message to everybody who is told of alerts; answered by `TestedAnswer`."""

    by: str


class MuteAlerts(Request, frozen=True, tag="mute-alerts"):
    """A maintenance window: nothing is told until then; None ends it. Answered by `Done`."""

    until: datetime | None
    by: str


class GetSpoolStats(Request, frozen=True, tag="spool-stats"):
    """Answered by `SpoolStatsAnswer`."""


class GetMetrics(Request, frozen=True, tag="metrics"):
    """Answered by `Text`: Prometheus exposition."""


class Reload(Request, frozen=True, tag="reload"):
    """Answered by `Done`, or by `Refused` with what is wrong with the file."""

    by: str = ""
    what: str = ""
    """What was changed in the file, for the log; empty when somebody only asks for what stands there."""


class GetAccount(Request, frozen=True, tag="account"):
    """For the page's login; answered by `Account` or `Refused`."""

    name: str


class CheckToken(Request, frozen=True, tag="token"):
    """For the HTTP API; answered by `Key` or `Refused`."""

    token: str


class ListRecipients(Request, frozen=True, tag="recipients"):
    """What is known of a domain's recipients, in the order of their local parts; answered by `RecipientRow`s, then `Done`."""

    domain: str
    after: str | None = None
    """A local part; None begins with the first, for the empty one means everybody (`core.roll.Entry`)."""
    limit: int = 0


class TrackMessages(Request, frozen=True, tag="track"):
    """What became of messages, gone or here; answered by `LifeRow`s, newest arrival first, then `Done`; `limit` 0 means all."""

    wanted: Wanted = Wanted()
    limit: int = 0
    after: str | None = None
    seconds: float = 0
    """As with `ListQueue`."""


class ForgetRecipients(Request, frozen=True, tag="forget"):
    """At most 1,000 local parts a request; answered by `Done` with those of which something was known. Lists stay."""

    domain: str
    locals: tuple[str, ...]
    by: str


class VerifyRecipient(Request, frozen=True, tag="verify"):
    """Ask the primary now; answered by `Verified`."""

    domain: str
    local: str


class BeginList(Request, frozen=True, tag="begin-list"):
    """A whole list of a domain's recipients is to come, in the place of one that waits; answered by `ListNumber`."""

    domain: str


class Enlist(Request, frozen=True, tag="enlist"):
    """At most 1,000 local parts of that list; answered by `Done`."""

    domain: str
    number: int
    locals: tuple[str, ...]


class CloseList(Request, frozen=True, tag="close-list"):
    """It is complete; answered by `ListsAnswer`: it counts now, or waits because it lacks too much of today's."""

    domain: str
    number: int
    by: str


class ApproveList(Request, frozen=True, tag="approve-list"):
    """The list that waits counts from now on; answered by `ListsAnswer`."""

    domain: str
    by: str


class Resume(Request, frozen=True, tag="resume"):
    """What a domain's primary says is to be believed again; answered by `Done`."""

    domain: str
    by: str


class Answer(Struct, frozen=True, tag_field="answer"):
    """What the server may say."""


class StatusAnswer(Answer, frozen=True, tag="status"):
    """The status document."""

    status: Status


class Row(Answer, frozen=True, tag="row"):
    """One message, and when its holding window ends."""

    message: Message
    expires: datetime | None


class Done(Answer, frozen=True, tag="done"):
    """It was done; `ids` are those that changed. For a listing: `after` is where the next page begins."""

    ids: tuple[str, ...] = ()
    after: str | None = None


class Counted(Answer, frozen=True, tag="counted"):
    """So many messages. `all`: that is all of them; else the time to look was over, and there may be more."""

    messages: int
    all: bool
    upto: datetime | None = None
    """When they were counted: for `ActMatching`, so that it leaves alone what came later."""


class Piece(Answer, frozen=True, tag="piece"):
    """A part of a message's content; untrusted."""

    octets: bytes


class HistoryAnswer(Answer, frozen=True, tag="history"):
    """What a span was like."""

    history: History


class BooksAnswer(Answer, frozen=True, tag="books"):
    """By domain, then by day since 1970."""

    lines: Mapping[str, Mapping[int, Line]]


class ReportAnswer(Answer, frozen=True, tag="report"):
    """All domains together first, then each."""

    months: tuple[Month, ...]
    since: datetime | None = None
    """Of outages and waits nothing is known from before that, if that is later than the month's beginning."""


class FindingsAnswer(Answer, frozen=True, tag="findings"):
    """What was found, and when; None before the first look."""

    findings: tuple[Finding, ...]
    at: datetime | None


class AlertsAnswer(Answer, frozen=True, tag="alerts"):
    """What is wrong now."""

    standing: tuple[Standing, ...]
    places: tuple[str, ...]
    """Where messages go, without what is secret; none: nobody is told."""
    muted: datetime | None
    """Until when nothing is told, while there is a maintenance window."""


class TestedAnswer(Answer, frozen=True, tag="tested"):
    """What came of a message to each place."""

    answered: tuple[Answered, ...]


class SpoolStatsAnswer(Answer, frozen=True, tag="spool-stats"):
    """How full the spool is."""

    stats: SpoolStats


class Text(Answer, frozen=True, tag="text"):
    """Plain text."""

    text: str


class Account(Answer, frozen=True, tag="account"):
    """A user of the page and the argon2 hash of the password."""

    name: str
    role: str
    password_hash: str


class Key(Answer, frozen=True, tag="key"):
    """A token of the HTTP API, by its name, and what it opens."""

    name: str
    scope: Scope


class RecipientRow(Answer, frozen=True, tag="recipient"):
    """All that is known of one address."""

    domain: str
    local: str
    """`*` is everybody of the domain, by a list; the empty one is everybody, by the primary's own word."""
    word: Word | None
    since_s: int | None
    """How long ago the primary said so, on its own clock, which stands still while it is down."""
    said: str
    """Its words for a no; untrusted."""
    listed: bool


class LifeRow(Answer, frozen=True, tag="life"):
    """What became of one message."""

    life: Life


class Verified(Answer, frozen=True, tag="verified"):
    """What the primary says now; no word when it says neither yes nor no."""

    word: Word | None
    said: str
    """Untrusted."""


class ListNumber(Answer, frozen=True, tag="list-number"):
    """Under this number the parts of the list are to come."""

    number: int


class ListsAnswer(Answer, frozen=True, tag="lists"):
    """A domain's lists: today's, and one that waits for approval."""

    lists: Lists


class Refused(Answer, frozen=True, tag="refused", omit_defaults=True):
    """It was not done, and why, in words for a person."""

    problems: tuple[str, ...]
    missing: bool = False
    """Whether that is because the domain that was named is none of ours."""


MessageRequest = ShowMessage | Act | CountMatching | ActMatching
Alerting = GetAlerts | TestAlerts | MuteAlerts
LookBack = GetHistory | GetBooks | GetReport
RollRequest = ForgetRecipients | VerifyRecipient | BeginList | Enlist | CloseList | ApproveList
AnyListing = ListQueue | ListRecipients | TrackMessages | ReadMessage
AnyRequest = (
    GetStatus
    | Resume
    | MessageRequest
    | LookBack
    | GetFindings
    | Alerting
    | GetSpoolStats
    | GetMetrics
    | Reload
    | GetAccount
    | CheckToken
    | AnyListing
    | RollRequest
)
AnyRow = Row | RecipientRow | LifeRow | Piece
AnyAnswer = (
    StatusAnswer
    | Done
    | Counted
    | HistoryAnswer
    | BooksAnswer
    | ReportAnswer
    | FindingsAnswer
    | AlertsAnswer
    | TestedAnswer
    | SpoolStatsAnswer
    | Text
    | Account
    | Key
    | Verified
    | ListNumber
    | ListsAnswer
    | Refused
    | AnyRow
)
