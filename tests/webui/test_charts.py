"""Charts as coordinates."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from past import history
from samples import NOW, ago

from backupmx.core.history import LENGTH, STEP, History, Outage, Point, Span
from webui import charts, trends
from webui.charts import HEIGHT, STRIP, WIDTH, Axis

BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = Axis(BEGIN, BEGIN + timedelta(hours=1), timedelta(minutes=10))


def minutes(count: float) -> datetime:
    return BEGIN + timedelta(minutes=count)


@given(st.integers(0, 10**12))
def test_a_scale_is_round_and_not_much_too_large(most: int) -> None:
    """1, 2 or 5 with zeros behind: less than two and a half times of what it has to show."""
    top = charts.scale(most)
    assert re.fullmatch("[125]0*", str(top))
    assert most <= top < max(2, most * 2.5)


def test_a_line_goes_from_left_to_right_and_breaks_off_where_nothing_is_known() -> None:
    """Never a slope across a time of which nobody knows anything."""
    drawn = charts.lines(HOUR, [(minutes(10), 0), (minutes(20), 5), (minutes(50), 10)], 10)
    assert drawn == [[(0, HEIGHT), (100, HEIGHT), (200, HEIGHT / 2)], [(400, 0), (500, 0)]]
    assert charts.path(drawn) == "M0 120L100 120L200 60M400 0L500 0"
    assert charts.area(drawn) == "M0 120L100 120L200 60V120H0ZM400 0L500 0V120H400Z"
    assert charts.path(charts.lines(HOUR, [], 1)) == ""


def test_bars_stand_on_each_other() -> None:
    """Each as high as its number; none for nothing."""
    first, second, third = charts.bars(HOUR, [(minutes(10), [2, 0, 3]), (minutes(20), [0, 0, 10])], 10)
    assert first == "M10.0 96h80.0V120h-80.0z"
    assert second == ""
    assert third == "M10.0 60h80.0V96h-80.0z" + "M110.0 0h80.0V120h-80.0z"
    assert charts.bars(HOUR, [], 1) == ()


@given(st.lists(st.tuples(st.integers(-200, 200), st.integers(0, 200))))
def test_a_strip_shows_what_was_within_it_and_nothing_else(times: list[tuple[int, int]]) -> None:
    """No piece leaves the strip, and none is too thin to be seen."""
    stretches = [(minutes(begin), minutes(begin + length)) for begin, length in times]
    pieces = charts.strip(BEGIN, minutes(60), stretches)
    assert len(pieces) == sum(first < minutes(60) and last > BEGIN for first, last in stretches)
    assert all(piece.x >= 0 and piece.width >= charts.THIN and piece.x + piece.width <= STRIP + 0.1 for piece in pieces)


@pytest.mark.parametrize("span", list(Span))
def test_no_shape_leaves_its_box(span: Span) -> None:
    """Whatever the numbers are: every point and bar is where it can be seen."""
    drawn = trends.trends(history(span), NOW)
    for chart in drawn.charts:
        numbers = [float(number) for number in re.findall(r"(?<!h-)[\d.]+", "".join((chart.line, chart.area, *chart.bars)))]
        assert numbers
        assert all(0 <= number <= WIDTH for number in numbers)
        assert len(chart.bars) == (0 if chart.title == "Waiting" else len(chart.parts))
        assert sum(part.total for part in chart.parts) or chart.title == "Waiting"
    assert drawn.ticks[-1] - drawn.ticks[0] == LENGTH[span]


def test_refusals_are_told_by_reason_and_the_rare_ones_together() -> None:
    """What is drawn adds up to what was refused."""
    refused = {"no_space": 5, "harvesting": 4, "too_big": 3, "timeout": 2, "bad_line": 1}
    point = Point(NOW, 0, 0, 0, 0, 0, refused, 0)
    chart = trends.trends(History(Span.HOUR, (point,), ()), NOW).charts[3]
    assert [(part.name, part.total) for part in chart.parts] == [
        ("no space", 5),
        ("harvesting", 4),
        ("too big", 3),
        ("for other reasons", 3),
    ]
    assert chart.said == "Refused in the last hour: no space 5, harvesting 4, too big 3, for other reasons 3."


def test_nothing_known_is_no_line_at_nought() -> None:
    """I8: a server that has just begun has no past."""
    drawn = trends.trends(History(Span.DAY, (), ()), NOW)
    assert all(chart.said == "Nothing is known of this time." and not chart.line and not chart.bars for chart in drawn.charts)
    past = trends.past(History(Span.MONTH, (), ()), "example.com", NOW)
    assert (past.day.known, past.day.away, past.day.said) == ((), (), "nothing known yet")


def test_a_past_that_began_late_says_since_when_it_is_known() -> None:
    """What was before is neither up nor down."""
    point = Point(ago(days=3), 0, 0, 0, 0, 0, {}, 0)
    outage = Outage("a.example", ago(hours=30), ago(hours=20), "")
    past = trends.past(History(Span.MONTH, (point,), (outage,)), "a.example", NOW)
    assert past.month.known[0].x == pytest.approx(
        STRIP * (1 - (timedelta(days=3) + STEP[Span.MONTH]) / timedelta(days=30)), abs=1
    )
    assert past.month.said == "away once, 10 h (known since 20 Nov, 02:35 UTC)"
    assert past.day.said == "away once, 4 h"
    assert past.day.away[0].x == 0
    older = Outage("a.example", ago(days=10), ago(days=9), "")
    past = trends.past(History(Span.MONTH, (point,), (outage, older)), "a.example", NOW)
    assert past.month.said == "away 2 times, 1 d 10 h (known since 13 Nov, 14:35 UTC)", "an outage is something that is known"
    assert past.outages == (outage, older)
