"""How a span went, as charts with words and numbers beside them.

Knows: what is drawn of each step, and in which order refusals are told.
Does not know: HTML, where the numbers come from, the clock (it is given `now`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backupmx.core.history import LENGTH, STEP, History, Outage, Point, Span, end_of_step
from webui import charts, names, words
from webui.charts import Axis, Piece
from webui.tongue import gettext as _

REASONS = 3
"""Of the refusals so many are told apart in a chart; the table has all."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the numbers that a chart shows, and its sum over the span."""

    name: str
    total: int


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: its title, what it comes to, and the shapes."""

    title: str
    said: str
    """All of it in one sentence, for who does not see the shapes."""
    top: int
    parts: tuple[Part, ...]
    line: str = ""
    area: str = ""
    bars: tuple[str, ...] = ()
    """A path for each of the parts."""


@dataclass(frozen=True, slots=True)
class Trends:
    """The charts of one span, and every number in them."""

    span: Span
    charts: tuple[Chart, ...]
    ticks: tuple[datetime, ...]
    """The moments that are written below each chart: its beginning, middle and end."""
    points: tuple[Point, ...]
    reasons: tuple[str, ...]
    """Of all refusals in the span, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A length of time as a strip: of which parts anything is known, and in which a primary was away."""

    known: tuple[Piece, ...]
    away: tuple[Piece, ...]
    said: str


@dataclass(frozen=True, slots=True)
class Past:
    """How a domain's primary fared."""

    day: Stretch
    month: Stretch
    outages: tuple[Outage, ...]
    """Newest first."""


def trends(history: History, now: datetime) -> Trends:
    """The charts of a span that ends now."""
    span, points = history.span, history.points
    # steps are whole ones, so that no bar changes its place while time goes on
    end = end_of_step(now, STEP[span])
    axis = Axis(end - LENGTH[span], end, STEP[span])
    reasons = tuple(name for name, count in _refusals(points).most_common())
    taken = ((_("kept here"), lambda p: p.accepted), (_("passed on at once"), lambda p: p.relayed))
    drawn = (
        _depth(axis, points, now),
        _bars(axis, span, _("Taken"), points, taken),
        _bars(axis, span, _("Delivered"), points, ((_("recipients"), lambda p: p.delivered),)),
        _bars(axis, span, _("Refused"), points, _by_reason(reasons)),
    )
    return Trends(span, drawn, (axis.begin, axis.begin + LENGTH[span] / 2, axis.end), points, reasons)


def past(month: History, domain: str, now: datetime) -> Past:
    """A domain's last day and month."""
    outages = sorted((outage for outage in month.outages if outage.domain == domain), key=lambda outage: outage.began)
    times = [(outage.began, outage.ended or now) for outage in outages]
    known = month.points[0].at - STEP[month.span] if month.points else None
    if times:
        known = min(known or now, times[0][0])
    return Past(
        _stretch(times, now - timedelta(days=1), now, known),
        _stretch(times, now - LENGTH[month.span], now, known),
        tuple(reversed(outages)),
    )


def _stretch(times: Sequence[tuple[datetime, datetime]], begin: datetime, end: datetime, known: datetime | None) -> Stretch:
    return Stretch(
        charts.strip(begin, end, [(known, end)] if known else ()),
        charts.strip(begin, end, times),
        words.away(times, begin, end, known),
    )


def _depth(axis: Axis, points: Sequence[Point], now: datetime) -> Chart:
    most = max(points, key=lambda point: point.waiting, default=None)
    top = charts.scale(most.waiting if most else 0)
    said = words.depth_went(points[0].waiting, points[-1].waiting, most.waiting, most.at, now) if most else words.nothing_known()
    drawn = charts.lines(axis, ((point.at, point.waiting) for point in points), top)
    parts = (Part(_("now"), points[-1].waiting),) if points else ()
    return Chart(_("Waiting"), said, top, parts, charts.path(drawn), charts.area(drawn))


def _bars(
    axis: Axis, span: Span, title: str, points: Sequence[Point], parts: Iterable[tuple[str, Callable[[Point], int]]]
) -> Chart:
    named = tuple(parts)
    values = [(end_of_step(point.at, axis.step), [number(point) for _, number in named]) for point in points]
    totals = [Part(name, sum(numbers[kind] for _, numbers in values)) for kind, (name, _) in enumerate(named)]
    top = charts.scale(max((sum(numbers) for _, numbers in values), default=0))
    said = words.totals(title, [(part.name, part.total) for part in totals], span) if points else words.nothing_known()
    return Chart(title, said, top, tuple(totals), bars=charts.bars(axis, values, top))


def _by_reason(reasons: Sequence[str]) -> Iterable[tuple[str, Callable[[Point], int]]]:
    told = reasons[:REASONS]
    for reason in told:
        yield names.refusal(reason), lambda point, reason=reason: point.refused.get(reason, 0)  # type: ignore[misc]
    if len(reasons) > REASONS:
        yield _("for other reasons"), lambda point: sum(number for name, number in point.refused.items() if name not in told)


def _refusals(points: Iterable[Point]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for point in points:
        counted.update(point.refused)
    return counted
