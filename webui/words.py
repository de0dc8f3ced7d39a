"""What the page says in words of its own: how things went, what happens next, when; and untrusted text made harmless to read.

Knows: states, times, control and direction characters.
Does not know: HTML, requests, the clock (it is given `now`).

What the terminal says too is in `backupmx.core.words`: sizes, ages, the sentence of truth. What is said of an admin's verbs is in
`webui.verbs`, why a message is here in `webui.reasons`, what happened to it in `webui.lifeline`.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from backupmx.core import ids, words
from backupmx.core.history import Span
from backupmx.core.message import NOTICES, Proof
from backupmx.core.status import DomainStatus, Primary, PrimaryState, Status

UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
"""Unicode categories that show nothing, or change how other text shows (UAX #44): controls, direction marks, unassigned."""
NOTHING_KNOWN = "Nothing is known of this time."
_SPANS = {Span.HOUR: "last hour", Span.DAY: "last 24 hours", Span.MONTH: "last 30 days"}


def visible(text: str) -> str:
    """Untrusted text on one line, each character that cannot be seen as `⟨U+202E⟩`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in UNSEEN else c for c in text)


def seen(text: str) -> str:
    """What a reader wrote, without what cannot be seen."""
    return "".join(c for c in text if unicodedata.category(c) not in UNSEEN)


def clipped(text: str, limit: int) -> str:
    """At most `limit` characters, the last of them an ellipsis where something is left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


# Numbers and times: the one place to say them in another language's way


def number(count: int) -> str:
    """`1,204`."""
    return f"{count:,}"


def moment(time: datetime) -> str:
    """`23 Nov 2026, 14:35:07 UTC`."""
    time = time.astimezone(UTC)
    return f"{day(time)} {time.year}, {time:%H:%M:%S} UTC"


def clock(time: datetime, now: datetime) -> str:
    """`14:35 UTC` for today, `3 May, 14:35 UTC` for another day of this year, else with the year."""
    time, now = time.astimezone(UTC), now.astimezone(UTC)
    hour = f"{time:%H:%M} UTC"
    if time.date() == now.date():
        return hour
    return f"{day(time)}{'' if time.year == now.year else f' {time.year}'}, {hour}"


def day(time: date) -> str:
    """`3 May`."""
    return f"{time.day} {time:%b}"


def month(time: date) -> str:
    """`May 2026`."""
    return f"{time:%B %Y}"


def tick(time: datetime, span: Span) -> str:
    """A moment below a chart: by the hour, or by the day."""
    time = time.astimezone(UTC)
    return day(time) if span is Span.MONTH else f"{time:%H:%M}"


def arrived(id: str) -> datetime:
    """When a message came in, as its id has it (UUID version 7)."""
    return datetime.fromtimestamp(int.from_bytes(ids.decode(id)[:6]) / 1000, UTC)


# The house as a whole


def title(status: Status) -> str:
    """For the browser's tab: how much waits, while something does."""
    waiting = status.queue.messages
    return f"{number(waiting)} waiting · Backup MX" if waiting else "Backup MX"


def light(status: Status) -> str:
    """The one light beside the sentence of truth: the worst that is known of any primary."""
    if any(domain.doubtful for domain in status.domains):
        return PrimaryState.DOWN.value
    states = {domain.primary.state for domain in status.domains}
    worst = next((state for state in (PrimaryState.DOWN, PrimaryState.UNKNOWN) if state in states), PrimaryState.UP)
    return worst.value


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


def domain_name(name: str) -> str:
    """A domain, or what has a name of its own in the place of one."""
    return "notifications to senders" if name == NOTICES else name


_SHORT = {"mx": "MX", "ptr": "PTR", "spf": "SPF", "tls": "TLS", "tlsa": "TLSA", "mta-sts": "MTA-STS", "port25": "Port 25"}


def topic(name: str) -> str:
    """What was looked at, as it is written."""
    return _SHORT.get(name, name.capitalize())


# How things went


def span(of: Span) -> str:
    """`last 24 hours`."""
    return _SPANS[of]


def depth_went(first: int, last: int, most: int, at: datetime, now: datetime) -> str:
    """How many waited, from the beginning of a span to its end."""
    return f"{number(first)} at first, {number(last)} at last, at most {number(most)}, at {clock(at, now)}."


def totals(title: str, parts: Iterable[tuple[str, int]], of: Span) -> str:
    """What was counted in a span: `Taken in the last hour: kept here 12, passed on at once 3.`"""
    return f"{title} in the {span(of)}: {', '.join(f'{name} {number(total)}' for name, total in parts) or 'none'}."


def reason(name: str) -> str:
    """Why something was refused, by the name that log and metrics have for it."""
    return name.replace("_", " ")


def away(stretches: Sequence[tuple[datetime, datetime]], begin: datetime, end: datetime, known: datetime | None) -> str:
    """How often and how long a primary was away between two moments; `known` is where knowledge begins."""
    inside = [(max(first, begin), min(last, end)) for first, last in stretches if last > begin and first < end]
    length = words.span(sum((last - first for first, last in inside), timedelta()))
    times = "never away" if not inside else f"away once, {length}" if len(inside) == 1 else f"away {len(inside)} times, {length}"
    if known is None:
        return times if inside else "nothing known yet"
    late = known - begin > (end - begin) / 50
    return f"{times} (known since {clock(known, end)})" if late else times


def some_time(length: timedelta) -> str:
    """`3 h 12 min`, `none`."""
    return words.span(length) if length else "none"


def searched_back(id: str, now: datetime) -> str:
    """How far a search came in the time that it had."""
    return f"Searched back to {clock(arrived(id), now)}."


def proven(proof: Proof) -> str:
    """Whether the sender is who it says, and what follows."""
    match proof:
        case Proof.SPF:
            return "authenticated by SPF: may be told what becomes of it"
        case Proof.DKIM:
            return "authenticated by DKIM: may be told what becomes of it"
        case Proof.NONE:
            return "not authenticated: is never written to"
