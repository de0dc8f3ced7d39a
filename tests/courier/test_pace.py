"""The drain's pace: how wide it is, what makes it narrower, and how many messages a minute a domain may have."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from backupmx.config import Settings
from backupmx.courier.crew import SUBSTITUTES
from backupmx.courier.pace import Pace
from backupmx.courier.transaction import Patience
from backupmx.spool.memory import MemorySpool
from tests.courier.house import START, House, breathe, house, put, settings, until
from tests.courier.primary import CHUNKS, EXTENSIONS, ScriptedPrimary

PATIENCE = Patience()
"""Primaries that are slow here are never given up."""


@pytest.fixture(params=[EXTENSIONS, CHUNKS], ids=["data", "chunks"])
def primary(request: pytest.FixtureRequest) -> ScriptedPrimary:
    return ScriptedPrimary(request.param)


def begun(primary: ScriptedPrimary) -> int:
    """Messages whose content was to come."""
    return primary.verbs["DATA"] + primary.verbs["BDAT"]


async def still(primary: ScriptedPrimary) -> int:
    """The same, once nothing moves any more."""
    seen = -1
    while seen != begun(primary):
        seen = begun(primary)
        await breathe()
        await asyncio.sleep(0.02)
    return seen


async def wide(primary: ScriptedPrimary, at: House) -> None:
    """Messages enough to have the ramp at its end."""
    for _ in range(60):
        await put(at.spool)
    at.courier.wake()
    await until(at.empty)


async def held(primary: ScriptedPrimary, at: House, messages: int, content: bytes = b"Subject: x\r\n\r\nx\r\n") -> int:
    """So many more messages, none of which is answered; how many are on their way."""
    primary.gate.clear()
    before = begun(primary)
    for _ in range(messages):
        await put(at.spool, content=content)
    at.courier.wake()
    await until(lambda: begun(primary) > before)
    return await still(primary) - before


async def test_a_primary_that_takes_its_time_gets_half_as_many_at_once(primary: ScriptedPrimary) -> None:
    """Eight that waited at once count as one; it is up all the same, and gets more again when it is quicker."""
    async with primary, house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=8), patience=PATIENCE) as at:
        await wide(primary, at)
        assert await held(primary, at, 8) == 8
        await at.time.advance(31)
        primary.gate.set()
        await until(at.empty)
        assert await held(primary, at, 20) == 4
        primary.gate.set()
        await until(at.empty)
        assert await held(primary, at, 20) == 8
        primary.gate.set()
        await until(at.empty)
        assert at.courier.views()["example.com"].primary.since == START


async def test_a_large_message_may_take_its_time(primary: ScriptedPrimary) -> None:
    """That says nothing of the primary."""
    async with primary, house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=4), patience=PATIENCE) as at:
        await wide(primary, at)
        assert await held(primary, at, 4, b"0123456789abcd\r\n" * 2**13) == 4
        await at.time.advance(31)
        primary.gate.set()
        await until(at.empty)
        assert await held(primary, at, 20) == 4
        primary.gate.set()


async def test_one_message_that_takes_long_does_not_hold_up_the_others(primary: ScriptedPrimary) -> None:
    """While the ramp stands at one: after some seconds another connection takes the next one."""
    async with primary, house(settings([f"127.0.0.1:{primary.port}"]), patience=PATIENCE) as at:
        stuck = primary.hold_body = asyncio.Event()
        first = await put(at.spool)
        for _ in range(20):
            await put(at.spool)
        at.courier.wake()
        await until(lambda: begun(primary) == 1)
        primary.hold_body = None
        assert await still(primary) == 1
        await at.time.advance(5.1)
        await until(lambda: list(at.spool.messages) == [first], "all the others")
        stuck.set()
        await until(at.empty)


@pytest.mark.parametrize(("most", "at_once"), [(20, 1 + SUBSTITUTES), (3, 3), (1, 1)])
async def test_so_many_take_the_place_of_slow_ones_and_no_more(primary: ScriptedPrimary, most: int, at_once: int) -> None:
    """A primary that is slow with everything is not given everything at once; and what the admin allows is never exceeded."""
    async with primary, house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=most), patience=PATIENCE) as at:
        stuck = primary.hold_body = asyncio.Event()
        for _ in range(20):
            await put(at.spool)
        at.courier.wake()
        await until(lambda: begun(primary) == 1)
        for expected in range(2, at_once + 1):
            await at.time.advance(5.1)
            await until(lambda n=expected: begun(primary) == n)
        for _ in range(3):
            await at.time.advance(5.1)
        assert await still(primary) == at_once
        stuck.set()
        await until(at.empty)


def limited(primary: ScriptedPrimary, a_minute: int) -> Settings:
    """Two domains with one primary, of which one is limited."""
    found = settings([f"127.0.0.1:{primary.port}"], ("example.com", "example.org"))
    domains = dict(found.domains)
    domains["example.com"] = domains["example.com"].model_copy(update={"max_messages_per_minute": a_minute})
    return found.model_copy(update={"domains": domains})


async def test_so_many_messages_a_minute_evenly(primary: ScriptedPrimary) -> None:
    """One a second; the other domain of the same primary does not wait for it."""
    async with primary, house(limited(primary, 60), patience=PATIENCE) as at:
        for _ in range(10):
            await put(at.spool)
            await put(at.spool, "user@example.org")
        at.courier.wake()
        await until(lambda: len(primary.received) == 11)
        for second in range(1, 10):
            await at.time.advance(0.5)
            assert await still(primary) == 10 + second
            await at.time.advance(0.5)
            await until(lambda n=second: len(primary.received) == 11 + n)
        await until(at.empty)


class Counting(MemorySpool):
    """Counts how often somebody looks."""

    looks = 0

    def next_due(self, domain: str) -> datetime | None:
        """See `MemorySpool`."""
        self.looks += 1
        return super().next_due(domain)


async def test_nobody_looks_before_the_next_may_go(primary: ScriptedPrimary) -> None:
    """I5: waiting costs nothing."""
    async with primary, house(limited(primary, 2), Counting(), patience=PATIENCE) as at:
        await put(at.spool)
        await put(at.spool)
        at.courier.wake()
        await until(lambda: len(primary.received) == 1)
        await still(primary)
        looks = at.spool.looks
        await at.time.advance(25)
        assert at.spool.looks - looks <= 12
        await at.time.advance(5)
        await until(at.empty)


async def test_many_a_minute_go_by_the_second(primary: ScriptedPrimary) -> None:
    """Six hundred are ten at a time, not one each tenth of a second."""
    async with primary, house(limited(primary, 600), patience=PATIENCE) as at:
        for _ in range(35):
            await put(at.spool)
        at.courier.wake()
        for expected in (10, 20, 30, 35):
            await until(lambda n=expected: len(primary.received) == n)
            assert await still(primary) == expected
            await at.time.advance(1)
        await until(at.empty)


async def test_a_message_that_was_put_off_is_not_counted_again(primary: ScriptedPrimary) -> None:
    """Else a primary that puts everything off once would get half of what it may have."""
    primary.on("RCPT", "450 4.2.0 greylisted", having="late@", times=1)
    async with primary, house(limited(primary, 60), patience=PATIENCE) as at:
        late = await put(at.spool, "late@example.com")
        at.courier.wake()
        await until(lambda: at.said(late, "late@example.com"))
        await put(at.spool, "user@example.com", arrived=START + timedelta(minutes=5))
        await at.time.advance(300)
        await until(at.empty, "both at once")


async def test_what_could_not_leave_at_its_time_does_not_leave_all_at_once(primary: ScriptedPrimary) -> None:
    """A primary that stood still for a while is not flooded afterwards."""
    async with primary, house(limited(primary, 60), patience=PATIENCE) as at:
        primary.gate.clear()
        for _ in range(20):
            await put(at.spool)
        at.courier.wake()
        await until(lambda: begun(primary) == 1)
        for _ in range(10):
            await at.time.advance(1)
            at.courier.wake()  # other mail comes
            await breathe()
        on_their_way = await still(primary)
        assert on_their_way <= 1 + SUBSTITUTES
        primary.gate.set()
        assert await still(primary) <= on_their_way + 2


def moments(pace: Pace, seconds: int) -> Iterator[tuple[float, int]]:
    """When, in seconds, how many go, if there are always more and somebody looks whenever one may go."""
    now = START
    while now < START + timedelta(seconds=seconds):
        allowed = pace.allowed(now)
        assert allowed
        pace.spend(allowed, now)
        yield (now - START).total_seconds(), allowed
        now = max(pace.next(now), now + timedelta(milliseconds=50))


@pytest.mark.parametrize("a_minute", [1, 7, 60, 90, 600, 6001, 1_000_000])
def test_a_pace_is_never_exceeded_and_always_reached(a_minute: int) -> None:
    """In any minute as many as are allowed, and the second's worth that had gathered."""
    sent = list(moments(Pace(a_minute), 300))
    burst = max(1, a_minute // 60)
    assert max(number for _, number in sent) <= burst
    for start in range(0, 241, 13):
        assert sum(number for at, number in sent if start <= at < start + 60) <= a_minute + burst
    assert sum(number for _, number in sent) >= 5 * a_minute


def test_a_clock_that_is_set_back_stops_nobody() -> None:
    """It costs a second, not the hour."""
    pace = Pace(60)
    pace.spend(1, START)
    before = START - timedelta(hours=1)
    assert pace.next(before) <= before + timedelta(seconds=1)
    pace.spend(0, before)
    assert pace.allowed(before + timedelta(seconds=1)) == 1
