"""What follows from points and outages: steps, how long the room lasts, a month in a line."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from backupmx.core import history, words
from backupmx.core.books import Line
from backupmx.core.history import Outage, Point, Sums

T0 = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def point(at: datetime, room: int = 0, waiting: int = 0, refused: Mapping[str, int] | None = None, **flows: int) -> Point:
    return Point(
        at, waiting, waiting * 10, **({"accepted": 0, "relayed": 0, "delivered": 0} | flows), refused=refused or {}, room=room
    )


def test_counters_that_began_anew_never_count_backwards() -> None:
    """A server that was restarted has counted from nothing; a reason that is new was 0."""
    before = Sums(10, 5, 3, {"a": 7, "b": 2})
    assert Sums(12, 5, 9, {"a": 7, "b": 5, "c": 1}).since(before) == Sums(2, 0, 6, {"b": 3, "c": 1})
    assert Sums(4, 0, 3, {"a": 1}).since(before) == Sums(4, 0, 0, {"a": 1})


def test_points_of_one_step_are_put_together() -> None:
    """What there is, is that of its end; what happened, is the sum; of a step without points nothing is known."""
    step = timedelta(minutes=20)
    found = history.together(
        [
            point(T0 + 41 * MINUTE, waiting=5, accepted=1),
            point(T0 + MINUTE, waiting=1, accepted=2, refused={"a": 1}),
            point(T0 + 20 * MINUTE, waiting=7, accepted=3, delivered=1, refused={"a": 1, "b": 2}, room=9),
        ],
        step,
    )
    assert found == (
        point(T0 + 20 * MINUTE, waiting=7, accepted=5, delivered=1, refused={"a": 2, "b": 2}, room=9),
        point(T0 + 41 * MINUTE, waiting=5, accepted=1),
    )


def test_how_long_the_room_lasts_follows_from_how_it_went_down() -> None:
    """Nothing is said when it does not, when too little is known, or when it would be for ever."""
    assert history.room_lasts([point(T0, 1000), point(T0 + HOUR, 900)]) == 9 * HOUR
    assert history.room_lasts([point(T0, 1000), point(T0 + 30 * MINUTE, 2000), point(T0 + HOUR, 0)]) == timedelta(0)
    assert history.room_lasts([point(T0, 1000), point(T0 + HOUR, 1000)]) is None
    assert history.room_lasts([point(T0, 1000), point(T0 + HOUR, 1001)]) is None
    assert history.room_lasts([point(T0, 1000), point(T0 + MINUTE, 900)]) is None
    assert history.room_lasts([point(T0, 2**60), point(T0 + HOUR, 2**60 - 1)]) is None
    assert history.room_lasts([point(T0, 1000)]) is None
    assert history.room_lasts([]) is None


def outage(began: timedelta, ended: timedelta | None, domain: str = "a.test") -> Outage:
    return Outage(domain, T0 + began, None if ended is None else T0 + ended, "refused")


def test_a_month_has_what_lies_in_it() -> None:
    """An outage that began before it or lasts counts as far as it is in it; what overlaps is one."""
    line = Line(accepted=212, delivered=200, returned=2, waiting=9)
    found = history.month(
        T0,
        T0 + 10 * DAY,
        "",
        [
            outage(-HOUR, HOUR),
            outage(DAY, DAY + 2 * HOUR),
            outage(DAY + HOUR, DAY + 3 * HOUR, "b.test"),
            outage(9 * DAY, None),
            outage(-2 * DAY, -DAY),
            outage(5 * DAY, 5 * DAY),
        ],
        line,
        41 * MINUTE,
    )
    assert (found.outages, found.away, found.kept, found.lost) == (3, HOUR + 3 * HOUR + DAY, 212, 1)
    assert words.month(found) == "3 outages, 212 messages kept, 1 lost, longest wait 41 min"
    december = history.month(history.next_month(T0), T0 + 90 * DAY, "", [outage(29 * DAY, 31 * DAY)], Line(), timedelta(0))
    assert (december.first.month, december.outages, december.away) == (12, 1, DAY)
    one = history.month(T0, T0 + DAY, "a.test", [outage(HOUR, 2 * HOUR)], Line(accepted=1, waiting=1), timedelta(0))
    assert words.month(one) == "1 outage, 1 message kept, 0 lost, longest wait 0 s"


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "11-2026", "2026-11-01", "november", "2026-00"])
def test_what_is_no_month_is_said_to_be_none(text: str) -> None:
    """With how it is written."""
    with pytest.raises(ValueError, match="2026-11"):
        history.month_named(text)
    assert history.month_named("2026-12") == datetime(2026, 12, 1, tzinfo=UTC)
    assert history.next_month(history.month_named("2026-12")) == datetime(2027, 1, 1, tzinfo=UTC)
