"""The words of the control socket: one JSON object a line each way.

Knows: every request and its answer, as closed unions.
Does not know: sockets.

A request is answered by one line, but `ListQueue`, which is answered by one `Row` a message and then `Done`.
Anything that cannot be done is answered by `Refused`.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from backupmx.core.message import Message
from backupmx.core.queue import Filter, SpoolStats
from backupmx.core.status import Status


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
    """For the HTTP API; answered by `Done` or `Refused`."""

    token: str


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


class Refused(Answer, frozen=True, tag="refused"):
    """It was not done, and why, in words for a person."""

    problems: tuple[str, ...]


AnyRequest = GetStatus | ListQueue | ShowMessage | Act | GetSpoolStats | GetMetrics | Reload | GetAccount | CheckToken
AnyAnswer = StatusAnswer | Row | Done | SpoolStatsAnswer | Text | Account | Refused
