"""What `ports.Roll` promises, asked of the LMDB roll and of the in-memory fake alike."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from backupmx.core.belief import EVERYBODY, Learned, Word
from backupmx.core.roll import MOST_LOST, Adopted, Entry
from backupmx.ports import Roll
from backupmx.spool import layout
from backupmx.spool.memory_roll import MemoryRoll
from backupmx.spool.store import LmdbSpool

OURS, OTHER = "example.com", "example.org"


@pytest.fixture(params=["lmdb", "memory"])
def roll(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Roll]:
    """Each in turn."""
    if request.param == "memory":
        yield MemoryRoll()
        return
    layout.prepare(tmp_path / "spool")
    store = LmdbSpool(tmp_path / "spool", owner="test", reserve=0, map_size=256 * 2**20)
    yield store.roll
    store.close()


async def put_list(roll: Roll, *locals_: str, domain: str = OURS) -> Adopted | None:
    """A whole list; returns what waits for approval."""
    number = await roll.begin_list(domain)
    await roll.enlist(domain, number, locals_[:3])
    await roll.enlist(domain, number, locals_[3:])
    return (await roll.close_list(domain, number, MOST_LOST)).waiting


async def test_what_was_learned_is_recalled_of_its_address_alone(roll: Roll) -> None:
    await roll.learn(OURS, {"ann": Learned(Word.KNOWN, 5), "bob": Learned(Word.GONE, 6, "550 no")})
    assert roll.recall(OURS, "ann") == Learned(Word.KNOWN, 5)
    assert roll.recall(OURS, "bob") == Learned(Word.GONE, 6, "550 no")
    assert roll.recall(OURS, "an") is None
    assert roll.recall(OTHER, "ann") is None
    await roll.learn(OURS, {"ann": None, "nobody": None})
    assert roll.recall(OURS, "ann") is None


async def test_the_known_are_counted(roll: Roll) -> None:
    await roll.learn(OURS, {"ann": Learned(Word.KNOWN, 5), "bob": Learned(Word.GONE, 6), "cyd": Learned(Word.KNOWN, 7)})
    await roll.learn(OURS, {"ann": Learned(Word.KNOWN, 8), "cyd": Learned(Word.GONE, 8), "bob": Learned(Word.KNOWN, 8)})
    assert roll.known(OURS) == 2
    assert roll.known(OTHER) == 0
    await roll.learn(OURS, {"ann": None, EVERYBODY: Learned(Word.KNOWN, 8)})
    assert roll.known(OURS) == 1  # a note about everybody is nobody's
    assert await roll.sweep(OURS, Word.KNOWN, 9) == 2
    assert roll.known(OURS) == 0


async def test_an_address_that_no_key_can_hold_is_unknown(roll: Roll) -> None:
    """The grammar takes longer paths than LMDB's keys."""
    long = "x" * 511
    await roll.learn(OURS, {"ann": Learned(Word.KNOWN, 1)})
    if not isinstance(roll, MemoryRoll):
        await roll.learn(OURS, {long: Learned(Word.KNOWN, 1)})
        await put_list(roll, long)
    assert roll.recall(OURS, long) is None
    assert not roll.listed(OURS, long)


async def test_old_answers_are_swept_by_kind(roll: Roll) -> None:
    await roll.learn(OURS, {f"gone{n}": Learned(Word.GONE, n) for n in range(2500)})
    await roll.learn(OURS, {f"ann{n}": Learned(Word.KNOWN, n) for n in range(10)})
    assert await roll.sweep(OURS, Word.GONE, 2400) == 2400
    assert roll.recall(OURS, "gone2399") is None
    assert roll.recall(OURS, "gone2400") is not None
    assert await roll.sweep(OURS, Word.KNOWN, 4) == 4
    assert roll.known(OURS) == 6


async def test_a_list_counts_when_it_is_complete(roll: Roll) -> None:
    number = await roll.begin_list(OURS)
    await roll.enlist(OURS, number, ["ann", "*"])
    assert not roll.listed(OURS, "ann")
    lists = await roll.close_list(OURS, number, MOST_LOST)
    assert lists.adopted == Adopted(number, 2)
    assert roll.listed(OURS, "ann")
    assert roll.listed(OURS, "*")
    assert not roll.listed(OTHER, "ann")


async def test_a_list_that_lacks_more_than_a_tenth_waits_for_approval(roll: Roll) -> None:
    people = [f"user{n}" for n in range(20)]
    assert await put_list(roll, *people) is None
    assert await put_list(roll, *people[2:], "new") is None  # exactly a tenth
    assert not roll.listed(OURS, "user1")
    assert roll.listed(OURS, "new")
    waiting = await put_list(roll, *people[5:], "newer")
    assert waiting is not None
    assert (waiting.entries, waiting.lost) == (16, 4)
    assert roll.listed(OURS, "user4")
    assert not roll.listed(OURS, "newer")
    assert await put_list(roll, *people[5:], "newest") is not None  # takes the other's place
    lists = await roll.approve_list(OURS)
    assert lists.waiting is None
    assert [roll.listed(OURS, name) for name in ("user4", "user5", "newer", "newest")] == [False, True, False, True]


async def test_entries_of_today_stay_while_another_list_comes(roll: Roll) -> None:
    await put_list(roll, "ann", "bob")
    number = await roll.begin_list(OURS)
    await roll.enlist(OURS, number, ["ann", "cyd"])
    assert [roll.listed(OURS, name) for name in ("ann", "bob", "cyd")] == [True, True, False]
    # it is never completed; the next one does
    await put_list(roll, "ann", "bob", "dan")
    assert [roll.listed(OURS, name) for name in ("ann", "bob", "cyd", "dan")] == [True, True, False, True]


async def test_a_list_that_was_overtaken_is_not_adopted(roll: Roll) -> None:
    first = await roll.begin_list(OURS)
    await roll.enlist(OURS, first, ["ann"])
    await put_list(roll, "bob")
    await roll.close_list(OURS, first, MOST_LOST)
    assert roll.listed(OURS, "bob")
    assert not roll.listed(OURS, "ann")


async def test_parts_of_an_older_list_take_nothing_from_a_newer_one(roll: Roll) -> None:
    await put_list(roll, "ann", "bob")
    older = await roll.begin_list(OURS)
    newer = await roll.begin_list(OURS)
    await roll.enlist(OURS, newer, ["ann", "bob"])
    await roll.enlist(OURS, older, ["ann"])
    lists = await roll.close_list(OURS, newer, MOST_LOST)
    assert lists.adopted == Adopted(newer, 2)
    assert [roll.listed(OURS, name) for name in ("ann", "bob")] == [True, True]


@pytest.mark.parametrize("meets", range(4))
async def test_a_list_that_begins_while_another_is_adopted_keeps_its_people(roll: Roll, meets: int) -> None:
    """The rewriting of a long list takes several transactions; parts of the next one come between them."""
    people = [f"user{number:05}" for number in range(7000)]
    await put_list(roll, *people)
    number = await roll.begin_list(OURS)
    await roll.enlist(OURS, number, people)
    closing = asyncio.create_task(roll.close_list(OURS, number, MOST_LOST))
    for _ in range(meets):
        await asyncio.sleep(0.005)
    newer = await roll.begin_list(OURS)
    await roll.enlist(OURS, newer, people[::-1])
    await closing
    assert all(roll.listed(OURS, name) for name in people)
    lists = await roll.close_list(OURS, newer, MOST_LOST)
    assert lists.waiting is None
    assert lists.adopted is not None
    assert lists.adopted.entries in (7000, 0)[: 1 + (lists.adopted.number != newer)]
    assert all(roll.listed(OURS, name) for name in people)


async def test_a_page_has_both_kinds_in_order(roll: Roll) -> None:
    await roll.learn(OURS, {"ann": Learned(Word.KNOWN, 1), "cyd": Learned(Word.GONE, 1)})
    await roll.learn(OTHER, {"else": Learned(Word.KNOWN, 1)})
    await put_list(roll, "ann", "bob")
    whole = (
        Entry("ann", Learned(Word.KNOWN, 1), True),
        Entry("bob", None, True),
        Entry("cyd", Learned(Word.GONE, 1), False),
    )
    assert roll.page(OURS, "", 10) == whole
    assert roll.page(OURS, "", 2) == whole[:2]
    assert roll.page(OURS, "bob", 2) == whole[2:]


async def test_days_are_counted_and_summed(roll: Roll) -> None:
    await roll.count(OURS, 100, 5, 1)
    await roll.count(OURS, 100, 5, 3)
    await roll.count(OURS, 130, 2, 2)
    assert roll.counts(OURS, 100) == (12, 6)
    assert roll.counts(OURS, 101) == (2, 2)
    assert roll.counts(OTHER, 0) == (0, 0)


async def test_networks_that_reach_only_us_are_counted(roll: Roll) -> None:
    await roll.count_return(OURS, "192.0.2.0/24", 2)
    await roll.count_return(OURS, "192.0.2.0/24", 1)
    await roll.count_return(OURS, "2001:db8::/64", 1)
    assert roll.returns(OURS) == {"192.0.2.0/24": 3, "2001:db8::/64": 1}
    assert roll.returns(OTHER) == {}


async def test_clocks_are_kept(roll: Roll) -> None:
    await roll.set_clocks({OURS: 12, OTHER: 13})
    assert (roll.clock(OURS), roll.clock(OTHER), roll.clock("else.test")) == (12, 13, 0)
