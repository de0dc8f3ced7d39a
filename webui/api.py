"""What programs read: health, metrics, the status document, the queue.

Knows: the HTTP contract (design, section 6) and its forms.
Does not know: pages, who may read.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain, islice

import msgspec
from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from backupmx.control.listing import as_object
from backupmx.control.protocol import ListQueue, Row
from backupmx.core import ids
from backupmx.core.queue import Filter
from backupmx.core.status import document
from webui.control import Questions

LIMIT = 100
MOST = 1000
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
CUT = 500
"""Characters of a parameter that a person could have meant."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be asked of the queue: `queue list`'s filters, and where a page begins."""

    domain: str | None = None
    sender: str | None = None
    recipient: str | None = None
    state: str | None = None
    before: datetime | None = None
    """Arrived before this moment, by RFC 3339."""
    limit: int = LIMIT
    after: str | None = None
    """The last `queue_id` of the page before."""

    def request(self) -> ListQueue:
        """For the control socket. Raises msgspec.ValidationError, ValueError."""
        if self.after is not None:
            ids.decode(self.after)
        if not 1 <= self.limit <= MOST:
            raise ValueError(f"limit must be from 1 to {MOST}")
        if self.before and self.before.tzinfo is None:
            raise ValueError("before must have a time zone")
        filter = msgspec.convert(
            {"domain": self.domain, "sender": self.sender, "recipient": self.recipient, "state": self.state}, Filter
        )
        return ListQueue(msgspec.structs.replace(filter, before=self.before), self.limit, self.after)


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
        rows = questions.listing(wanted)
        # the first row is read before the status line is written: a server that cannot be asked is told as such
        first = list(islice(rows, 1))
        return Response(_array(chain(first, rows)), mimetype="application/json")

    return api


def _array(rows: Iterator[Row]) -> Iterator[bytes]:
    """One JSON array, a row at a time: a thousand messages with a thousand recipients each never stand in memory."""
    between = b"["
    for row in rows:
        yield between + msgspec.json.encode(as_object(row))
        between = b",\n"
    yield b"]" if between == b",\n" else b"[]"
