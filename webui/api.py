"""What programs read: health, metrics, the status document, the queue, what became of messages, the report of a month.

Knows: the HTTP contract (design, section 6) and its forms.
Does not know: pages, who may read.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from itertools import chain, islice
from typing import Annotated, Any, TypeVar

import msgspec
from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from msgspec import UNSET, Meta, UnsetType

from backupmx.control.answers import Refused
from backupmx.control.listing import as_life, as_month, as_object
from backupmx.control.requests import ListQueue, TrackMessages
from backupmx.core import ids
from backupmx.core.message import State
from backupmx.core.queue import Filter
from backupmx.core.status import document
from backupmx.core.track import Wanted
from webui.control import Questions

LIMIT = 100
MOST = 1000
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
CUT = 500
"""Characters of a parameter that a person could have meant."""

T = TypeVar("T")
P = TypeVar("P", bound=msgspec.Struct)


ID = Annotated[str, Meta(pattern="^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{0,25}$")]
"""A `queue_id`, or the beginning of one."""
AWARE = Meta(tz=True)
"""A moment with its time zone, by RFC 3339."""
Limit = Annotated[int, Meta(ge=1, le=MOST)]
After = Annotated[
    str,
    Meta(
        pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$",
        description="Where the page before ended.",
    ),
]


Text = str | UnsetType
"""Nothing, or text: the word `null` is text in an address."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be asked of the queue: `queue list`'s filters, and where a page begins."""

    domain: Text = UNSET
    sender: Text = UNSET
    recipient: Text = UNSET
    subject: Text = UNSET
    state: State | UnsetType = UNSET
    before: Annotated[datetime, AWARE, Meta(description="Arrived before this moment.")] | UnsetType = UNSET
    limit: Limit = LIMIT
    after: After | UnsetType = UNSET

    def request(self) -> ListQueue:
        """For the control socket."""
        filter = Filter(
            given(self.domain),
            given(self.sender),
            given(self.recipient),
            given(self.state),
            given(self.before),
            given(self.subject),
        )
        return ListQueue(filter, self.limit, given(self.after))


class TrackParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be asked of the track: what `backupmx track` takes, and where a page begins."""

    id: ID | UnsetType = UNSET
    sender: Text = UNSET
    recipient: Text = UNSET
    host: Text = UNSET
    since: Annotated[datetime, AWARE, Meta(description="Arrived at this moment or later.")] | UnsetType = UNSET
    until: Annotated[datetime, AWARE, Meta(description="Arrived before this moment.")] | UnsetType = UNSET
    limit: Limit = LIMIT
    after: After | UnsetType = UNSET

    def request(self) -> TrackMessages:
        """For the control socket. Raises ValueError."""
        ids.abbreviation_range(self.id or "")
        wanted = Wanted(
            given(self.id),
            given(self.sender),
            given(self.recipient),
            given(self.host),
            given(self.since),
            given(self.until),
        )
        return TrackMessages(wanted, self.limit, given(self.after))


class MonthParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which month is reported on."""

    month: Annotated[str, Meta(pattern="^(19[7-9][0-9]|20[0-9][0-9])-(0[1-9]|1[0-2])$", description="Like `2026-11`.")]


def blueprint(questions: Questions, description: bytes) -> Blueprint:
    """The doors for programs; `description` is the OpenAPI document of all of them."""
    api = Blueprint("api", __name__)

    @api.get("/healthz")
    def healthz() -> ResponseReturnValue:
        questions.status()
        return {"status": "ok"}

    @api.get("/metrics")
    def metrics() -> ResponseReturnValue:
        return Response(questions.metrics(), content_type=EXPOSITION)

    @api.get("/api/v1/openapi.json")
    def described() -> ResponseReturnValue:
        return Response(description, mimetype="application/json")

    @api.get("/api/v1/status")
    def status() -> ResponseReturnValue:
        return _json(document(questions.status()))

    @api.get("/api/v1/queue")
    def queue() -> ResponseReturnValue:
        return _array(questions.listing(asked(Parameters).request()), as_object)

    @api.get("/api/v1/queue/<id>")
    def message(id: str) -> ResponseReturnValue:
        answer = questions.message(id)
        return _refused(answer) if isinstance(answer, Refused) else _json(as_object(answer))

    @api.get("/api/v1/track")
    def track() -> ResponseReturnValue:
        return _array(questions.lives(asked(TrackParameters).request()), as_life)

    @api.get("/api/v1/report")
    def report() -> ResponseReturnValue:
        answer = questions.report(asked(MonthParameters).month)
        return _refused(answer) if isinstance(answer, Refused) else _json([as_month(month) for month in answer.months])

    @api.errorhandler(ValueError)
    def nonsense(error: ValueError) -> ResponseReturnValue:
        return {"error": str(error)[:CUT]}, HTTPStatus.BAD_REQUEST

    return api


def asked(kind: type[P]) -> P:
    """The parameters of the request at hand. Raises ValueError."""
    for name, values in request.args.lists():
        if len(values) > 1:
            raise ValueError(f"{name} is there more than once")
    args: dict[str, object] = {**request.args}
    if (limit := request.args.get("limit", "")).isdecimal():
        # the one that is no text: were all to be taken for what they might mean, 0.5 would be a moment, and "null" nothing
        args["limit"] = int(limit)
    return msgspec.convert(args, kind)


def given(value: T | UnsetType) -> T | None:
    """None for what was not given."""
    return None if isinstance(value, UnsetType) else value


def _json(told: object) -> Response:
    return Response(msgspec.json.encode(told), mimetype="application/json")


def _refused(answer: Refused) -> ResponseReturnValue:
    return {"error": "; ".join(answer.problems)[:CUT]}, HTTPStatus.NOT_FOUND


def _array(rows: Iterator[T], as_object: Callable[[T], dict[str, Any]]) -> Response:
    # the first row is read before the status line is written: a server that cannot be asked is told as such
    first = list(islice(rows, 1))
    return Response(_written(as_object(row) for row in chain(first, rows)), mimetype="application/json")


def _written(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """One JSON array, a row at a time: a thousand messages with a thousand recipients each never stand in memory."""
    between = b"["
    for row in rows:
        yield between + msgspec.json.encode(row)
        between = b",\n"
    yield b"]" if between == b",\n" else b"[]"
