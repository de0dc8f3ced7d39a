"""What people read: the overview and one message.

Knows: which questions make a page, and which template draws it.
Does not know: how it looks, who may read.
"""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from backupmx.control import listing
from backupmx.control.protocol import ListQueue, Refused, Row
from backupmx.core.status import PrimaryState, Status
from webui import words
from webui.control import Questions

NEWEST = 20
"""Messages on the overview; the command line lists them all."""
RECIPIENTS = 200
"""Recipients on a message's page."""
URGENCY = (PrimaryState.DOWN, PrimaryState.UNKNOWN, PrimaryState.UP)


def blueprint(questions: Questions) -> Blueprint:
    """The pages."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def overview() -> ResponseReturnValue:
        status = questions.status()
        return render_template(
            "overview.html",
            status=status,
            now=status.time,
            domains=sorted(status.domains, key=lambda domain: (URGENCY.index(domain.primary.state), -domain.messages)),
            lines=[_line(row, status) for row in questions.listing(ListQueue(limit=NEWEST))],
            **frame(),
        )

    @pages.get("/message/<id>")
    def message(id: str) -> ResponseReturnValue:
        status = questions.status()
        row = questions.message(id)
        if isinstance(row, Refused):
            return render_template("gone.html", status=status, id=id, **frame()), 200 if partial() else 404
        return render_template(
            "message.html",
            status=status,
            now=status.time,
            line=_line(row, status),
            recipients=row.message.envelope.recipients[:RECIPIENTS],
            **frame(),
        )

    return pages


def partial() -> bool:
    """Whether only the part that changes is wanted, by the page that is open already.

    Such an answer is 200 also where the page would not be: what is not comes from a proxy, and is kept out of the page.
    """
    return "HX-Request" in request.headers


def frame() -> dict[str, str]:
    """What a page needs to refresh itself: the layout around its content, and its own address."""
    if request.blueprint != "pages" or not request.endpoint:
        return {"layout": "base.html"}
    here = url_for(request.endpoint, **(request.view_args or {}))
    return {"layout": "partial.html" if partial() else "live.html", "here": here}


def _line(row: Row, status: Status) -> dict[str, object]:
    primaries = {domain.domain: domain.primary.state for domain in status.domains}
    return {
        "message": row.message,
        "state": row.message.state().value,
        "expires": row.expires,
        "next": words.next_for_message(row, primaries, status.time),
        "attempts": listing.attempts(row.message),
        "learned": listing.last_learned(row.message),
        "recipients": listing.undelivered(row.message),
    }
