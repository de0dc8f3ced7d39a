"""What the page says in words of its own: how things went, what happens next, when; and untrusted text made harmless to read.

Knows: states, times, control and direction characters.
Does not know: HTML, requests, the clock (it is given `now`).

What the terminal says too is in `backupmx.core.words`: sizes, ages, the sentence of truth. What is said of an admin's verbs is in
`webui.verbs`, why a message is here in `webui.reasons`, what happened to it in `webui.lifeline`, what states are called in
`webui.names`.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from backupmx.core import ids, words
from backupmx.core.books import Line
from backupmx.core.history import Span
from backupmx.core.message import NOTICES, Proof, State
from backupmx.core.status import DomainStatus, Primary, PrimaryState, QueueStatus, Status
from webui import tongue
from webui.tongue import gettext as _
from webui.tongue import ngettext, number

UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
"""Unicode categories that show nothing, or change how other text shows (UAX #44): controls, direction marks, unassigned."""


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


# Times


def moment(time: datetime) -> str:
    """`23 Nov 2026, 14:35:07 UTC`."""
    time = time.astimezone(UTC)
    return tongue.on_day(tongue.day_of_year(time), f"{tongue.second(time)} UTC")


def clock(time: datetime, now: datetime) -> str:
    """`14:35 UTC` for today, `3 May, 14:35 UTC` for another day of this year, else with the year."""
    time, now = time.astimezone(UTC), now.astimezone(UTC)
    hour = f"{tongue.hour(time)} UTC"
    if time.date() == now.date():
        return hour
    return tongue.on_day(tongue.day(time) if time.year == now.year else tongue.day_of_year(time), hour)


def day(time: date) -> str:
    """`3 May`."""
    return tongue.day(time)


def month(time: date) -> str:
    """`May 2026`."""
    return tongue.month(time)


def tick(time: datetime, span: Span) -> str:
    """A moment below a chart: by the hour, or by the day."""
    time = time.astimezone(UTC)
    return tongue.day(time) if span is Span.MONTH else tongue.hour(time)


def arrived(id: str) -> datetime:
    """When a message came in, as its id has it (UUID version 7)."""
    return datetime.fromtimestamp(int.from_bytes(ids.decode(id)[:6]) / 1000, UTC)


# The house as a whole


def title(status: Status) -> str:
    """For the browser's tab: how much waits, while something does."""
    waiting = status.queue.messages
    return ngettext("%(num)s waiting · Backup MX", "%(num)s waiting · Backup MX", waiting) if waiting else "Backup MX"


def standing(queue: QueueStatus) -> str:
    """`1,204 messages waiting, 1 held, 2 quarantined.`"""
    waiting = ngettext("%(num)s message waiting", "%(num)s messages waiting", queue.messages)
    held = ngettext("%(num)s held", "%(num)s held", queue.held)
    quarantined = ngettext("%(num)s quarantined", "%(num)s quarantined", queue.quarantined)
    parts = [waiting, held, quarantined]
    if queue.damaged:
        parts.append(ngettext("%(num)s damaged", "%(num)s damaged", queue.damaged))
    return f"{', '.join(parts)}."


def light(status: Status) -> str:
    """The one light beside the sentence of truth: the worst that is known of any primary."""
    if any(domain.doubtful for domain in status.domains):
        return PrimaryState.DOWN.value
    states = {domain.primary.state for domain in status.domains}
    worst = next((state for state in (PrimaryState.DOWN, PrimaryState.UNKNOWN) if state in states), PrimaryState.UP)
    return worst.value


def lasting(primary: Primary, now: datetime) -> str:
    """`down for 3 h 12 min`, `up`, `not heard of yet`."""
    time = words.age(primary.since, now, tongue) if primary.since else ""
    match primary.state:
        case PrimaryState.DOWN:
            return _("down for %(time)s", time=time) if time else _("down")
        case PrimaryState.UP:
            return _("up for %(time)s", time=time) if time else _("up")
        case PrimaryState.UNKNOWN:
            return _("not heard of yet")


def next_for_domain(domain: DomainStatus, now: datetime) -> str:
    """What the courier does next about a domain."""
    if domain.next_attempt is None:
        return _("nothing to do")
    if domain.next_attempt <= now:
        return _("now")
    return _("in %(time)s", time=words.span(domain.next_attempt - now, tongue))


def set_aside(domain: DomainStatus) -> list[tuple[str, str]]:
    """States in which mail waits for an admin, each with `3 held`."""
    counts = ((State.HELD, domain.held), (State.QUARANTINED, domain.quarantined), (State.DAMAGED, domain.damaged))
    said = words.set_aside(domain.held, domain.quarantined, domain.damaged, tongue)
    return list(zip((state.value for state, count in counts if count), said, strict=True))


def balance(line: Line) -> list[str]:
    """What came in, and then where it is: the sum of the others."""
    parts = [
        ngettext("%(num)s accepted", "%(num)s accepted", line.accepted),
        ngettext("%(num)s delivered", "%(num)s delivered", line.delivered),
        ngettext("%(num)s returned", "%(num)s returned", line.returned),
        ngettext("%(num)s removed", "%(num)s removed", line.removed),
        ngettext("%(num)s waiting", "%(num)s waiting", line.waiting),
        ngettext("%(num)s held", "%(num)s held", line.held),
        ngettext("%(num)s quarantined", "%(num)s quarantined", line.quarantined),
    ]
    if line.damaged:
        parts.append(ngettext("%(num)s damaged", "%(num)s damaged", line.damaged))
    return parts


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
    return _("notifications to senders") if name == NOTICES else name


# How things went


def span(of: Span) -> str:
    """`last 24 hours`."""
    match of:
        case Span.HOUR:
            return _("last hour")
        case Span.DAY:
            return _("last 24 hours")
        case Span.MONTH:
            return _("last 30 days")


def nothing_known() -> str:
    """Of a time before the server, or without it."""
    return _("Nothing is known of this time.")


def depth_went(first: int, last: int, most: int, at: datetime, now: datetime) -> str:
    """How many waited, from the beginning of a span to its end."""
    return _(
        "%(first)s at first, %(last)s at last, at most %(most)s, at %(time)s.",
        first=number(first),
        last=number(last),
        most=number(most),
        time=clock(at, now),
    )


def totals(title: str, parts: Iterable[tuple[str, int]], of: Span) -> str:
    """What was counted in a span: `Taken in the last hour: kept here 12, passed on at once 3.`"""
    each = ", ".join(f"{name} {number(total)}" for name, total in parts) or _("none")
    match of:
        case Span.HOUR:
            return _("%(title)s in the last hour: %(each)s.", title=title, each=each)
        case Span.DAY:
            return _("%(title)s in the last 24 hours: %(each)s.", title=title, each=each)
        case Span.MONTH:
            return _("%(title)s in the last 30 days: %(each)s.", title=title, each=each)


def away(stretches: Sequence[tuple[datetime, datetime]], begin: datetime, end: datetime, known: datetime | None) -> str:
    """How often and how long a primary was away between two moments; `known` is where knowledge begins."""
    inside = [(max(first, begin), min(last, end)) for first, last in stretches if last > begin and first < end]
    length = words.span(sum((last - first for first, last in inside), timedelta()), tongue)
    if inside:
        times = ngettext("away once, %(time)s", "away %(num)s times, %(time)s", len(inside), time=length)
    elif known:
        times = _("never away")
    else:
        return _("nothing known yet")
    late = known is not None and known - begin > (end - begin) / 50
    return _("%(times)s (known since %(moment)s)", times=times, moment=clock(known, end)) if known and late else times


def some_time(length: timedelta) -> str:
    """`3 h 12 min`, `none`."""
    return words.span(length, tongue) if length else _("none")


def searched_back(id: str, now: datetime) -> str:
    """How far a search came in the time that it had."""
    return _("Searched back to %(moment)s.", moment=clock(arrived(id), now))


def proven(proof: Proof) -> str:
    """Whether the sender is who it says, and what follows."""
    match proof:
        case Proof.SPF:
            return _("authenticated by SPF: may be told what becomes of it")
        case Proof.DKIM:
            return _("authenticated by DKIM: may be told what becomes of it")
        case Proof.NONE:
            return _("not authenticated: is never written to")
