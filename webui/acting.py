"""What programs do: an operator's verbs on messages, and a domain whose primary is to be believed again.

Knows: the HTTP forms, how long one request may go on.
Does not know: who may act, how messages are moved.
"""

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

import msgspec
from flask import Blueprint, g, request
from flask.typing import ResponseReturnValue
from msgspec import Meta

from backupmx.control.answers import Refused
from backupmx.control.requests import Act, ActMatching, CountMatching, Verb
from backupmx.core import ids, notation
from backupmx.core.queue import Filter
from webui import words
from webui.api import AWARE, CUT, ID, After
from webui.control import Questions

BUSY_S = 2.0
"""How long one request goes on doing what was asked; the client asks again with what it was told."""
MOST = 1000
"""Messages that are named in one request."""

Why = Annotated[str, Meta(max_length=200, description="For the log and for the message's track.")]


class Meant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which messages: every part that is given must match."""

    domain: str | None = None
    sender: Annotated[str, Meta(description="The whole address or a part of it, without case.")] | None = None
    recipient: Annotated[str, Meta(description="The whole address or a part of it, without case.")] | None = None
    subject: Annotated[str, Meta(description="The whole subject or a part of it, without case.")] | None = None
    state: Annotated[str, Meta(pattern="^(waiting|leased|held|quarantined|damaged)$")] | None = None
    before: Annotated[datetime, AWARE] | None = None

    def filter(self) -> Filter:
        """For the control socket."""
        return msgspec.convert(msgspec.structs.asdict(self), Filter)


class OnIds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Do it to these messages."""

    verb: Verb
    ids: Annotated[list[ID], Meta(min_length=1, max_length=MOST)]
    why: Why = ""


class OnFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Do it to all messages that match."""

    verb: Verb
    filter: Annotated[Meant, Meta(description="An empty one means all.")]
    why: Why = ""
    dry_run: Annotated[bool, Meta(description="Only count them.")] = False
    upto: Annotated[datetime, AWARE, Meta(description="What came later is left alone; as it was answered before.")] | None = None
    after: After | None = None


class Did(msgspec.Struct, frozen=True):
    """What came of it."""

    messages: int
    """So many changed, or would."""
    all: bool
    """Whether these are all that match; if not, ask again with `upto` and `after`."""
    upto: datetime | None = None
    after: str | None = None


def blueprint(questions: Questions) -> Blueprint:
    """The doors for programs that change something."""
    doors = Blueprint("acting", __name__)

    @doors.post("/api/v1/queue")
    def act() -> ResponseReturnValue:
        try:
            wish = _wish(request.get_data(cache=False))
            did = _act_on_ids(questions, wish) if isinstance(wish, OnIds) else _act_on_filter(questions, wish)
        except ValueError as error:
            return {"error": str(error)[:CUT]}, HTTPStatus.BAD_REQUEST
        if isinstance(did, Refused):
            return {"error": "; ".join(did.problems)[:CUT]}, HTTPStatus.NOT_FOUND
        return msgspec.to_builtins(did), HTTPStatus.OK

    @doors.post("/api/v1/domains/<domain>/resume")
    def resume(domain: str) -> ResponseReturnValue:
        try:
            refused = questions.resume(notation.domain(domain), g.by)
        except ValueError:
            refused = Refused(("that is no domain of this server",))
        if refused:
            return {"error": "; ".join(refused.problems)}, HTTPStatus.NOT_FOUND
        return {"resumed": True}, HTTPStatus.OK

    return doors


def _wish(data: bytes) -> OnIds | OnFilter:
    """Raises ValueError."""
    told = msgspec.json.decode(data)
    if not isinstance(told, dict):
        raise ValueError("an object is expected")
    return msgspec.convert(told, OnIds) if "ids" in told else msgspec.convert(told, OnFilter)


def _act_on_ids(questions: Questions, wish: OnIds) -> Did | Refused:
    for id in wish.ids:
        ids.abbreviation_range(id)
    answer = questions.act(Act(wish.verb, tuple(wish.ids), g.by, _reason(wish.why)))
    return answer if isinstance(answer, Refused) else Did(len(answer.ids), all=True)


def _act_on_filter(questions: Questions, wish: OnFilter) -> Did | Refused:
    wanted = wish.filter.filter()
    if wish.dry_run:
        counted = questions.count(CountMatching(wish.verb, wanted))
        return Did(counted.messages, counted.all, counted.upto)
    upto = wish.upto or datetime.now(UTC)
    after, done, until = wish.after, 0, time.monotonic() + BUSY_S
    while True:
        answer = questions.act(ActMatching(wish.verb, wanted, g.by, upto, _reason(wish.why), after))
        if isinstance(answer, Refused):
            return answer
        done, after = done + len(answer.ids), answer.after
        if after is None or time.monotonic() > until:
            return Did(done, after is None, upto, after)


def _reason(why: str) -> str:
    return words.seen(why).strip()
