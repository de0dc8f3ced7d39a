"""What is known of recipients, from every source; what is learned by the way, and when it is written."""

from datetime import timedelta
from pathlib import Path

import pytest

from backupmx.core.belief import DAY, EVERYBODY, Acquaintance, Belief, Learned, Word
from backupmx.core.outcome import Reply
from backupmx.core.roll import MOST_LOST
from backupmx.errors import SpoolFull
from backupmx.spool.memory_roll import MemoryRoll
from tests.admission.house import House, policies

D = "example.com"
YES, NO = Reply(250, "2.1.5 ok"), Reply(550, "5.1.1 no")


async def enlist(house: House, *names: str) -> None:
    number = await house.roll.begin_list(D)
    await house.roll.enlist(D, number, names)
    await house.roll.close_list(D, number, MOST_LOST)


async def test_what_was_learned_is_known_at_once_and_written_later() -> None:
    house = House(policies(D))
    house.knowledge.learn(D, "Ann", YES)
    assert house.knowledge.belief(D, "ann") is Belief.KNOWN
    assert house.roll.recall(D, "ann") is None
    await house.knowledge.write()
    assert house.roll.recall(D, "ann") == Learned(Word.KNOWN, 0, when=int(house.now.timestamp()))


@pytest.mark.parametrize(
    ("keys", "known", "unknown"),
    [
        ({}, ["ann", "ANN", "ann+tag", "Ann+a+b"], ["ann-tag", "+ann", "bob"]),
        ({"recipient_delimiter": ""}, ["ann", "ANN"], ["ann+tag"]),
        ({"recipient_delimiter": "-+"}, ["ann-x", "ann+x"], ["annx"]),
        ({"recipient_case": "keep"}, ["ann", "ann+tag"], ["Ann"]),
    ],
)
def test_extensions_and_case_are_as_configured(keys: dict[str, str], known: list[str], unknown: list[str]) -> None:
    house = House(policies(D, **keys))
    house.knowledge.learn(D, "ann", YES)
    assert {name: house.knowledge.belief(D, name) for name in known} == dict.fromkeys(known, Belief.KNOWN)
    assert {name: house.knowledge.belief(D, name) for name in unknown} == dict.fromkeys(unknown, Belief.UNKNOWN)


async def test_an_outage_of_sixty_days_makes_nobody_unknown() -> None:
    """The clocks stand still; an old no stays doubtful."""
    house = House(policies(D))
    house.knowledge.learn(D, "ann", YES)
    house.knowledge.learn(D, "bob", NO)
    house.pass_time(timedelta(hours=3), up=True)
    house.pass_time(timedelta(days=60), up=False)
    assert house.knowledge.belief(D, "ann") is Belief.KNOWN
    assert house.knowledge.belief(D, "bob") is Belief.STALE_GONE
    house.pass_time(timedelta(days=31), up=True)
    assert house.knowledge.belief(D, "ann") is Belief.UNKNOWN
    house.knowledge.learn(D, "cyd", NO)
    assert house.knowledge.belief(D, "cyd") is Belief.GONE
    house.pass_time(timedelta(days=3), up=False)
    assert house.knowledge.belief(D, "cyd") is Belief.STALE_GONE  # to be asked again once somebody is there to be asked


async def test_of_a_primary_that_takes_everybody_nobody_is_written_down() -> None:
    """Else a stranger who makes addresses up would fill the roll."""
    house = House(policies(D))
    house.knowledge.learn_everybody(D, YES)
    for number in range(100):
        house.knowledge.learn(D, f"made-up{number}", YES)
    await house.knowledge.write()
    assert isinstance(house.roll, MemoryRoll)
    assert set(house.roll.learned) == {(D, EVERYBODY)}
    assert house.knowledge.belief(D, "made-up1000") is Belief.KNOWN


async def test_what_waits_to_be_written_is_bounded() -> None:
    """I4: while the spool is stuck."""
    house = House(policies(D))
    for number in range(5000):
        house.knowledge.learn(D, f"user{number}", YES)
    await house.knowledge.write()
    assert isinstance(house.roll, MemoryRoll)
    assert len(house.roll.learned) == 1000


async def test_a_spool_that_cannot_be_written_costs_nothing_but_what_was_learned() -> None:
    """I9."""

    class Full(MemoryRoll):
        async def learn(self, *_: object) -> None:
            raise SpoolFull("full")

    house = House(policies(D), roll=Full())
    house.knowledge.learn(D, "ann", YES)
    await house.knowledge.write()
    assert house.knowledge.belief(D, "ann") is Belief.UNKNOWN


async def test_a_list_in_the_roll_and_one_in_a_file_are_both_believed(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("ann@example.com\n")
    house = House(policies(D, recipients="list", recipient_list=str(path), recipient_case="keep"))
    assert house.knowledge.listed(D, "bob") is False
    await enlist(house, "bob", "dan")
    names = ("ann", "bob", "Bob", "bob+tag", "cyd")
    assert [house.knowledge.listed(D, name) for name in names] == [True, True, True, True, False]
    await enlist(house, "bob", "dan", "*")
    assert house.knowledge.listed(D, "cyd")


async def test_without_any_list_nothing_is_told() -> None:
    house = House(policies(D, recipients="list", recipient_list="/nowhere/list"))
    assert house.knowledge.listed(D, "ann") is None
    assert not house.knowledge.warm(D)
    await enlist(house, "bob")
    house.now += timedelta(minutes=2)
    assert house.knowledge.listed(D, "ann") is False
    assert house.knowledge.warm(D)


async def test_a_domain_is_warm_when_enough_of_its_recipients_could_be_answered() -> None:
    """By those who exist, over a month; a stranger's guesses do not count."""
    house = House(policies(D))
    for number in range(40):
        for _ in range(3):  # one who gets much mail is one
            house.knowledge.count(D, f"user{number}", answered=number >= 4)
    assert not house.knowledge.warm(D)
    await house.knowledge.write()
    house.now += timedelta(minutes=2)
    assert house.knowledge.warm(D)
    assert house.knowledge.acquaintance(D) == Acquaintance(asked=40, answered=36)
    house.now += timedelta(days=8)
    assert house.knowledge.warm(D)
    assert house.knowledge.acquaintance(D) == Acquaintance()
    house.now += timedelta(days=30)
    assert not house.knowledge.warm(D)


async def test_how_well_a_domain_is_known_is_told() -> None:
    house = House(policies(D))
    house.knowledge.learn(D, "ann", YES)
    house.knowledge.learn(D, "bob", NO)
    await house.knowledge.write()
    await enlist(house, *(f"user{number}" for number in range(10)))
    await enlist(house, "user1")
    known = house.knowledge.acquaintance(D)
    assert known == Acquaintance(known=1, listed=10, waiting=1, lost=9)


def test_a_month_is_one_of_the_primary_s_clock() -> None:
    """What is kept of a recipient says when it was learned by that clock, not by ours."""
    house = House(policies(D))
    house.pass_time(timedelta(days=3), up=True)
    house.pass_time(timedelta(days=300), up=False)
    house.knowledge.learn(D, "ann", YES)
    house.health.seconds += 31 * DAY - 1
    assert house.knowledge.belief(D, "ann") is Belief.REFRESH
