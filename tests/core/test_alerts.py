"""When admins are told: once, again when it is worse or lasts, when it is over, and never in a storm."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backupmx.core import alerts
from backupmx.core.alerts import Condition, Kind, Manner, Memory, Picture, Tiding, What

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MANNER = Manner()
GRACE, REMINDER = 10, 24 * 60


def down(subject: str = "example.com", **more: object) -> Condition:
    return msgspec.structs.replace(Condition(Kind.PRIMARY_DOWN, subject, "down", "It is down.", grave=True), **more)


def wrong(kind: Kind, level: int = 1, grave: bool = False, subject: str = "example.com") -> Condition:
    return Condition(kind, subject, "wrong", "It is wrong.", grave, level)


class Watcher:
    """Looks once a minute, and is made anew from what was written after each look, as by a restart."""

    def __init__(self, manner: Manner = MANNER) -> None:
        self.now = START
        self.memory = Memory()
        self.manner = manner
        self.told: list[tuple[int, Tiding]] = []
        """With the minute."""
        self.messages: list[datetime] = []

    def look(self, *conditions: Condition, minutes: int = 1, unknown: Iterable[alerts.Key] = (), **more: bool) -> list[What]:
        """So many looks at the same picture; returns what was told."""
        before = len(self.told)
        for _ in range(minutes):
            picture = Picture(conditions, frozenset(unknown))
            self.memory = msgspec.json.decode(msgspec.json.encode(self.memory), type=Memory)
            self.memory, tidings = alerts.step(self.memory, picture, self.now, self.manner, **more)
            self.told += [((self.now - START) // MINUTE, tiding) for tiding in tidings]
            if tidings:
                self.messages.append(self.now)
            self.now += MINUTE
        return [tiding.what for _, tiding in self.told[before:]]


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


def test_a_primary_that_is_down_is_told_after_its_grace_reminded_of_and_told_as_up(watcher: Watcher) -> None:
    """Once each; the all-clear knows since when it was."""
    assert watcher.look(down(), minutes=GRACE) == []
    assert watcher.look(down()) == [What.BEGAN]
    assert watcher.look(down(), minutes=REMINDER - 1) == []
    assert watcher.look(down()) == [What.LASTS]
    assert watcher.look(minutes=5) == []
    assert watcher.look(minutes=1) == [What.OVER]
    _, over = watcher.told[-1]
    assert over.trace.since == START
    assert over.trace.gone == START + timedelta(minutes=GRACE + 1 + REMINDER)
    assert watcher.look(minutes=3000) == []
    assert watcher.memory.traces == ()


def test_a_short_outage_is_nobodys_business(watcher: Watcher) -> None:
    """It is over before its grace is."""
    assert watcher.look(down(), minutes=GRACE - 1) + watcher.look(minutes=1000) == []
    assert watcher.memory.traces == ()


def test_the_grace_counts_from_when_it_went_down(watcher: Watcher) -> None:
    """Not from when it was looked at: a restart gives no new grace."""
    assert watcher.look(down(since=START - timedelta(minutes=GRACE))) == [What.BEGAN]


def test_anything_else_is_told_at_once(watcher: Watcher) -> None:
    """Grace is for primaries, which come and go."""
    assert watcher.look(wrong(Kind.DNS)) == [What.BEGAN]


def test_several_at_once_are_one_message_and_what_comes_soon_after_waits(watcher: Watcher) -> None:
    """A message, and the next one five minutes later with all that came meanwhile."""
    watcher.look(wrong(Kind.DNS), wrong(Kind.ROOM))
    assert [minute for minute, _ in watcher.told] == [0, 0]
    more = [wrong(Kind.DNS), wrong(Kind.ROOM)]
    for name in "abc":
        more.append(wrong(Kind.WINDOW, subject=name))
        watcher.look(*more)
    watcher.look(*more, minutes=10)
    assert [minute for minute, _ in watcher.told] == [0, 0, 5, 5, 5]


def test_a_step_further_is_told_and_a_step_back_is_not(watcher: Watcher) -> None:
    """Half of the window, then nine tenths; told once each, also when it wavers."""
    assert watcher.look(wrong(Kind.WINDOW), minutes=10) == [What.BEGAN]
    assert watcher.look(wrong(Kind.WINDOW, 2), minutes=10) == [What.WORSE]
    for level in (1, 2, 1, 2):
        assert watcher.look(wrong(Kind.WINDOW, level), minutes=10) == []


def test_a_reminder_forgets_no_step_that_was_told(watcher: Watcher) -> None:
    """Room that is gone, there is a little, and it is gone again: that was told."""
    assert watcher.look(wrong(Kind.ROOM, 3, grave=True), minutes=10) == [What.BEGAN]
    assert watcher.look(wrong(Kind.ROOM, 2, grave=True), minutes=REMINDER) == [What.LASTS]
    assert watcher.look(wrong(Kind.ROOM, 3, grave=True), minutes=10) == []


def test_each_further_message_in_quarantine_is_news_once_an_hour(watcher: Watcher) -> None:
    """Also when an admin removed others before; that they are gone is no news."""
    assert watcher.look(wrong(Kind.QUARANTINE, 3), minutes=10) == [What.BEGAN]
    assert watcher.look(wrong(Kind.QUARANTINE, 4), minutes=50) == []
    assert watcher.look(wrong(Kind.QUARANTINE, 9), minutes=10) == [What.WORSE]
    assert watcher.look(wrong(Kind.QUARANTINE, 2), minutes=100) == []
    assert watcher.look(wrong(Kind.QUARANTINE, 3)) == [What.WORSE]
    assert watcher.look(minutes=100) == []


def test_only_of_what_is_grave_anybody_is_reminded(watcher: Watcher) -> None:
    """A certificate with three weeks to go is told once."""
    assert watcher.look(wrong(Kind.CERTIFICATE), minutes=3 * REMINDER) == [What.BEGAN]
    assert watcher.look(wrong(Kind.CERTIFICATE, 2, grave=True), minutes=REMINDER + 1) == [What.WORSE, What.LASTS]


def test_what_comes_and_goes_is_one_condition(watcher: Watcher) -> None:
    """A primary that answers now and then is told once, and as up only when it has been so for a while."""
    told = watcher.look(down(), minutes=12)
    for _ in range(30):
        told += watcher.look(minutes=4) + watcher.look(down(), minutes=20)
    assert told == [What.BEGAN]
    assert watcher.look(minutes=6) == [What.OVER]


def test_the_oftener_it_comes_back_the_longer_it_must_stay_away(watcher: Watcher) -> None:
    """Eleven minutes down, seven up, for a day: not 160 messages."""
    told = [each for _ in range(80) for each in watcher.look(down(), minutes=11) + watcher.look(minutes=7)]
    assert told == [What.BEGAN, What.OVER, What.BEGAN]


def test_what_cannot_be_told_is_neither_over_nor_new(watcher: Watcher) -> None:
    """After a restart nobody knows of a primary before it was asked."""
    watcher.look(down(), minutes=12)
    assert watcher.look(minutes=1000, unknown=[down().key]) == []
    assert watcher.look(down(), minutes=100) == []


def test_what_is_none_of_ours_any_more_is_not_told_as_over(watcher: Watcher) -> None:
    """A domain that was removed while its primary was down."""
    watcher.look(down(), minutes=12)
    memory, tidings = alerts.step(watcher.memory, Picture((), strange=frozenset({down().key})), watcher.now, MANNER)
    assert (memory.traces, tidings) == ((), ())


def test_in_a_maintenance_window_nothing_is_told_and_afterwards_what_is_true_then(watcher: Watcher) -> None:
    """What holds still, and what was told before it and is over."""
    watcher.look(wrong(Kind.DNS), minutes=10)
    watcher.memory = msgspec.structs.replace(watcher.memory, muted=watcher.now + 2 * HOUR)
    assert watcher.look(down(), wrong(Kind.ROOM), minutes=60) == []
    assert watcher.look(down(), minutes=60) == []
    assert watcher.look(down(), minutes=1) == [What.BEGAN, What.OVER]
    assert {tiding.trace.kind for _, tiding in watcher.told[1:]} == {Kind.PRIMARY_DOWN, Kind.DNS}


def test_with_nobody_to_tell_it_is_kept_until_there_is(watcher: Watcher) -> None:
    """Who configures alerts during an outage is told of it."""
    assert watcher.look(down(), minutes=300, listening=False) == []
    assert watcher.look(down()) == [What.BEGAN]


def test_a_clock_that_is_set_back_silences_nobody(watcher: Watcher) -> None:
    """A board without a battery wakes up in the past."""
    watcher.look(wrong(Kind.DNS))
    watcher.now -= timedelta(days=300)
    assert watcher.look(wrong(Kind.DNS), wrong(Kind.ROOM)) == [What.BEGAN]


def test_what_stands_is_told_with_since_when_and_whether_it_was_told(watcher: Watcher) -> None:
    """For `backupmx alerts list`; also what was not looked at yet."""
    watcher.look(down(), minutes=12)
    one, other = alerts.standing(watcher.memory, (down(), wrong(Kind.DNS)), watcher.now)
    assert (one.since, one.told) == (START, START + timedelta(minutes=GRACE))
    assert (other.since, other.told) == (watcher.now, None)


SEGMENTS = st.lists(st.tuples(st.booleans(), st.integers(1, 90)), max_size=8)
"""Whether it holds, and for how many minutes."""


def run(segments: Sequence[tuple[bool, int]], condition: Condition) -> Watcher:
    watcher = Watcher()
    for holds, minutes in segments:
        watcher.look(*([condition] if holds else []), minutes=minutes)
    return watcher


@settings(max_examples=40, deadline=None)
@given(SEGMENTS, st.sampled_from([Kind.PRIMARY_DOWN, Kind.DNS, Kind.ROOM]))
def test_never_twice_never_silent(segments: Sequence[tuple[bool, int]], kind: Kind) -> None:
    """Began and over take turns; what lasts was told in the end, and what is gone was told as over."""
    condition = wrong(kind, grave=True)
    watcher = run(segments, condition)
    turns = [tiding.what for _, tiding in watcher.told if tiding.what in (What.BEGAN, What.OVER)]
    assert turns == [What.BEGAN, What.OVER] * (len(turns) // 2) + [What.BEGAN] * (len(turns) % 2)
    watcher.look(condition, minutes=GRACE + 6)
    assert watcher.told[-1][1].what is not What.OVER
    watcher.look(minutes=alerts.LONGEST_QUIET // MINUTE + 6)
    assert watcher.told[-1][1].what is What.OVER
    assert all(later - earlier >= alerts.PAUSE for earlier, later in zip(watcher.messages, watcher.messages[1:], strict=False))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(list(Kind)))
def test_never_a_storm(holds: int, pauses: int, kind: Kind) -> None:
    """Whatever comes and goes in whatever time, it is less than one message in two hours on the average, after the first few."""
    watcher = run([(True, holds), (False, pauses)] * (24 * 60 // (holds + pauses)), wrong(kind))
    assert len(watcher.messages) <= 14


@pytest.mark.parametrize(
    ("days", "looks", "due"),
    [
        (1, ["2026-11-23T12:00", "2026-11-24T05:59", "2026-11-24T06:00"], ("2026-11-23", "2026-11-24")),
        (1, ["2026-11-23T05:00", "2026-11-23T06:00"], ("2026-11-22", "2026-11-23")),
        (7, ["2026-11-23T12:00", "2026-11-29T12:00", "2026-11-30T06:00"], ("2026-11-23", "2026-11-30")),
    ],
)
def test_a_digest_is_due_in_the_morning_after(days: int, looks: list[str], due: tuple[str, str]) -> None:
    """Once; the first look only begins to count. A week begins on Monday."""
    memory = Memory()
    *early, last = (datetime.fromisoformat(look).replace(tzinfo=UTC) for look in looks)
    for look in early:
        memory, found = alerts.digest_due(memory, look, days)
        assert found is None
    memory, found = alerts.digest_due(memory, last, days)
    assert found == tuple(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in due)
    assert alerts.digest_due(memory, last + HOUR, days)[1] is None
    assert alerts.digest_due(memory, last - timedelta(days=3), days)[1] is None
