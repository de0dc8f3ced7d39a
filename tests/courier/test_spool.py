"""The courier and the real store: what one says of a message the other keeps, also on bad days (I1, I9)."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from backupmx.core.ids import MessageId
from backupmx.core.message import Lease, Notice, State
from backupmx.core.outcome import Outcome
from backupmx.courier.carrier import SETTLEMENTS
from backupmx.courier.transaction import Patience
from backupmx.errors import SpoolFull, SpoolUnusable
from backupmx.spool import layout
from backupmx.spool.memory import MemorySpool
from backupmx.spool.store import LmdbSpool
from tests.courier.house import START, House, Time, acquainted, breathe, house, put, settings, until
from tests.courier.primary import SILENCE, ScriptedPrimary


@pytest.fixture
def lmdb(tmp_path: Path) -> Iterator[LmdbSpool]:
    """A real spool."""
    layout.prepare(tmp_path)
    spool = LmdbSpool(tmp_path, owner="test", reserve=0, map_size=2**28)
    yield spool
    spool.close()


async def test_five_hundred_messages_are_drained_each_once_octet_for_octet(lmdb: LmdbSpool) -> None:
    """I1, I4: more than the window of leases, in batches, over the connections that the ramp allows and no more."""
    async with ScriptedPrimary() as primary:
        contents = {b"Subject: %d\r\n\r\n.%d\r\n" % (n, n) + b"x" * n + b"\r\n" for n in range(600)}
        for content in contents:
            await put(lmdb, content=content)
        async with house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=7), lmdb) as at:
            await until(at.empty, within=20)
        assert len(primary.received) == 600
        assert {got.content for got in primary.received} == contents
        assert max(primary.most_open_at) <= 7 + 1  # one may still be saying goodbye


async def test_the_oldest_leave_first() -> None:
    """After an outage nobody is overtaken."""
    async with ScriptedPrimary() as primary:
        spool = MemorySpool()
        for hours in (3, 9, 1, 7, 5):
            await put(spool, content=b"Subject: %d\r\n\r\n" % hours, arrived=START - timedelta(hours=hours))
        async with house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=1), spool) as at:
            await until(at.empty)
        assert [got.content[9:10] for got in primary.received] == [b"9", b"7", b"5", b"3", b"1"]


async def test_one_domain_does_not_wait_for_the_queue_of_another() -> None:
    """Both have a share of the connections that they have in common."""
    async with ScriptedPrimary() as primary:
        spool = MemorySpool()
        for _ in range(300):
            await put(spool, "user@big.test", arrived=START - timedelta(hours=1))
        await put(spool, "user@small.test")
        told = settings([f"127.0.0.1:{primary.port}"], ["big.test", "small.test"], max_connections_per_route=1)
        async with house(told, spool) as at:
            await until(at.empty)
        places = [got.rcpts[0] for got in primary.received].index("user@small.test")
        assert places < 60


async def test_two_hundred_and_fifty_recipients_go_in_three_transactions() -> None:
    """RFC 5321 section 4.5.3.1.8: every server takes a hundred; each recipient has the message once."""
    to = [f"u{number}@example.com" for number in range(250)]
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await put(at.spool, *to)
        at.courier.wake()
        await until(at.empty)
        assert [len(got.rcpts) for got in primary.received] == [100, 100, 50]
        assert [address for got in primary.received for address in got.rcpts] == to


async def test_a_message_for_two_domains_goes_to_each_of_their_primaries() -> None:
    """I2: each domain's recipients only to that domain's route."""
    async with ScriptedPrimary() as one, ScriptedPrimary() as two:
        told = settings([f"127.0.0.1:{one.port}"], ["one.test", "two.test"])
        other = settings([f"127.0.0.1:{two.port}"], ["two.test"]).domains
        told = told.model_copy(update={"domains": {**told.domains, **other}})
        async with house(told) as at:
            await put(at.spool, "a@one.test", "b@two.test", "c@one.test")
            at.courier.wake()
            await until(at.empty)
        assert [got.rcpts for got in one.received] == [["a@one.test", "c@one.test"]]
        assert [got.rcpts for got in two.received] == [["b@two.test"]]


async def test_an_admins_retry_is_heard_at_once() -> None:
    """A deferred message that an admin wants tried now does not wait for its time."""
    async with (
        ScriptedPrimary().on("RCPT", "450 4.2.0 busy", times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        id = await put(at.spool)
        at.courier.wake()
        await until(lambda: at.said(id) and at.spool.get(id).state() is State.WAITING)
        await at.spool.retry([id], at.time.now)
        at.courier.wake()
        await until(at.empty)
        assert at.time.now == START


async def test_a_message_that_was_removed_or_held_while_leased_is_not_sent() -> None:
    """An admin's wish holds for all that is not on its way yet."""
    async with ScriptedPrimary() as primary:
        async with house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=1)) as at:
            await acquainted(at, 3)
            primary.gate.clear()
            first, removed, held = [await put(at.spool) for _ in range(3)]
            at.courier.wake()
            await until(lambda: primary.verbs["DATA"] == 4)
            await until(lambda: at.spool.get(held).state() is State.LEASED)
            await at.spool.remove([removed], "admin", "", at.time.now)
            await at.spool.hold([held], "admin", "to look at", at.time.now)
            await at.time.advance(3)
            primary.gate.set()
            await until(lambda: at.spool.get(first) is None)
            await breathe()
        assert len(primary.received) == 4
        assert at.spool.get(held).state() is State.HELD


async def test_stop_cuts_off_what_does_not_end_within_the_grace_and_the_next_courier_has_it() -> None:
    """I1: the lease of a message that was cut off is reclaimed, not waited for."""
    spool = MemorySpool()
    time = Time()
    async with ScriptedPrimary().on("DOT", SILENCE, times=1) as primary:
        told = settings([f"127.0.0.1:{primary.port}"])
        at = House(spool, told, time, patience=Patience())
        running = asyncio.create_task(at.courier.run())
        id = await put(spool)
        await until(lambda: primary.verbs["DATA"] == 1)
        await at.courier.stop(timedelta(seconds=0.05))
        await running
        assert spool.get(id).state() is State.LEASED
        async with house(told, spool, time) as again:
            await until(again.empty)
        assert len(primary.received) == 1


class Full(MemorySpool):
    """A disk without room to record anything, until there is."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True
        self.refused = 0

    async def settle(
        self, lease: Lease, outcomes: Mapping[str, Outcome], now: datetime, due: datetime, notices: Sequence[Notice] = ()
    ) -> Sequence[Notice]:
        if self.full:
            self.refused += 1
            raise SpoolFull("no room")
        return await super().settle(lease, outcomes, now, due, notices)


async def test_what_cannot_be_recorded_is_not_followed_by_more() -> None:
    """I1: on a full disk at most a few messages are on record as waiting though the primary has them; none comes twice."""
    async with ScriptedPrimary() as primary:
        spool = Full()
        for _ in range(50):
            await put(spool)
        async with house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=2), spool) as at:
            await until(lambda: spool.refused >= 2)
            for _ in range(10):
                await at.time.advance(1)
            before = len(primary.received)
            assert before <= 2 * (SETTLEMENTS + 1)
            spool.full = False
            await at.time.advance(2)
            await until(at.empty)
        assert len(primary.received) == 50


class Broken(MemorySpool):
    """An environment that must be opened anew."""

    async def settle(
        self, lease: Lease, outcomes: Mapping[str, Outcome], now: datetime, due: datetime, notices: Sequence[Notice] = ()
    ) -> Sequence[Notice]:
        raise SpoolUnusable("the meta page was not written")


async def test_a_broken_spool_ends_the_courier() -> None:
    """So that the supervisor starts it anew on a sound one."""
    async with ScriptedPrimary() as primary:
        spool = Broken()
        await put(spool)
        courier = House(spool, settings([f"127.0.0.1:{primary.port}"]), Time(), Patience()).courier
        with pytest.raises(ExceptionGroup) as caught:
            await courier.run()
        assert caught.group_contains(SpoolUnusable)
        await courier.stop()


class Buggy(MemorySpool):
    """Has a bug for one message."""

    def content(self, id: MessageId) -> Iterator[bytes]:
        if b"bug" in self.contents[id]:
            raise ZeroDivisionError
        return super().content(id)


async def test_a_bug_costs_one_message_its_turn_and_no_other() -> None:
    """I9: it stays, and the others go on."""
    async with ScriptedPrimary() as primary:
        spool = Buggy()
        bad = await put(spool, content=b"Subject: bug\r\n\r\n")
        for _ in range(5):
            await put(spool)
        async with house(settings([f"127.0.0.1:{primary.port}"]), spool):
            await until(lambda: list(spool.messages) == [bad])
        assert len(primary.received) == 5
        assert spool.get(bad).state() in (State.LEASED, State.WAITING)
