"""What `ports.Spool` promises, asked of the LMDB store and of the in-memory fake alike."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupmx.core.message import Fate, State
from backupmx.core.outcome import Deferred, Delivered, Failed, Reply
from backupmx.core.queue import Count, Filter
from backupmx.ports import Spool
from backupmx.spool import layout
from backupmx.spool.memory import MemorySpool
from backupmx.spool.store import LmdbSpool
from tests.spool.samples import envelope, listed, new_id, put

T0 = datetime(2026, 5, 3, 12, tzinfo=UTC)
SOON = T0 + timedelta(minutes=5)
LATER = T0 + timedelta(hours=1)
DONE = Delivered(Reply(250, "2.0.0 ok"), "primary")
NOT_NOW = Deferred(Reply(451, "4.3.0 later"), "primary")
NEVER = Failed(Reply(550, "5.1.1 no such user"), "primary")


async def expire(spool: Spool, domain: str, upto: datetime, now: datetime) -> list[str]:
    """The end of the window, and nobody is told."""
    return list(await spool.expire(domain, {message.id: () for message in spool.late(domain, upto, now, 9)}, upto, now))


@pytest.fixture(params=["lmdb", "memory"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Spool]:
    """Each store in turn."""
    if request.param == "memory":
        yield MemorySpool()
        return
    layout.prepare(tmp_path / "spool")
    store = LmdbSpool(tmp_path / "spool", owner="test", reserve=0, map_size=256 * 2**20)
    yield store
    store.close()


async def test_what_is_committed_is_there_and_nothing_else(spool: Spool) -> None:
    """I1: content byte for byte; an abandoned or unfinished message is invisible."""
    for size in (0, 1, 4096, 262_127, 262_128, 262_129, 700_000):
        content = bytes(range(256)) * (size // 256 + 1)
        id = await put(spool, T0, content[:size])
        assert b"".join(spool.content(id)) == content[:size]
        message = spool.get(id)
        assert message is not None
        assert (message.size, message.arrived, message.state()) == (size, T0, State.WAITING)
    before = spool.census()
    intake = spool.intake(new_id())
    await intake.write(b"x" * 600_000)
    assert spool.get(intake.id) is None
    await intake.abandon()
    assert spool.census() == before


async def test_a_commit_is_finished_when_its_caller_is_cancelled(spool: Spool) -> None:
    """I1: begun is done."""
    intake = spool.intake(new_id())
    await intake.write(b"x")
    task = asyncio.create_task(intake.commit(envelope(), T0))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await put(spool, T0)
    assert spool.get(intake.id) is not None


async def test_a_lease_takes_the_oldest_due_and_counts_the_attempt(spool: Spool) -> None:
    """Nobody else gets a leased message until the lease lapses."""
    ids = [await put(spool, T0 + timedelta(seconds=n)) for n in range(3)]
    first = await spool.lease("example.com", "me", SOON, LATER, 2)
    assert [lease.message.id for lease in first] == ids[:2]
    assert first[0].message.schedule["example.com"].attempts == 1
    assert first[0].recipients == ("u@example.com",)
    assert spool.get(ids[0]).state() is State.LEASED  # type: ignore[union-attr]
    assert [lease.message.id for lease in await spool.lease("example.com", "you", SOON, LATER, 9)] == ids[2:]
    assert await spool.lease("example.com", "you", SOON, LATER, 9) == ()
    assert spool.next_due("example.com") == LATER
    lapsed = await spool.lease("example.com", "you", LATER, LATER + timedelta(hours=1), 9)
    assert len(lapsed) == 3
    assert lapsed[0].message.schedule["example.com"].attempts == 2


async def test_settle_records_each_recipient_by_address(spool: Spool) -> None:
    """Delivered, deferred and failed in one message; it leaves with its last recipient."""
    id = await put(spool, T0, b"x", "a@example.com", "b@example.com", "c@example.com")
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 9)
    outcomes = {"a@example.com": DONE, "b@example.com": NOT_NOW, "c@example.com": NEVER}
    await spool.settle(lease, outcomes, T0, SOON)
    message = spool.get(id)
    assert message is not None
    assert [message.fate(f"{name}@example.com") for name in "abc"] == [Fate.DELIVERED, Fate.PENDING, Fate.QUARANTINED]
    assert message.progress["b@example.com"].said == "451 4.3.0 later"
    assert message.schedule["example.com"].deferrals == 1
    assert message.state() is State.WAITING
    assert spool.next_due("example.com") == SOON
    (lease,) = await spool.lease("example.com", "me", SOON, LATER, 9)
    assert lease.recipients == ("b@example.com",)
    await spool.settle(lease, {"b@example.com": DONE}, SOON, LATER)
    assert spool.get(id).state() is State.QUARANTINED  # type: ignore[union-attr]
    assert spool.next_due("example.com") is None
    assert await spool.release([id], "petra", "", SOON) == (id,)
    (lease,) = await spool.lease("example.com", "me", SOON, LATER, 9)
    assert lease.recipients == ("c@example.com",)
    await spool.settle(lease, {"c@example.com": DONE}, SOON, LATER)
    assert spool.get(id) is None
    assert spool.census().total == {}


async def test_a_lease_given_back_costs_nothing(spool: Spool) -> None:
    """No outcomes: nothing is held against the message."""
    id = await put(spool, T0)
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 9)
    await spool.settle(lease, {}, T0, T0)
    assert spool.get(id).schedule["example.com"].deferrals == 0  # type: ignore[union-attr]
    assert spool.next_due("example.com") == T0


async def test_two_domains_wait_for_themselves(spool: Spool) -> None:
    """One counts in the total, one for each domain; one's delivery leaves the other waiting."""
    id = await put(spool, T0, b"12345", "a@one.test", "b@two.test")
    census = spool.census()
    assert census.total == {State.WAITING: Count(1, 5, T0)}
    assert census.domains == {name: {State.WAITING: Count(1, 5, T0)} for name in ("one.test", "two.test")}
    (lease,) = await spool.lease("one.test", "me", T0, LATER, 9)
    assert lease.recipients == ("a@one.test",)
    await spool.settle(lease, {"a@one.test": DONE}, T0, SOON)
    assert spool.census().domains == {"two.test": {State.WAITING: Count(1, 5, T0)}}
    assert spool.next_due("one.test") is None
    (lease,) = await spool.lease("two.test", "me", T0, LATER, 9)
    await spool.settle(lease, {"b@two.test": NEVER}, T0, SOON)
    assert spool.census().total == {State.QUARANTINED: Count(1, 5, T0)}
    assert spool.get(id) is not None


async def test_held_messages_stay_and_keep_what_is_learned(spool: Spool) -> None:
    """Also when they were leased at the time."""
    id = await put(spool, T0, b"x", "a@example.com", "b@example.com")
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 9)
    assert await spool.hold([id], "petra", "looks odd", T0) == (id,)
    assert await spool.hold([id], "petra", "twice", T0) == ()
    await spool.settle(lease, {"a@example.com": DONE}, T0, SOON)
    assert await spool.lease("example.com", "me", LATER, LATER, 9) == ()
    assert spool.next_due("example.com") is None
    assert set(spool.census().total) == {State.HELD}
    assert spool.late("example.com", LATER, LATER, 9) == ()
    assert await spool.retry([id], T0) == ()
    assert await spool.release([id], "petra", "", SOON) == (id,)
    assert await spool.release([id], "petra", "", SOON) == ()
    (lease,) = await spool.lease("example.com", "me", SOON, LATER, 9)
    assert lease.recipients == ("b@example.com",)


async def test_settling_a_removed_message_does_nothing(spool: Spool) -> None:
    """It stays gone."""
    id = await put(spool, T0)
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 9)
    assert await spool.remove([id, new_id()], "petra", "", T0) == (id,)
    await spool.settle(lease, {"u@example.com": NOT_NOW}, T0, SOON)
    assert spool.get(id) is None
    assert spool.next_due("example.com") is None


async def test_reclaim_frees_what_a_dead_owner_had(spool: Spool) -> None:
    """At once, and nobody else's."""
    await put(spool, T0)
    await put(spool, T0)
    await spool.lease("example.com", "dead", T0, LATER, 1)
    await spool.lease("example.com", "alive", T0, LATER, 1)
    assert await spool.reclaim("dead", SOON) == 1
    assert await spool.reclaim("dead", SOON) == 0
    assert len(await spool.lease("example.com", "new", SOON, LATER, 9)) == 1


async def test_retry_hurries_what_waits(spool: Spool) -> None:
    """And leaves leased messages to their courier."""
    one, two = await put(spool, T0), await put(spool, T0)
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 1)
    await spool.settle(lease, {"u@example.com": NOT_NOW}, T0, LATER)
    await spool.lease("example.com", "me", T0, LATER, 1)
    assert set(await spool.retry([one, two], SOON)) == {lease.message.id}
    assert spool.next_due("example.com") == SOON


async def test_a_domain_is_hurried_as_a_whole(spool: Spool) -> None:
    """What waits for a later attempt, up to a limit; what is due, leased or another domain's is left alone."""
    for _ in range(3):
        await put(spool, T0, b"x", "u@example.com", "v@example.org")
    await put(spool, T0)
    for lease in await spool.lease("example.com", "me", T0, LATER, 3):
        await spool.settle(lease, {"u@example.com": NOT_NOW}, T0, LATER)
    await spool.lease("example.com", "me", T0, LATER, 1)
    assert await spool.hurry("example.com", LATER, SOON, 2) == 0
    assert await spool.hurry("example.com", SOON, SOON, 2) == 2
    assert await spool.hurry("example.com", SOON, SOON, 2) == 1
    assert await spool.hurry("example.com", SOON, SOON, 2) == 0
    assert len(await spool.lease("example.com", "you", SOON, LATER, 9)) == 3
    assert spool.next_due("example.org") == T0


async def test_the_end_of_the_window_quarantines(spool: Spool) -> None:
    """With the primary's last words kept."""
    old, young = await put(spool, T0), await put(spool, SOON)
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 1)
    await spool.settle(lease, {"u@example.com": NOT_NOW}, T0, LATER)
    assert await expire(spool, "example.com", T0, SOON) == [old]
    message = spool.get(old)
    assert message is not None
    assert message.state() is State.QUARANTINED
    assert "451 4.3.0 later" in message.progress["u@example.com"].said
    assert spool.get(young).state() is State.WAITING  # type: ignore[union-attr]


async def test_what_is_leased_does_not_expire_until_its_lease_does(spool: Spool) -> None:
    """Its courier sees to it; else a message could be delivered, and its sender be told that it was not."""
    id = await put(spool, T0, b"x", "a@example.com", "b@example.com")
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 1)
    assert spool.late("example.com", SOON, SOON, 9) == ()
    assert await spool.expire("example.com", {id: ()}, SOON, SOON) == {}
    assert [message.id for message in spool.late("example.com", SOON, LATER, 9)] == [id]
    assert await expire(spool, "example.com", SOON, LATER) == [id]
    await spool.settle(lease, {"a@example.com": NOT_NOW, "b@example.com": DONE}, LATER, LATER)
    message = spool.get(id)
    assert message is not None
    assert [message.fate(f"{name}@example.com") for name in "ab"] == [Fate.QUARANTINED, Fate.DELIVERED]
    assert message.state() is State.QUARANTINED


async def test_a_damaged_message_is_set_aside_and_may_be_released(spool: Spool) -> None:
    """Only an admin moves it."""
    id = await put(spool, T0)
    await spool.set_aside(id, "digest", T0)
    assert spool.get(id).state() is State.DAMAGED  # type: ignore[union-attr]
    assert spool.next_due("example.com") is None
    assert await spool.hold([id], "petra", "", T0) == ()
    assert set(spool.census().total) == {State.DAMAGED}
    assert await spool.release([id], "petra", "", SOON) == (id,)
    assert spool.next_due("example.com") == SOON


async def test_pages_are_newest_first_and_follow_each_other(spool: Spool) -> None:
    """With every filter."""
    ids = [await put(spool, T0 + timedelta(seconds=n), b"x", f"u{n}@example.com", sender=f"s{n}@x.test") for n in range(7)]
    await spool.hold(ids[:2], "petra", "", T0)
    seen, after = [], None
    while True:
        page = spool.page(Filter(), after, 3)
        seen += [message.id for message in page.messages]
        after = page.after
        if after is None:
            break
    assert seen == ids[::-1]
    for wanted, expected in (
        (Filter(state=State.HELD), ids[1::-1]),
        (Filter(state=State.WAITING), ids[:1:-1]),
        (Filter(sender="S3@"), [ids[3]]),
        (Filter(recipient="u4@example"), [ids[4]]),
        (Filter(before=T0 + timedelta(seconds=2)), ids[1::-1]),
        (Filter(domain="example.com", state=State.HELD), ids[1::-1]),
        (Filter(domain="other.test"), []),
    ):
        assert [message.id for message in listed(spool, wanted)] == expected
    assert spool.matching(ids[0][:25]) == tuple(sorted(id for id in ids if id[:25] == ids[0][:25]))[:2]
    assert spool.matching(ids[0].lower()) == (ids[0],)
    with pytest.raises(ValueError, match="U"):
        spool.matching("U")
