"""The status in words: the same on the page and in the terminal."""

from datetime import UTC, datetime, timedelta

import pytest

from backupmx.core import words
from backupmx.core.message import State
from backupmx.core.queue import Census, Count
from backupmx.core.status import DomainView, Primary, PrimaryState, Status, compose

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
UP, UNKNOWN = Primary(PrimaryState.UP), Primary(PrimaryState.UNKNOWN)
DOUBTFUL = Primary(PrimaryState.UP, NOW, "it refuses mail that it used to accept: 550 5.1.1 no")
DOWN = Primary(PrimaryState.DOWN, NOW - timedelta(hours=3, minutes=12))


def status(total: dict[State, Count], **primaries: Primary) -> Status:
    views = {f"{name}.example": DomainView(primary, None, timedelta(days=10)) for name, primary in primaries.items()}
    return compose("1", "mx2", NOW, Census(total, {}), views)


@pytest.mark.parametrize(
    ("found", "begins"),
    [
        (status({}, a=UP, b=UP), "All is well: every primary is up, and nothing waits."),
        (status({}, a=UNKNOWN), "Nothing waits."),
        (status({}, a=DOWN), "The primary of a.example has been down for 3 h 12 min; nothing waits"),
        (status({}, a=DOWN, b=DOWN), "The primaries of a.example and b.example have been down for 3 h 12 min;"),
        (status({}, a=DOWN, b=DOWN, c=DOWN, d=DOWN), "The primaries of 4 domains have been down for 3 h 12 min;"),
        (status({}, a=DOUBTFUL, b=UP), "The server of a.example answers, but refuses mail that it used to accept; nothing waits"),
        (
            status({State.WAITING: Count(3, 2048, NOW)}, a=DOUBTFUL, b=DOUBTFUL),
            "The servers of a.example and b.example answer, but refuse mail that they used to accept; 3 messages (2.0 KiB) are",
        ),
        (
            status({State.WAITING: Count(1, 2048, NOW - timedelta(seconds=40))}, a=UP),
            "1 message (2.0 KiB) waits, the oldest for 40 s.",
        ),
        (
            status({State.WAITING: Count(1234, 5 * 2**30, NOW)}, a=DOWN),
            "The primary of a.example has been down for 3 h 12 min; 1,234",
        ),
    ],
)
def test_what_matters_most_is_said_first(found: Status, begins: str) -> None:
    """I8: a primary that is down comes before everything, and nothing is called well that is not."""
    assert words.sentence(found).startswith(begins)


def test_what_waits_for_an_admin_is_never_left_out() -> None:
    """Also when all else is well."""
    total = {State.HELD: Count(2), State.QUARANTINED: Count(1), State.DAMAGED: Count(3)}
    assert words.sentence(status(total, a=UP)).endswith("For an admin to see to: 2 held, 1 quarantined and 3 damaged.")


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (102_350, "100 KiB"),
        (1_048_064, "1.0 MiB"),
        (50 * 2**20, "50.0 MiB"),
        (2**50, "1024 TiB"),
    ],
)
def test_sizes_have_three_figures_or_so(octets: int, said: str) -> None:
    """Enough to decide by."""
    assert words.size(octets) == said


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=2, minutes=5, seconds=59), "2 h 5 min"),
        (timedelta(days=3, hours=4, minutes=59), "3 d 4 h"),
    ],
)
def test_times_have_two_units_at_most(length: timedelta, said: str) -> None:
    """Enough to decide by."""
    assert words.span(length) == said
