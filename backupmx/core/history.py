"""How things went: what came and left over the last hour, day or month, and when primaries were away.

Knows: the spans that are told, and how finely; what follows from points and outages.
Does not know: who counts, where counts are kept, and how they are drawn.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from backupmx.core.books import Line

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEPT = timedelta(days=62)
"""How long all of it is kept: a month can be reported until the end of the next one."""


class Span(StrEnum):
    """How far back."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


LENGTH = {Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1), Span.MONTH: timedelta(days=30)}
STEP = {Span.HOUR: timedelta(minutes=1), Span.DAY: timedelta(minutes=20), Span.MONTH: timedelta(hours=12)}


class Point(Struct, frozen=True):
    """One step: what there was at its end, and what happened during it."""

    at: datetime
    """The end of the step, or of what is known of it."""
    waiting: int
    """Messages."""
    bytes: int
    accepted: int
    """Messages taken into the spool."""
    relayed: int
    """Messages passed on in the session."""
    delivered: int
    """Recipients."""
    refused: Mapping[str, int]
    """By reason, as in the table of replies."""
    room: int
    """Octets that could still be accepted."""


class Outage(Struct, frozen=True):
    """A time when a domain's primary did not take mail."""

    domain: str
    began: datetime
    ended: datetime | None
    """None: it lasts."""
    why: str
    """Its last words, or what went wrong; untrusted."""

    def over(self, at: datetime) -> "Outage":
        """The same, when it has ended."""
        return replace(self, ended=max(at, self.began))


class History(Struct, frozen=True):
    """What a span was like; a step about which nothing is known is absent."""

    span: Span
    points: tuple[Point, ...]
    outages: tuple[Outage, ...]


class Month(Struct, frozen=True):
    """A month in one line a domain, and in one for all: `3 outages, 212 messages kept, 0 lost, longest wait 41 min`."""

    first: datetime
    """Its beginning."""
    domain: str
    """Empty: all of them."""
    outages: int
    away: timedelta
    kept: int
    """Recipients of messages that were taken into the spool."""
    lost: int
    """The difference in the books: 0."""
    longest_wait: timedelta
    """From arrival to delivery."""
    line: Line = Line()
    """The books of the days of that month."""


class Sums(Struct, frozen=True):
    """What all processes have counted since the server began; a point is made of the difference of two."""

    accepted: int = 0
    relayed: int = 0
    delivered: int = 0
    refused: Mapping[str, int] = {}

    def since(self, before: "Sums") -> "Sums":
        """What came after `before`; where it was more by then, the counter began anew."""
        return Sums(
            _increase(before.accepted, self.accepted),
            _increase(before.relayed, self.relayed),
            _increase(before.delivered, self.delivered),
            {reason: more for reason, now in self.refused.items() if (more := _increase(before.refused.get(reason, 0), now))},
        )


def _increase(before: int, now: int) -> int:
    return now - before if now >= before else now


def end_of_step(at: datetime, step: timedelta) -> datetime:
    """Steps are counted from 1970; a moment on their border ends one."""
    return _EPOCH - (_EPOCH - at) // step * step


def together(points: Iterable[Point], step: timedelta) -> tuple[Point, ...]:
    """One point for each step of which there is any, oldest first."""
    found: dict[datetime, Point] = {}
    for point in sorted(points, key=lambda point: point.at):
        end = end_of_step(point.at, step)
        found[end] = _both(found[end], point) if end in found else point
    return tuple(found.values())


def _both(first: Point, then: Point) -> Point:
    return replace(
        then,
        accepted=first.accepted + then.accepted,
        relayed=first.relayed + then.relayed,
        delivered=first.delivered + then.delivered,
        refused=dict(Counter(first.refused) + Counter(then.refused)),
    )


LEAST = timedelta(minutes=5)
"""Of a shorter time nothing follows for the time to come."""
FAR = timedelta(days=3650)


def room_lasts(points: Sequence[Point]) -> timedelta | None:
    """How long the room of the last point lasts, if it goes on as from the first to the last.

    None when it does not become less, or not so fast that it matters to anybody now.
    """
    if len(points) < 2 or points[-1].at - points[0].at < LEAST:
        return None
    passed, used = points[-1].at - points[0].at, points[0].room - points[-1].room
    if used <= 0 or points[-1].room * (passed / FAR) >= used:
        return None
    return passed * (points[-1].room / used)


# Months


def month_named(text: str) -> datetime:
    """The beginning of a month, `2026-11`. Raises ValueError."""
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text}: is no month; say it like 2026-11") from None


def next_month(first: datetime) -> datetime:
    """The beginning of the month after it."""
    return (first + timedelta(days=31)).replace(day=1)


def month(first: datetime, now: datetime, domain: str, outages: Iterable[Outage], line: Line, longest_wait: timedelta) -> Month:
    """One domain's, or that of all with the outages of all: then what overlaps is one."""
    times = _times(outages, first, min(now, next_month(first)))
    away = sum((ended - began for began, ended in times), timedelta(0))
    return Month(first, domain, len(times), away, line.accepted, line.difference, longest_wait, line)


def _times(outages: Iterable[Outage], since: datetime, upto: datetime) -> Sequence[tuple[datetime, datetime]]:
    """When some primary was away, without overlaps, as far as it was in this time."""
    found: list[tuple[datetime, datetime]] = []
    for outage in sorted(outages, key=lambda outage: outage.began):
        began, ended = max(outage.began, since), min(outage.ended or upto, upto)
        if ended <= began:
            continue
        if found and began <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ended))
        else:
            found.append((began, ended))
    return found
