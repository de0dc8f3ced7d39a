"""What the page says in words of its own: what happens next, when, and untrusted text made harmless to read.

Knows: states, times, control and direction characters.
Does not know: HTML, requests, the clock (it is given `now`).

What the terminal says too is in `backupmx.core.words`: sizes, ages, the sentence of truth.
"""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from backupmx.control.listing import next_attempt
from backupmx.control.protocol import Row
from backupmx.core import words
from backupmx.core.message import Message, State
from backupmx.core.status import DomainStatus, Primary, PrimaryState, Status

UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
"""Unicode categories that show nothing, or change how other text shows (UAX #44): controls, direction marks, unassigned."""


def visible(text: str) -> str:
    """Untrusted text on one line, each character that cannot be seen as `⟨U+202E⟩`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in UNSEEN else c for c in text)


def clipped(text: str, limit: int) -> str:
    """At most `limit` characters, the last of them an ellipsis where something is left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def moment(time: datetime) -> str:
    """`23 Nov 2026, 14:35:07 UTC`."""
    time = time.astimezone(UTC)
    return f"{time.day} {time:%b %Y, %H:%M:%S} UTC"


def clock(time: datetime, now: datetime) -> str:
    """`14:35 UTC` for today, `3 May, 14:35 UTC` for another day of this year, else with the year."""
    time, now = time.astimezone(UTC), now.astimezone(UTC)
    hour = f"{time:%H:%M} UTC"
    if time.date() == now.date():
        return hour
    return f"{time.day} {time:%b}{'' if time.year == now.year else f' {time.year}'}, {hour}"


def title(status: Status) -> str:
    """For the browser's tab: how much waits, while something does."""
    waiting = status.queue.messages
    return f"{waiting:,} waiting · Backup MX" if waiting else "Backup MX"


def light(status: Status) -> PrimaryState:
    """The one light beside the sentence of truth: the worst that is known of any primary."""
    states = {domain.primary.state for domain in status.domains}
    return next((state for state in (PrimaryState.DOWN, PrimaryState.UNKNOWN) if state in states), PrimaryState.UP)


def lasting(primary: Primary, now: datetime) -> str:
    """`down for 3 h 12 min`, `up for 5 d`, `not heard of yet`."""
    if primary.state is PrimaryState.UNKNOWN:
        return "not heard of yet"
    return f"{primary.state.value} for {words.age(primary.since, now)}" if primary.since else primary.state.value


def next_for_domain(domain: DomainStatus, now: datetime) -> str:
    """What the courier does next about a domain."""
    if domain.next_attempt is None:
        return "nothing to do"
    if domain.next_attempt <= now:
        return "now"
    return f"in {words.span(domain.next_attempt - now)}"


def window_end(domain: DomainStatus) -> datetime | None:
    """When the oldest message's holding window ends; None when nothing waits."""
    if not domain.oldest or not domain.holding_window_s:
        return None
    return domain.oldest + timedelta(seconds=domain.holding_window_s)


def window_used(domain: DomainStatus, now: datetime) -> float:
    """Which part of its holding window the oldest message has used, from 0 to 1."""
    if not domain.oldest or not domain.holding_window_s:
        return 0.0
    return min(1.0, max(0.0, (now - domain.oldest).total_seconds() / domain.holding_window_s))


def next_for_message(row: Row, primaries: Mapping[str, PrimaryState], now: datetime) -> str:
    """What happens next with a message, and how long it is kept; untrusted where an admin gave a reason."""
    message = row.message
    match message.state():
        case State.DAMAGED:
            return f"not delivered, for its content is damaged ({message.damage}); an admin decides"
        case State.HELD:
            assert message.hold
            return f"held by {message.hold.by}{f' ({message.hold.why})' if message.hold.why else ''} until it is released"
        case State.QUARANTINED:
            return "set aside; an admin decides"
        case State.LEASED:
            return "on its way to the primary now"
        case State.WAITING:
            kept = f"; kept until {clock(row.expires, now)}" if row.expires else ""
            return _next_try(message, primaries, now) + kept


def _next_try(message: Message, primaries: Mapping[str, PrimaryState], now: datetime) -> str:
    # a primary that is down is probed, and mail is not: its own due time means nothing until then
    if all(primaries.get(domain) is PrimaryState.DOWN for domain in message.schedule):
        return "goes as soon as the primary is back"
    due = next_attempt(message)
    return f"next try {clock(due, now)}" if due and due > now else "next in line"
