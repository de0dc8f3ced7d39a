"""A message in a listing: for programs with Postfix' names first, for people as columns or as a page."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from backupmx.cli.terminal import Column
from backupmx.control.protocol import Row
from backupmx.core import words
from backupmx.core.message import Fate, Message, State

POSTFIX_QUEUE = {
    State.WAITING: "deferred",
    State.LEASED: "active",
    State.HELD: "hold",
    State.QUARANTINED: "quarantine",
    State.DAMAGED: "corrupt",
}
"""In which of Postfix' queues a message would be; it knows no quarantine."""
COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("SIZE", number=True),
    Column("AGE"),
    Column("TRIES", number=True),
    Column("NEXT"),
    Column("FROM", whole=False),
    Column("TO", whole=False),
    Column("LAST REPLY", whole=False),
)


def as_object(row: Row) -> dict[str, Any]:
    """What `--json` prints; `arrival_time` in seconds since 1970 as Postfix has it, other times by RFC 3339."""
    message = row.message
    state = message.state()
    return {
        "queue_name": POSTFIX_QUEUE[state],
        "queue_id": message.id,
        "arrival_time": int(message.arrived.timestamp()),
        "message_size": message.size,
        "sender": message.envelope.sender,
        "recipients": [
            {"address": recipient.address, "delay_reason": _said(message, recipient.address)}
            for recipient in message.envelope.recipients
            if message.fate(recipient.address) is not Fate.DELIVERED
        ],
        "state": state.value,
        "attempts": _attempts(message),
        "next_attempt": next_attempt(message),
        "expires": row.expires,
        "last_reply": _last_reply(message),
        "tls": message.envelope.client.tls,
    }


def as_cells(row: Row, now: datetime) -> Sequence[str]:
    """What a table shows."""
    message = row.message
    due = next_attempt(message)
    recipients = [r.address for r in message.envelope.recipients if message.fate(r.address) is not Fate.DELIVERED]
    return (
        message.id,
        message.state().value,
        words.size(message.size),
        words.age(message.arrived, now),
        str(_attempts(message)),
        ("now" if due <= now else f"in {words.span(due - now)}") if due else "-",
        message.envelope.sender or "<>",
        (recipients[0] if recipients else "-") + (f" (+{len(recipients) - 1})" if len(recipients) > 1 else ""),
        _last_reply(message) or "-",
    )


def as_page(row: Row) -> Iterator[str]:
    """All that is known of one message, line by line."""
    message = row.message
    client = message.envelope.client
    due = next_attempt(message)
    yield f"id: {message.id}"
    yield f"state: {message.state().value}"
    yield f"from: {message.envelope.sender or '<>'}"
    yield f"size: {message.size} ({words.size(message.size)})"
    yield f"arrived: {_time(message.arrived)}"
    yield f"came from: {client.address}, calling itself {client.helo}, {client.tls or 'without TLS'}"
    yield f"attempts: {_attempts(message)}"
    if due:
        yield f"next attempt: {_time(due)}"
    if row.expires:
        yield f"holding window ends: {_time(row.expires)}"
    if message.hold:
        yield f"held: {_time(message.hold.at)} by {message.hold.by}: {message.hold.why or 'no reason given'}"
    if message.damage:
        yield f"damaged: {message.damage}"
    for recipient in message.envelope.recipients:
        known = message.progress.get(recipient.address)
        learned = f" ({_time(known.at)}, {known.host}: {known.said})" if known else ""
        yield f"to: {recipient.address}: {message.fate(recipient.address).value}{learned}"


def next_attempt(message: Message) -> datetime | None:
    """When it is due; None for a message that is on its way, or waits for an admin."""
    if message.state() is not State.WAITING:
        return None
    return min(schedule.due for schedule in message.schedule.values())


def _attempts(message: Message) -> int:
    return max((schedule.attempts for schedule in message.schedule.values()), default=0)


def _said(message: Message, address: str) -> str:
    known = message.progress.get(address)
    return known.said if known else ""


def _last_reply(message: Message) -> str | None:
    latest = max(message.progress.values(), key=lambda progress: progress.at, default=None)
    return latest.said if latest else None


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
