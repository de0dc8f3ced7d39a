"""What programs read: health, metrics, the status document, the queue, what became of messages.

Knows: the HTTP contract (design, section 6) and its forms.
Does not know: pages, who may read.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from backupmx.control.listing import as_life, as_object
from backupmx.control.requests import ListQueue, TrackMessages
from backupmx.core import ids
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


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be asked of the queue: `queue list`'s filters, and where a page begins."""

    domain: str | None = None
    sender: str | None = None
    recipient: str | None = None
    subject: str | None = None
    state: str | None = None
    before: datetime | None = None
    """Arrived before this moment, by RFC 3339."""
    limit: int = LIMIT
    after: str | None = None
    """The last `queue_id` of the page before."""

    def request(self) -> ListQueue:
        """For the control socket. Raises msgspec.ValidationError, ValueError."""
        _check_page(self.limit, self.after)
        _check_time("before", self.before)
        texts = {name: getattr(self, name) for name in ("domain", "sender", "recipient", "subject", "state")}
        filter = msgspec.convert(texts, Filter)
        return ListQueue(msgspec.structs.replace(filter, before=self.before), self.limit, self.after)


class TrackParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be asked of the track: what `backupmx track` takes, and where a page begins."""

    id: str | None = None
    """The beginning of one."""
    sender: str | None = None
    recipient: str | None = None
    host: str | None = None
    since: datetime | None = None
    """Arrived at this moment or later, by RFC 3339."""
    until: datetime | None = None
    """Arrived before this moment."""
    limit: int = LIMIT
    after: str | None = None
    """The last `queue_id` of the page before."""

    def request(self) -> TrackMessages:
        """For the control socket. Raises ValueError."""
        _check_page(self.limit, self.after)
        _check_time("since", self.since)
        _check_time("until", self.until)
        ids.abbreviation_range(self.id or "")
        wanted = Wanted(self.id, self.sender, self.recipient, self.host, self.since, self.until)
        return TrackMessages(wanted, self.limit, self.after)


def _check_page(limit: int, after: str | None) -> None:
    if after is not None:
        ids.decode(after)
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit must be from 1 to {MOST}")


def _check_time(name: str, moment: datetime | None) -> None:
    if moment and moment.tzinfo is None:
        raise ValueError(f"{name} must have a time zone")


def blueprint(questions: Questions) -> Blueprint:
    """The doors for programs."""
    api = Blueprint("api", __name__)

    @api.get("/healthz")
    def healthz() -> ResponseReturnValue:
        questions.status()
        return {"status": "ok"}

    @api.get("/metrics")
    def metrics() -> ResponseReturnValue:
        return Response(questions.metrics(), content_type=EXPOSITION)

    @api.get("/api/v1/status")
    def status() -> ResponseReturnValue:
        return Response(msgspec.json.encode(document(questions.status())), mimetype="application/json")

    @api.get("/api/v1/queue")
    def queue() -> ResponseReturnValue:
        try:
            wanted = msgspec.convert(request.args.to_dict(), Parameters, strict=False).request()
        except (msgspec.ValidationError, ValueError) as error:
            return {"error": str(error)[:CUT]}, 400
        return _array(questions.listing(wanted), as_object)

    @api.get("/api/v1/track")
    def track() -> ResponseReturnValue:
        try:
            wanted = msgspec.convert(request.args.to_dict(), TrackParameters, strict=False).request()
        except (msgspec.ValidationError, ValueError) as error:
            return {"error": str(error)[:CUT]}, 400
        return _array(questions.lives(wanted), as_life)

    return api


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
