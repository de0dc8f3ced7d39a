"""What is wrong, at which figures, and in which words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backupmx.core import conditions, refusals
from backupmx.core.alerts import Condition, Kind
from backupmx.core.conditions import Facts
from backupmx.core.finding import Finding, Level
from backupmx.core.history import Point
from backupmx.core.refusals import Sudden
from backupmx.core.status import DomainStatus, Primary, PrimaryState, QueueStatus, Status

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GIB = 2**30
NOTHING = QueueStatus(0, 0, None, 0, 0)


def domain(state: PrimaryState = PrimaryState.UP, **more: Any) -> DomainStatus:
    told = {"since": NOW - 3 * HOUR, "last_error": more.pop("last_error", None)}
    quiet = DomainStatus("example.com", Primary(state, **told), 0, 0, None, None, 10 * 86400, route="mail.example.com:25")
    return msgspec.structs.replace(quiet, **more)


def facts(*domains: DomainStatus, queue: QueueStatus = NOTHING, **more: Any) -> Facts:
    status = Status("1.0", "mx2.example.net", NOW, queue, domains or (domain(),))
    known: dict[str, Any] = {"room": 10 * GIB, "used": GIB, "expires": NOW + 90 * DAY, "findings": ()}
    return Facts(status, **(known | more))


def found(given: Facts) -> tuple[Condition, ...]:
    return conditions.picture(given, ()).conditions


def one(given: Facts) -> Condition:
    (condition,) = found(given)
    assert condition.said.isprintable()
    assert condition.title.isprintable()
    return condition


def test_when_all_is_well_nothing_is_wrong() -> None:
    """Neither with a primary up nor with one that was not heard of yet."""
    assert found(facts()) == found(facts(domain(PrimaryState.UNKNOWN))) == ()


def test_a_primary_that_is_down_is_told_with_its_words_and_with_what_waits() -> None:
    """Since when, why, how much, and for how long it can wait."""
    waits = {"messages": 1204, "bytes": 3 * 2**20, "oldest": NOW - 3 * HOUR}
    condition = one(facts(domain(PrimaryState.DOWN, last_error="connection refused", **waits), delivered={"example.com": 7}))
    assert (condition.kind, condition.subject, condition.grave) == (Kind.PRIMARY_DOWN, "example.com", True)
    assert (condition.since, condition.delivered) == (NOW - 3 * HOUR, 7)
    assert condition.said == (
        "The primary of example.com (mail.example.com:25) has been down for 3 h: connection refused. "
        "1,204 messages (3.0 MiB) wait and are safe; the oldest can wait for another 9 d 21 h."
    )
    assert one(facts(domain(PrimaryState.DOWN))).said.endswith("has been down for 3 h. Nothing waits yet.")


def test_what_a_primary_says_is_not_obeyed() -> None:
    """I7: neither controls nor a megabyte of them."""
    said = one(facts(domain(PrimaryState.DOWN, last_error="\x1b[2J\u202e\r\nSubject: x" + "x" * 2**20))).said
    assert "\\x1b[2J\\u202e\\r\\nSubject: x" in said
    assert len(said) < 1000


def test_a_primary_that_is_not_believed_is_told_with_the_way_on() -> None:
    """I10: it answers, and refuses whom it had."""
    condition = one(facts(domain(last_error="it refuses mail that it used to accept: 550 5.1.1 no such user")))
    assert (condition.kind, condition.grave) == (Kind.PRIMARY_SUSPECT, True)
    assert "answers, but it refuses mail that it used to accept: 550 5.1.1 no such user. Nothing" in condition.said
    assert condition.said.endswith("If what it refuses is right: backupmx domain resume example.com")


@pytest.mark.parametrize(("used", "level"), [(4.9, 0), (5.0, 1), (8.9, 1), (9.0, 2), (11.0, 2)])
def test_the_window_is_told_at_half_and_at_nine_tenths(used: float, level: int) -> None:
    """Of the oldest message's; with the command that makes it longer."""
    given = facts(domain(messages=1, oldest=NOW - used * DAY))
    if not level:
        assert found(given) == ()
        return
    condition = one(given)
    assert (condition.kind, condition.level, condition.grave) == (Kind.WINDOW, level, level == 2)
    assert condition.said.endswith("backupmx domain set example.com holding_window=20d")


@pytest.mark.parametrize(
    ("room", "lasts", "level"),
    [
        (20, None, 0),
        (19, None, 1),
        (5, None, 1),
        (4, None, 2),
        (0, None, 3),
        (90, DAY, 0),
        (90, 23 * HOUR, 1),
        (90, 5 * HOUR, 2),
        (4, 23 * HOUR, 2),
    ],
)
def test_room_is_told_by_its_share_and_by_how_long_it_lasts(room: int, lasts: timedelta | None, level: int) -> None:
    """Under a fifth, or for less than a day; grave under a twentieth, for less than six hours, and at the end."""
    given = facts(room=room * GIB, used=(100 - room) * GIB, lasts=lasts)
    if not level:
        assert found(given) == ()
        return
    condition = one(given)
    assert (condition.kind, condition.level, condition.grave) == (Kind.ROOM, level, level > 1)
    assert "senders are told to come again later" in condition.said or f"{room} % of what can be held" in condition.said
    assert ("at the present rate" in condition.said) == (lasts is not None)


@pytest.mark.parametrize(("left", "level"), [(22 * DAY, 0), (21 * DAY, 1), (3 * DAY, 2), (-HOUR, 3)])
def test_a_certificate_is_told_three_weeks_and_three_days_before_and_when_it_has_expired(left: timedelta, level: int) -> None:
    """Grave from the second on."""
    given = facts(expires=NOW + left)
    levels = [(condition.level, condition.grave) for condition in found(given)]
    assert levels == ([(level, level > 1)] if level else [])
    assert not level or f"{NOW + left:%Y-%m-%d %H:%M} UTC" in one(given).said


def test_a_record_that_is_gone_is_told_with_how_to_mend_it() -> None:
    """The checks' own words; of other topics nothing."""
    bad = (
        Finding("mx", "example.com", Level.BAD, "No MX record names us\x1b.", "Set this one."),
        Finding("addresses", "example.com", Level.BAD, "It has no address."),
        Finding("mx", "example.org", Level.GOOD, "All is well."),
        Finding("addresses", "example.org", Level.ODD, "It is behind NAT."),
        Finding("clock", "", Level.BAD, "It is wrong."),
    )
    condition = one(facts(findings=bad))
    assert (condition.kind, condition.subject, condition.grave) == (Kind.DNS, "example.com", True)
    assert condition.said == "No MX record names us\\x1b. Set this one. It has no address."


def test_what_waits_for_an_admin_is_told_with_its_number() -> None:
    """Quarantine, damage, and books that do not balance."""
    quarantined, damaged = found(facts(domain(quarantined=3, damaged=1)))
    assert (quarantined.kind, quarantined.level, quarantined.grave) == (Kind.QUARANTINE, 3, False)
    assert quarantined.said.endswith("backupmx queue list --state quarantined --domain example.com")
    assert (damaged.kind, damaged.level, damaged.grave) == (Kind.DAMAGED, 1, True)
    assert damaged.said.startswith("1 message for example.com is damaged")
    books = one(facts(queue=msgspec.structs.replace(NOTHING, difference=2)))
    assert (books.kind, books.level, books.grave) == (Kind.BOOKS, 2, True)


def test_a_process_that_died_is_told_and_is_grave_when_it_does_so_again_and_again() -> None:
    """Within an hour."""
    once, often = found(facts(deaths={"edge0": 1, "courier": 3}))
    assert (once.kind, once.subject, once.level, once.grave) == (Kind.PROCESS, "edge0", 1, False)
    assert (often.level, often.grave) == (3, True)
    assert "3 times within the last hour" in often.said


def test_of_a_primary_that_was_not_asked_yet_nothing_can_be_told() -> None:
    """Nor of one that is down, whom it would refuse; nor of DNS before it was looked at, or when that failed."""
    keys = [(kind, "example.com") for kind in (Kind.PRIMARY_DOWN, Kind.PRIMARY_SUSPECT, Kind.DNS, Kind.ROOM)]
    broken = (Finding("mx", "example.com", Level.UNKNOWN, "No answer."),)
    found_nothing = conditions.picture(facts(domain(PrimaryState.UNKNOWN), findings=None), keys)
    assert found_nothing.unknown == set(keys[:3])
    assert conditions.picture(facts(domain(PrimaryState.DOWN), findings=broken), keys).unknown == set(keys[1:3])
    right = (Finding("mx", "example.com", Level.GOOD, "All is well."),)
    assert conditions.picture(facts(findings=right), keys).unknown == set()


def test_a_domain_that_was_removed_is_none_of_ours() -> None:
    """Nor is what DNS said of it."""
    keys = [(kind, "gone.example") for kind in Kind]
    ours = {Kind.ROOM, Kind.CERTIFICATE, Kind.BOOKS, Kind.PROCESS, Kind.REFUSALS}
    assert conditions.picture(facts(), keys).strange == {key for key in keys if key[0] not in ours}


def point(minutes_ago: int, **refused: int) -> Point:
    return Point(NOW - timedelta(minutes=minutes_ago), 0, 0, 0, 0, 0, refused, GIB)


def test_refusals_are_sudden_when_they_are_many_and_ten_times_what_is_usual() -> None:
    """By reason; only those for good; not before it is known what is usual."""
    hour = [point(minute, unknown_recipient=50, relaying_denied=9, harvesting=999) for minute in range(30)]
    day = [point(20 * step, unknown_recipient=20) for step in range(1, 11)]
    # the last ten minutes are no part of what is usual
    day.append(point(0, unknown_recipient=500, relaying_denied=90, harvesting=9999))
    assert refusals.sudden(hour, day, NOW) == {"unknown_recipient": Sudden(500, 10)}
    busy = [point(20 * step, unknown_recipient=200) for step in range(1, 11)]
    assert refusals.sudden(hour, [*busy, day[-1]], NOW) == {}
    assert refusals.sudden(hour, day[-3:], NOW) == {}
    condition = one(facts(sudden=refusals.sudden(hour, day, NOW)))
    assert (condition.kind, condition.subject, condition.level) == (Kind.REFUSALS, "unknown_recipient", 500)
    assert condition.said.startswith("500 refusals in the last 10 minutes because of unknown_recipient, where 10 are usual.")
