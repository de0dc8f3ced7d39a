"""What may be asked at the control socket: one JSON object a line.

Knows: every request, as closed unions.
Does not know: sockets, what is done for it.

A request is answered by one line, but `ListQueue`, `ListRecipients`, `TrackMessages`, `ReadMessage` and `GetBackup`: by a row for
each, or by pieces, and then `Done`. Anything that cannot be done is answered by `Refused`. The answers are in
`backupmx.control.answers`.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from backupmx.control.accounts import Role, Scope
from backupmx.core.amendment import Change
from backupmx.core.history import Span
from backupmx.core.message import State
from backupmx.core.queue import Filter
from backupmx.core.setup import Answers
from backupmx.core.track import Wanted


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


class SpendCode(Request, frozen=True, tag="spend-code"):
    """For the page's login, after a right password: a code of the second factor; answered by `Done` if it counts, once."""

    name: str
    code: str


class GetAccounts(Request, frozen=True, tag="accounts"):
    """All users and tokens; answered by `AccountsAnswer`."""


class AddUser(Request, frozen=True, tag="add-user"):
    """Answered by `Done`."""

    name: str
    role: Role
    password_hash: str
    by: str


class SetRole(Request, frozen=True, tag="set-role"):
    """Answered by `Done`; the last admin stays one."""

    name: str
    role: Role
    by: str


class SetPassword(Request, frozen=True, tag="set-password"):
    """Answered by `Done`; all sessions of the user end."""

    name: str
    password_hash: str
    by: str


class RemoveUser(Request, frozen=True, tag="remove-user"):
    """Answered by `Done`; the last admin stays."""

    name: str
    by: str


class SetSecond(Request, frozen=True, tag="set-second"):
    """A user has put this secret into an app, which `code` proves; answered by `Made` with recovery codes."""

    name: str
    secret: str
    code: str
    by: str


class DropSecond(Request, frozen=True, tag="drop-second"):
    """No code is asked for any more; answered by `Done`."""

    name: str
    by: str


class CreateToken(Request, frozen=True, tag="create-token"):
    """Answered by `Made`."""

    name: str
    scope: Scope
    by: str


class RevokeToken(Request, frozen=True, tag="revoke-token"):
    """Answered by `Done`."""

    name: str
    by: str


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


class GetRecipient(Request, frozen=True, tag="recipient"):
    """What is known of one address; answered by `RecipientRow`, or by `Done` where nothing is."""

    domain: str
    local: str


class GetDomains(Request, frozen=True, tag="domains"):
    """All domains at a glance; answered by `DomainsAnswer`."""


class GetDomain(Request, frozen=True, tag="domain"):
    """What the file says of a domain, also of one that is not there, and what was found of it; answered by `DomainAnswer`."""

    domain: str


class AmendDomain(Request, frozen=True, tag="amend"):
    """Change a domain in the configuration file and have it taken, or with `dry_run` only tell; answered by `AmendedAnswer`.

    Refused when the file is not any more what the wishes were made from.
    """

    change: Change
    domain: str
    made_from: str
    """`Sheet.digest`."""
    by: str
    wanted: Mapping[str, str] = {}
    """Of each key what was typed for it; nothing for one that is to be taken away."""
    dry_run: bool = False


class LookAgain(Request, frozen=True, tag="look"):
    """Look at a domain's names, primary and recipients now; answered by `Done` when that is over, or after some seconds."""

    domain: str


class GetSetup(Request, frozen=True, tag="setup"):
    """Whether this machine is still to be set up; answered by `SetupAnswer`, as all that follows once it is."""


class GetSetupCode(Request, frozen=True, tag="setup-code"):
    """The one-time code, for whoever is on the machine itself; answered by `Text`."""


class BeginSetup(Request, frozen=True, tag="begin-setup"):
    """What can be told of this machine to whom has the code; answered by `MachineAnswer`, or by `CodeRefused`."""

    code: str


class CheckSetup(Request, frozen=True, tag="check-setup"):
    """What is wrong with the answers, and what the network says to them; answered by `SetupChecked`, or by `CodeRefused`.

    Looking takes longer than an answer may: who wants to know all of it asks again.
    """

    code: str
    answers: Answers
    afresh: bool = False
    """Whether the network is to be looked at once more, after somebody mended something."""


class Claim(Request, frozen=True, tag="claim"):
    """The machine is theirs from now on; answered by `Done`, by `SetupChecked` if answers are wrong, or by `CodeRefused`."""

    code: str
    answers: Answers


class Resume(Request, frozen=True, tag="resume"):
    """What a domain's primary says is to be believed again; answered by `Done`."""

    domain: str
    by: str


class GetBackup(Request, frozen=True, tag="backup"):
    """Everything but the mail, in one file; answered by `Piece`s, then `Done`. Who has it is written down."""

    by: str
    keys: tuple[str, ...] = ()
    """Of age: nobody else can read it."""


class BeginRestore(Request, frozen=True, tag="begin-restore"):
    """A backup without mail is to come, in the place of one that came before; answered by `RestoreNumber`."""


class AddToRestore(Request, frozen=True, tag="add-to-restore"):
    """The next octets of that backup; answered by `Done`."""

    number: int
    octets: bytes


class LookAtRestore(Request, frozen=True, tag="look-at-restore"):
    """It is complete: what is in it, and what would be wrong with it here; answered by `RestoreAnswer`. Nothing is changed."""

    number: int
    identity: str = ""
    """What opens it, if it is sealed."""


class Restore(Request, frozen=True, tag="restore"):
    """Put in place what was looked at; answered by `Done`, and then the server begins anew."""

    number: int
    by: str


MessageRequest = ShowMessage | Act | CountMatching | ActMatching
Alerting = GetAlerts | TestAlerts | MuteAlerts
AccountChange = AddUser | SetRole | SetPassword | RemoveUser | SetSecond | DropSecond | CreateToken | RevokeToken
AccountRequest = GetAccount | CheckToken | SpendCode | GetAccounts | AccountChange
LookBack = GetHistory | GetBooks | GetReport
DomainRequest = GetDomains | GetDomain | AmendDomain | LookAgain
RollRequest = GetRecipient | ForgetRecipients | VerifyRecipient | BeginList | Enlist | CloseList | ApproveList
SetupRequest = GetSetup | GetSetupCode | BeginSetup | CheckSetup | Claim
RestoreRequest = BeginRestore | AddToRestore | LookAtRestore | Restore
AnyListing = ListQueue | ListRecipients | TrackMessages | ReadMessage | GetBackup
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
    | AccountRequest
    | AnyListing
    | DomainRequest
    | RollRequest
    | SetupRequest
    | RestoreRequest
)
