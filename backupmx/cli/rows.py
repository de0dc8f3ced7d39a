"""A message for people: as columns of a table, or as a page of its own. For programs it is in `control.listing`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from backupmx.cli.terminal import Column
from backupmx.control.answers import Row
from backupmx.control.listing import attempts, last_learned, next_attempt
from backupmx.core import words
from backupmx.core.subject import shown

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


def as_cells(row: Row, now: datetime) -> Sequence[str]:
    """What a table shows."""
    message = row.message
    due = next_attempt(message)
    recipients = message.unfinished()
    latest = last_learned(message)
    return (
        message.id,
        message.state().value,
        words.size(message.size),
        words.age(message.arrived, now),
        str(attempts(message)),
        ("now" if due <= now else f"in {words.span(due - now)}") if due else "-",
        message.envelope.sender or "<>",
        (recipients[0] if recipients else "-") + (f" (+{len(recipients) - 1})" if len(recipients) > 1 else ""),
        latest.said if latest else "-",
    )


def as_page(row: Row) -> Iterator[str]:
    """All that is known of one message, line by line."""
    message = row.message
    client = message.envelope.client
    due = next_attempt(message)
    yield f"id: {message.id}"
    yield f"state: {message.state().value}"
    yield f"from: {message.envelope.sender or '<>'}"
    yield f"subject: {shown(message.subject)}"
    yield f"size: {message.size} ({words.size(message.size)})"
    yield f"arrived: {_time(message.arrived)}"
    yield f"came from: {client.address}, calling itself {client.helo}, {client.tls or 'without TLS'}"
    yield f"attempts: {attempts(message)}"
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


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
