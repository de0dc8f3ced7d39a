"""One message of the queue as the page shows it: why it is here, what happens next, the primary's last words.

Knows: which parts of a message a reader wants to see.
Does not know: HTML, requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backupmx.control import listing
from backupmx.control.answers import Row
from backupmx.core import subject
from backupmx.core.message import Message, Progress
from backupmx.core.status import Status
from webui import reasons


@dataclass(frozen=True, slots=True)
class Line:
    """Everything about a message that stands in a list. Subject, addresses, reasons and replies are strangers' words."""

    message: Message
    subject: str
    state: str
    said: str
    """Why it is here, and what happens next."""
    expires: datetime | None
    attempts: int
    learned: Progress | None
    recipients: Sequence[str]


def line(row: Row, status: Status) -> Line:
    """What is shown of a message, as things are."""
    domains = {domain.domain: domain for domain in status.domains}
    message = row.message
    return Line(
        message,
        subject.shown(message.subject),
        message.state().value,
        "; ".join(filter(None, (reasons.why_here(row, domains), reasons.next_for_message(row, domains, status.time)))),
        row.expires,
        listing.attempts(message),
        listing.last_learned(message),
        message.unfinished(),
    )
