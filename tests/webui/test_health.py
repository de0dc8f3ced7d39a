"""Whether the house is well."""

import msgspec
import pytest
from past import FINDINGS, STATS
from samples import ago

from backupmx.core.books import Line
from backupmx.core.finding import About, Level, Report
from backupmx.core.history import Point
from webui.health import health

GIB = 2**30


def points(*rooms: int) -> list[Point]:
    """A measure each hour, the last one now."""
    return [Point(ago(hours=len(rooms) - 1 - n), 0, 0, 0, 0, 0, {}, room) for n, room in enumerate(rooms)]


@pytest.mark.parametrize(
    ("room", "past", "level", "said"),
    [
        (40 * GIB, points(40 * GIB, 40 * GIB), Level.GOOD, "40.0 GiB more can be taken; it does not become less at present."),
        (40 * GIB, (), Level.GOOD, "40.0 GiB more can be taken; it does not become less at present."),
        (10 * GIB, points(11 * GIB, 10 * GIB), Level.ODD, "10.0 GiB more can be taken; it lasts 10 h at the present rate."),
        (40 * 2**20, (), Level.ODD, "40.0 MiB more can be taken; it does not become less at present."),
        (0, points(GIB, 0), Level.BAD, "None: new mail is put off (452 4.3.1) until there is some. What is held stays safe."),
    ],
)
def test_room_is_told_as_time(room: int, past: list[Point], level: Level, said: str) -> None:
    """How long it lasts at the present rate; somebody is to look before it is too late."""
    (finding,) = health(msgspec.structs.replace(STATS, room=room), past, None, None).own
    assert (finding.level, finding.topic, finding.said) == (level, "room", said)


def test_books_that_do_not_balance_are_our_fault() -> None:
    """I11: never a shrug."""
    (finding,) = health(None, (), Line(3, 1, waiting=2), None).own
    assert finding.level is Level.GOOD
    (finding,) = health(None, (), Line(3, 1, waiting=1), None).own
    assert finding.level is Level.BAD and "1 recipient cannot be accounted for" in finding.said


def test_the_gravest_comes_first_and_the_good_apart() -> None:
    """Who reads the first line has read what matters."""
    bad, unknown = About("mx", "a.example").bad("gone", "set it"), About("port25").unknown("nobody could look", "look")
    found = health(None, (), None, Report((*FINDINGS, unknown, bad), ago(minutes=1)))
    assert found.troubles == (bad, FINDINGS[3], unknown)
    assert found.good == FINDINGS[:3]
    assert health(None, (), None, None).looked is None
