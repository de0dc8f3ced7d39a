"""A message, its life, or a recipient as programs read it: one JSON object, the same on the command line and by HTTP (I8).

Knows: Postfix's names for the parts of a queue entry (postqueue(1), option -j), and ours after them.
Does not know: who prints it, and where.
"""

from datetime import datetime
from typing import Any

from backupmx.control.answers import RecipientRow, Row
from backupmx.core.books import Line
from backupmx.core.events import AnyEvent, Damaged, Expired, Result, Told, Tried
from backupmx.core.history import Month
from backupmx.core.message import Message, Progress, State
from backupmx.core.subject import shown
from backupmx.core.track import Life, Standing

POSTFIX_QUEUE = {
    State.WAITING: "deferred",
    State.LEASED: "active",
    State.HELD: "hold",
    State.QUARANTINED: "quarantine",
    State.DAMAGED: "corrupt",
}
"""In which of Postfix's queues a message would be; it knows no quarantine."""


def as_object(row: Row) -> dict[str, Any]:
    """One entry; `arrival_time` in seconds since 1970 as Postfix has it, other times to be written by RFC 3339."""
    message = row.message
    state = message.state()
    latest = last_learned(message)
    return {
        "queue_name": POSTFIX_QUEUE[state],
        "queue_id": message.id,
        "arrival_time": int(message.arrived.timestamp()),
        "message_size": message.size,
        "sender": message.envelope.sender,
        "recipients": [{"address": address, "delay_reason": _said(message, address)} for address in message.unfinished()],
        "state": state.value,
        "attempts": attempts(message),
        "next_attempt": next_attempt(message),
        "expires": row.expires,
        "last_reply": latest.said if latest else None,
        "tls": message.envelope.client.tls,
        "subject": shown(message.subject),
    }


def as_life(life: Life) -> dict[str, Any]:
    """What became of a message: the last of it for each recipient, and all that happened on the way."""
    return {
        "queue_id": life.id,
        "arrival_time": int(life.arrived.timestamp()),
        "message_size": life.size,
        "sender": life.sender,
        "recipients": [_fared(life, place, last) for place, last in enumerate(life.latest())],
        "state": life.standing.value,
        "ended": life.ended,
        "client": {"address": life.client.address, "name": life.client.helo, "tls": life.client.tls},
        "events": [_event(life, event) for event in life.events],
        "events_left_out": life.dropped,
    }


def _fared(life: Life, place: int, last: Tried | Expired | None) -> dict[str, Any]:
    tried = last if isinstance(last, Tried) else None
    return {
        "address": life.recipients[place],
        "outcome": outcome(life, place, last),
        "reply": tried.reply if tried else None,
        "host": tried.host if tried else None,
        "tls": tried.tls if tried else None,
        "time": last.at if last else None,
    }


def outcome(life: Life, place: int, last: Tried | Expired | None) -> str:
    """What became of one recipient, in a word."""
    if place in life.returned():
        return "returned"
    done = isinstance(last, Tried) and last.result in (Result.DELIVERED, Result.RELAYED)
    if life.standing is Standing.REMOVED and not done:
        return "removed"
    if isinstance(last, Expired):
        return "expired"
    return last.result.value if last else "waiting"


def _event(life: Life, event: AnyEvent) -> dict[str, Any]:
    match event:
        case Tried():
            return {
                "time": event.at,
                "event": event.result.value,
                "recipients": [life.recipients[place] for place in event.whom],
                "reply": event.reply,
                "host": event.host,
                "tls": event.tls,
                "times": event.times,
                "since": event.since,
            }
        case Expired():
            return {"time": event.at, "event": "expired", "recipients": [life.recipients[place] for place in event.whom]}
        case Told():
            return {
                "time": event.at,
                "event": "notified",
                "kind": event.kind.value,
                "recipients": [life.recipients[place] for place in event.whom],
                "notice": event.notice,
            }
        case Damaged():
            return {"time": event.at, "event": "damaged", "why": event.why}
        case _:
            return {"time": event.at, "event": type(event).__name__.lower(), "by": event.by, "why": event.why}


def as_month(month: Month) -> dict[str, Any]:
    """How a month went, for one domain or for all, whose `domain` is null; then the books of its days, by column."""
    return {
        "month": f"{month.first:%Y-%m}",
        "domain": month.domain or None,
        "outages": month.outages,
        "away_s": int(month.away.total_seconds()),
        "kept": month.kept,
        "lost": month.lost,
        "longest_wait_s": int(month.longest_wait.total_seconds()),
        "books": dict(zip(Line.__struct_fields__, month.line.columns(), strict=True)),
    }


def as_recipient(row: RecipientRow) -> dict[str, Any]:
    """One address: `word` is the primary's (known, gone, or null), and `since_s` how old that is on the primary's clock."""
    return {
        "address": address(row),
        "word": row.word,
        "said": row.said,
        "since_s": row.since_s,
        "listed": row.listed,
    }


def address(row: RecipientRow) -> str:
    """`*@example.com` is everybody by a list, `@example.com` everybody by the primary's own word."""
    return f"{row.local}@{row.domain}"


def attempts(message: Message) -> int:
    """How often it was tried: the most of any of its domains."""
    return max((schedule.attempts for schedule in message.schedule.values()), default=0)


def next_attempt(message: Message) -> datetime | None:
    """When it is due; None for a message that is on its way, or waits for an admin."""
    if message.state() is not State.WAITING:
        return None
    return min(schedule.due for schedule in message.schedule.values())


def last_learned(message: Message) -> Progress | None:
    """The latest that any primary said, or that went wrong on the way to it."""
    return max(message.progress.values(), key=lambda progress: progress.at, default=None)


def _said(message: Message, address: str) -> str:
    known = message.progress.get(address)
    return known.said if known else ""
