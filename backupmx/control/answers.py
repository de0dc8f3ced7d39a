"""What the control socket says: one JSON object a line.

Knows: every answer, as closed unions.
Does not know: sockets, what was asked.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from backupmx.control.accounts import Role, Scope
from backupmx.core.alerts import Answered, Standing
from backupmx.core.amendment import Amended, Fault, Outline, Sheet
from backupmx.core.belief import Word
from backupmx.core.books import Line
from backupmx.core.finding import Finding
from backupmx.core.history import History, Month
from backupmx.core.label import BackupLabel
from backupmx.core.message import Message
from backupmx.core.queue import SpoolStats
from backupmx.core.roll import Lists
from backupmx.core.status import Status
from backupmx.core.track import Life


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
    second: bool = False
    """Whether a code is to be asked for after the password."""


class Person(Struct, frozen=True):
    """A user of the page, without what is secret."""

    name: str
    role: Role
    second: datetime | None
    """Since when there is a second factor."""
    recovery: int
    """Recovery codes that are left."""


class Label(Struct, frozen=True):
    """A token, without what is secret."""

    name: str
    scope: Scope
    created: datetime


class AccountsAnswer(Answer, frozen=True, tag="accounts"):
    """Users by name, tokens with the oldest first."""

    users: tuple[Person, ...]
    tokens: tuple[Label, ...]


class Made(Answer, frozen=True, tag="made"):
    """A new token, or recovery codes: to be shown once, for they are not kept."""

    secrets: tuple[str, ...]


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


class DomainsAnswer(Answer, frozen=True, tag="domains"):
    """All domains in force, in the order of the file."""

    domains: tuple[Outline, ...]


class DomainAnswer(Answer, frozen=True, tag="domain"):
    """One domain."""

    sheet: Sheet
    lists: Lists
    findings: tuple[Finding, ...]
    """Of the last look: its own, and those of this machine's names."""
    at: datetime | None
    """When that was; None before the first."""
    looking: bool
    """Whether somebody asked for a new look, and it is not over."""


class AmendedAnswer(Answer, frozen=True, tag="amended"):
    """What came of it."""

    amended: Amended


class SetupAnswer(Answer, frozen=True, tag="setup"):
    """Whether the machine is still to be set up."""

    open: bool


class CodeRefused(Answer, frozen=True, tag="code-refused"):
    """Nothing was told or done: the one-time code is wrong."""

    wait_s: int = 0
    """Above 0: it was not even looked at, after so many wrong ones; in so many seconds the next is."""


class MachineAnswer(Answer, frozen=True, tag="machine"):
    """What can be told of a machine that is to be set up."""

    hostname: str
    """Its full name; empty if it has none."""
    addresses: tuple[str, ...]
    """From which it sends."""


class SetupChecked(Answer, frozen=True, tag="setup-checked"):
    """What is wrong with the answers themselves; if nothing is, what was found in the network."""

    faults: tuple[Fault, ...] = ()
    findings: tuple[Finding, ...] = ()
    looking: bool = False
    """Whether it is still being looked at."""


class RestoreNumber(Answer, frozen=True, tag="restore-number"):
    """Under this number the parts of a backup are to come."""

    number: int


class RestoreAnswer(Answer, frozen=True, tag="restore"):
    """What a backup would bring, and what of it keeps it from being put in place here."""

    label: BackupLabel
    problems: tuple[str, ...]


class Refused(Answer, frozen=True, tag="refused", omit_defaults=True):
    """It was not done, and why, in words for a person."""

    problems: tuple[str, ...]
    missing: bool = False
    """Whether that is because the domain that was named is none of ours."""


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
    | AccountsAnswer
    | Made
    | Key
    | Verified
    | ListNumber
    | ListsAnswer
    | DomainsAnswer
    | DomainAnswer
    | AmendedAnswer
    | SetupAnswer
    | CodeRefused
    | MachineAnswer
    | SetupChecked
    | RestoreNumber
    | RestoreAnswer
    | Refused
    | AnyRow
)
