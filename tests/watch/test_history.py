"""What is remembered of how things went, over restarts, in a file that may be spoilt."""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from backupmx.core.history import KEPT, Outage, Span, Sums
from backupmx.core.message import State
from backupmx.core.queue import Census, Count
from backupmx.core.status import Primary, PrimaryState
from backupmx.watch.history import GAP, MOST_OUTAGES, History

T0 = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
UP, UNKNOWN = Primary(PrimaryState.UP, T0), Primary(PrimaryState.UNKNOWN)
DOWN = Primary(PrimaryState.DOWN, T0, "connection refused")
SUSPECT = Primary(PrimaryState.UP, T0, "it refuses mail that it used to accept: 550 5.1.1 no")
HOSTILE = "550 \x00\x1b[2J' OR 1=1; DROP TABLE point; -- \u202e\ud800<script>" + "x" * 100_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


@contextmanager
def opened(path: Path, now: datetime = T0, *domains: str) -> Iterator[History]:
    """As one instance has it."""
    past = History(path, domains or ("one.example", "two.example"), now)
    yield past
    past.close(now)


class Minutes:
    """Takes a sample a minute; each time 2 messages came, 3 recipients were delivered to, and one command refused."""

    def __init__(self, past: History, now: datetime) -> None:
        self.past, self.now = past, now
        self.number = 0

    def __call__(self, minutes: int) -> datetime:
        for _ in range(minutes):
            n, self.number = self.number, self.number + 1
            census = Census({State.WAITING: Count(n, n * 100, T0), State.HELD: Count(7, 7, T0)}, {})
            self.past.sample(self.now, census, 10**9 - n, Sums(2 * n, n, 3 * n, {"no-such-user": n}))
            if self.past.news:
                assert self.past.write(self.now)
            self.now += MINUTE
        return self.now - MINUTE


def totals(past: History, span: Span, now: datetime) -> tuple[int, int, int, int]:
    points = past.told(span, now).points
    refused = sum(point.refused.get("no-such-user", 0) for point in points)
    return len(points), sum(point.accepted for point in points), sum(point.delivered for point in points), refused


def test_the_first_sample_is_where_counting_begins(path: Path) -> None:
    """Of what was before nothing is known; from then on each minute has what came in it."""
    with opened(path) as past:
        minutes = Minutes(past, T0)
        assert past.told(Span.HOUR, minutes(1)).points == ()
        (point,) = past.told(Span.HOUR, minutes(1)).points
        assert (point.at, point.waiting, point.bytes, point.room) == (T0 + MINUTE, 1, 100, 10**9 - 1)
        assert (point.accepted, point.relayed, point.delivered, point.refused) == (2, 1, 3, {"no-such-user": 1})


def test_each_span_has_its_steps_and_loses_nothing(path: Path) -> None:
    """The last hour by the minute; a day and a month from what is in the file and what is not yet."""
    with opened(path) as past:
        minutes = Minutes(past, T0)
        now = minutes(3 * 60 + 6)
        assert totals(past, Span.HOUR, now) == (60, 120, 180, 60)
        assert totals(past, Span.DAY, now) == (10, 370, 555, 185)
        assert totals(past, Span.MONTH, now) == (1, 370, 555, 185)
        points = past.told(Span.DAY, now).points
        assert [point.waiting for point in points[:2]] == [20, 40]
        assert points[-1].at == now


def test_the_file_is_written_seldom(path: Path) -> None:
    """A card lives for years: a row of ten minutes every ten minutes, and nothing in between."""
    with opened(path) as past:
        minutes = Minutes(past, T0)
        minutes(1)
        writes = 0
        for _ in range(100):
            before = path.stat().st_mtime_ns, path.read_bytes()
            minutes(1)
            writes += before != (path.stat().st_mtime_ns, path.read_bytes())
        assert writes == 9
        rows = sqlite3.connect(path)
        assert rows.execute("SELECT count(*), sum(accepted) FROM point").fetchone() == (9, 180)
        rows.close()


def test_a_restart_goes_on_where_it_was(path: Path) -> None:
    """Also the minutes: a reload leaves no hole in the last hour; what was in no row yet gets into one."""
    with opened(path) as past:
        minutes = Minutes(past, T0)
        now = minutes(36)
        expected = past.told(Span.HOUR, now).points
    with opened(path, now) as past:
        assert past.told(Span.HOUR, now).points == expected
        assert totals(past, Span.DAY, now) == (2, 70, 105, 35)
        minutes.past = past
        minutes.number = 0
        now = minutes(20)
        # the first one after a start is where counting begins again
        assert totals(past, Span.HOUR, now)[1] == totals(past, Span.DAY, now)[1] == 70 + 38


def test_what_a_crash_loses_is_some_minutes(path: Path) -> None:
    """The rows are there, and the outages."""
    past = History(path, ("one.example",), T0)
    past.primary("one.example", DOWN, T0)
    now = Minutes(past, T0)(36)
    with opened(path, now + MINUTE) as after:
        assert totals(after, Span.DAY, now + MINUTE)[1] == 60
        assert after.told(Span.DAY, now).outages == (Outage("one.example", T0, None, "connection refused"),)


def test_what_is_old_goes(path: Path) -> None:
    """After 62 days; an outage that lasts stays, however old."""
    with opened(path) as past:
        past.primary("one.example", DOWN, T0)
        past.primary("one.example", UP, T0 + HOUR)
        past.primary("two.example", DOWN, T0)
        past.delivered("one.example", HOUR, T0)
        Minutes(past, T0)(30)
    later = T0 + KEPT + DAY
    with opened(path, later) as past:
        past.primary("two.example", DOWN, later)
        Minutes(past, later)(12)
        assert past.since(later) == later - KEPT
        assert [each.domain for each in past.outages(T0 - DAY, later)] == ["two.example"]
        assert past.longest_waits(T0 - DAY, later) == {}
    rows = sqlite3.connect(path)
    assert rows.execute("SELECT count(*) FROM point WHERE at < ?", (int(later.timestamp()) - 3600,)).fetchone() == (0,)
    rows.close()


def test_a_primary_is_away_while_it_is_down_or_not_believed(path: Path) -> None:
    """With the words of its first moment; what is no news changes nothing, and nothing is known before it was heard of."""
    with opened(path) as past:
        past.primary("one.example", UNKNOWN, T0)
        past.primary("one.example", UP, T0)
        assert past.told(Span.DAY, T0 + MINUTE).outages == ()
        past.primary("one.example", DOWN, T0 + MINUTE)
        past.primary("one.example", UNKNOWN, T0 + 2 * MINUTE)
        past.primary("one.example", DOWN, T0 + 2 * MINUTE)
        past.primary("one.example", SUSPECT, T0 + 3 * MINUTE)
        now = T0 + 4 * MINUTE
        expected = Outage("one.example", T0 + MINUTE, None, "connection refused")
        assert past.told(Span.DAY, now).outages == (expected,)
        assert past.news
        past.write(now)
        assert not past.news
        past.primary("one.example", UP, now)
        past.primary("one.example", SUSPECT, now + MINUTE)
        past.primary("two.example", DOWN, now + 2 * MINUTE)
        found = past.told(Span.HOUR, now + 3 * MINUTE).outages
        assert [(each.domain, each.began, each.ended) for each in found] == [
            ("two.example", now + 2 * MINUTE, None),
            ("one.example", now + MINUTE, None),
            ("one.example", T0 + MINUTE, now),
        ]
        assert found[1].why == SUSPECT.last_error
    with opened(path, now + 4 * MINUTE) as past:
        assert past.told(Span.HOUR, now + 3 * MINUTE).outages == found


def test_an_outage_lasts_over_a_restart(path: Path) -> None:
    """It is one, and ends when the primary is seen again."""
    with opened(path) as past:
        now = Minutes(past, T0)(5)
        past.primary("one.example", DOWN, T0 + MINUTE)
    with opened(path, now + MINUTE) as past:
        past.primary("one.example", DOWN, now + 2 * MINUTE)
        past.primary("one.example", UP, now + 5 * MINUTE)
        (outage,) = past.outages(T0, now + DAY)
        assert (outage.began, outage.ended) == (T0 + MINUTE, now + 5 * MINUTE)


def test_what_was_while_nobody_looked_is_nobody_s_outage(path: Path) -> None:
    """We were away for days: all that is known is how it was when we went; of a domain that is gone nothing lasts."""
    with opened(path) as past:
        past.primary("one.example", DOWN, T0)
        past.primary("two.example", DOWN, T0)
        past.primary("three.example", DOWN, T0)
        looked = Minutes(past, T0)(8)
    now = looked + GAP + 2 * DAY
    with opened(path, now) as past:
        past.primary("one.example", UP, now)
        past.primary("two.example", DOWN, now)
        past.primary("two.example", UP, now + HOUR)
        ends = {outage.domain: outage.ended for outage in past.outages(T0, now + DAY)}
        assert ends == {"one.example": looked, "two.example": now + HOUR, "three.example": looked}


def test_a_primary_that_comes_and_goes_for_ever_is_told_in_bounds(path: Path) -> None:
    """I4: the newest."""
    with opened(path) as past:
        for number in range(MOST_OUTAGES + 50):
            past.primary("one.example", UP if number % 2 else DOWN, T0 + number * MINUTE)
            past.primary("two.example", DOWN if number % 2 else UP, T0 + number * MINUTE)
        past.write(T0 + DAY)
        found = past.told(Span.MONTH, T0 + DAY).outages
        assert len(found) == MOST_OUTAGES
        assert all(one.began >= other.began for one, other in itertools.pairwise(found))
        assert len(past.outages(T0, T0 + DAY)) == MOST_OUTAGES + 50
        past.primary("three.example", DOWN, T0)
        past.write(T0 + DAY)
    with opened(path, T0 + DAY, "one.example", "two.example", "three.example") as past:
        past.primary("three.example", UP, T0 + DAY)
        assert past.outages(T0, T0 + 2 * DAY)[-1].ended == T0 + DAY


def test_the_longest_wait_of_each_day_is_kept(path: Path) -> None:
    """By the day on which it ended, over restarts."""
    with opened(path) as past:
        past.delivered("one.example", 5 * MINUTE, T0)
        past.delivered("one.example", 3 * MINUTE, T0)
        past.delivered("two.example", HOUR, T0 + DAY)
        assert past.longest_waits(T0, T0 + DAY) == {"one.example": 5 * MINUTE}
    with opened(path) as past:
        past.delivered("one.example", 4 * MINUTE, T0)
        assert past.longest_waits(T0, T0 + 2 * DAY) == {"one.example": 5 * MINUTE, "two.example": HOUR}
    with opened(path) as past:
        assert past.longest_waits(T0, T0 + DAY) == {"one.example": 5 * MINUTE}
        past.delivered("one.example", 6 * MINUTE, T0 + HOUR)
    with opened(path) as past:
        assert past.longest_waits(T0, T0 + DAY) == {"one.example": 6 * MINUTE}
        assert past.longest_waits(T0 + DAY, T0 + 2 * DAY) == {"two.example": HOUR}


def test_hostile_words_are_kept_as_words(path: Path) -> None:
    """I7, I4: what a primary says is cut, and stays text."""
    with opened(path) as past:
        past.primary("one.example", Primary(PrimaryState.DOWN, T0, HOSTILE), T0)
    with opened(path) as past:
        (outage,) = past.outages(T0, T0 + DAY)
        assert len(outage.why) <= 200
        assert outage.why.startswith("550 \x00\x1b[2J' OR 1=1; DROP TABLE point; -- \u202e?<script>")


def spoil_head(path: Path) -> None:
    path.write_bytes(b"no database at all " * 1000)


def spoil_page(path: Path) -> None:
    octets = bytearray(path.read_bytes())
    octets[4096:8192] = b"\xff" * 4096
    path.write_bytes(bytes(octets))


def spoil_tail(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def from_the_future(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()


def with_rubbish_in_it(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("UPDATE minute SET refused = 'x', waiting = 'many'")
    file.close()


@pytest.mark.parametrize("spoil", [spoil_head, spoil_page, spoil_tail, from_the_future, with_rubbish_in_it])
def test_a_file_that_is_no_use_is_set_aside(path: Path, spoil: Any) -> None:
    """Never a reason not to start: it is told where it is, and a new one is begun."""
    with opened(path) as past:
        now = Minutes(past, T0)(25)
    spoil(path)
    spoilt = path.read_bytes()
    with capture_logs() as logged, opened(path, now) as past:
        assert [line["path"] for line in logged if line["event"] == "history set aside"] == [f"{path}.damaged"]
        assert Path(f"{path}.damaged").read_bytes() == spoilt
        past.primary("one.example", DOWN, now)
        now = Minutes(past, now)(25)
        assert totals(past, Span.DAY, now)[1] == 48
    with opened(path, now) as past:
        assert totals(past, Span.DAY, now)[1] == 48
        assert len(past.outages(T0, now)) == 1


def test_a_file_that_is_spoilt_meanwhile_is_begun_anew(path: Path) -> None:
    """With all that lasts, and what was to be written."""
    with capture_logs() as logged, opened(path) as past:
        past.primary("one.example", DOWN, T0)
        assert past.write(T0)
        spoil_head(path)
        past.primary("two.example", DOWN, T0 + MINUTE)
        assert not past.write(T0 + MINUTE)
        assert past.write(T0 + 2 * MINUTE)
        assert past.since(T0 + 2 * MINUTE) == T0 + MINUTE
        assert "history set aside" in [line["event"] for line in logged]
    with opened(path) as past:
        assert {each.domain for each in past.outages(T0 - DAY, T0 + DAY)} == {"one.example", "two.example"}


def test_where_no_file_can_be_it_is_remembered_without(tmp_path: Path) -> None:
    """A directory that is not there, for instance; the log tells."""
    with capture_logs() as logged, opened(tmp_path / "nowhere" / "history.sqlite") as past:
        assert [line["event"] for line in logged] == ["trouble"]
        now = Minutes(past, T0)(25)
        assert totals(past, Span.DAY, now)[1] == 48


def test_what_cannot_be_written_now_is_written_later(path: Path) -> None:
    """A disk that is full for a time: another process holds the file here, which looks the same from inside."""
    with capture_logs(), opened(path) as past:
        other = sqlite3.connect(path, isolation_level=None)
        past._archive._file.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN EXCLUSIVE")
        past.primary("one.example", DOWN, T0)
        past.delivered("one.example", HOUR, T0)
        assert not past.write(T0)
        past.primary("one.example", UP, T0 + MINUTE)
        assert past.news
        other.execute("ROLLBACK")
        other.close()
        assert past.write(T0 + MINUTE)
    with opened(path) as past:
        assert past.outages(T0, T0 + DAY) == (Outage("one.example", T0, T0 + MINUTE, "connection refused"),)
        assert past.longest_waits(T0, T0 + DAY) == {"one.example": HOUR}


def test_a_clock_that_is_set_back_leaves_no_future_behind(path: Path) -> None:
    """The last hour ends now."""
    with opened(path) as past:
        minutes = Minutes(past, T0)
        minutes(30)
        minutes.now = T0 + 10 * MINUTE
        now = minutes(5)
        points = past.told(Span.HOUR, now).points
        assert points[-1].at == now
        assert all(one.at < other.at for one, other in itertools.pairwise(points))
