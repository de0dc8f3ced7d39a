"""The words of the control socket: one JSON object a line each way.

Knows: every request and its answer, as closed unions.
Does not know: sockets.

A request is answered by one line, but `ListQueue`, `ListRecipients` and `TrackMessages`: by a row for each and then `Done`.
Anything that cannot be done is answered by `Refused`.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from backupmx.control.accounts import Scope
from backupmx.core.belief import Word
from backupmx.core.message import Message
from backupmx.core.queue import Filter, SpoolStats
from backupmx.core.roll import Lists
from backupmx.core.status import Status
from backupmx.core.track import Life, Wanted


class Verb(StrEnum):
    """What an admin may do with messages."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    DELETE = "delete"


class Request(Struct, frozen=True, tag_field="ask"):
    """What a client may ask."""


class GetStatus(Request, frozen=True, tag="status"):
    """Answered by `StatusAnswer`."""


class ListQueue(Request, frozen=True, tag="list"):
    """Answered by rows, newest first, then `Done`; `limit` 0 means all."""

    filter: Filter = Filter()
    limit: int = 0
    after: str | None = None


class ShowMessage(Request, frozen=True, tag="show"):
    """By id or unambiguous abbreviation; answered by `Row`."""

    id: str


class Act(Request, frozen=True, tag="act"):
    """By ids or unambiguous abbreviations (at most 1,000 a request); answered by `Done` with the ids that changed."""

    verb: Verb
    ids: tuple[str, ...]
    by: str
    why: str = ""


class GetSpoolStats(Request, frozen=True, tag="spool-stats"):
    """Answered by `SpoolStatsAnswer`."""


class GetMetrics(Request, frozen=True, tag="metrics"):
    """Answered by `Text`: Prometheus exposition."""


class Reload(Request, frozen=True, tag="reload"):
    """Answered by `Done`, or by `Refused` with what is wrong with the file."""


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


RollRequest = ForgetRecipients | VerifyRecipient | BeginList | Enlist | CloseList | ApproveList
AnyListing = ListQueue | ListRecipients | TrackMessages
AnyRequest = (
    GetStatus
    | ShowMessage
    | Act
    | Resume
    | GetSpoolStats
    | GetMetrics
    | Reload
    | GetAccount
    | CheckToken
    | AnyListing
    | RollRequest
)
AnyRow = Row | RecipientRow | LifeRow
AnyAnswer = StatusAnswer | Done | SpoolStatsAnswer | Text | Account | Key | Verified | ListNumber | ListsAnswer | Refused | AnyRow
