"""The pauses between attempts grow, and stay within what is configured."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import schedule

PAUSES = st.timedeltas(timedelta(seconds=1), timedelta(days=1))


@given(deferrals=st.integers(0, 10**9), pauses=st.tuples(PAUSES, PAUSES).map(sorted))
def test_the_pause_doubles_up_to_the_longest(deferrals: int, pauses: list[timedelta]) -> None:
    """I9: whatever the count, it is between the first and the last, and never shorter than the one before."""
    first, last = pauses
    pause = schedule.backoff(deferrals, first, last)
    assert first <= pause <= last
    assert schedule.backoff(deferrals + 1, first, last) == min(pause * 2, last)
    assert schedule.backoff(0, first, last) == first


@given(late=st.timedeltas(timedelta(days=-60), timedelta(days=60)), window=st.timedeltas(timedelta(hours=1), timedelta(days=60)))
def test_the_window_ends_once(late: timedelta, window: timedelta) -> None:
    """To the microsecond, from arrival."""
    arrived = datetime(2026, 3, 1, tzinfo=UTC)
    assert schedule.expired(arrived, window, arrived + window + late) == (late >= timedelta(0))
