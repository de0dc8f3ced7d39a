"""Many primaries that come back at once share the machine: a bound on all connections, and equal parts of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from backupmx.config import Settings
from backupmx.courier.places import Places, Share
from backupmx.courier.transaction import Patience
from tests.courier.house import House, breathe, house, put, until
from tests.courier.primary import CHUNKS, ScriptedPrimary


@asynccontextmanager
async def recovered(messages: list[int], **delivery: int) -> AsyncIterator[tuple[House, list[ScriptedPrimary]]]:
    """So many domains, each with a primary of its own, and so many messages for each; nobody has been given any yet."""
    async with AsyncExitStack() as stack:
        primaries = [await stack.enter_async_context(ScriptedPrimary(CHUNKS)) for _ in messages]
        for primary in primaries:
            primary.greets.clear()
        domains = {f"d{number}.example": {"primary": (f"127.0.0.1:{primary.port}",)} for number, primary in enumerate(primaries)}
        settings = Settings.model_validate({"hostname": "mx2.example.net", "delivery": delivery, "domain": domains})
        at = await stack.enter_async_context(house(settings, patience=Patience()))
        for number, waiting in enumerate(messages):
            for _ in range(waiting):
                await put(at.spool, f"user@d{number}.example")
        yield at, primaries


def taken(primary: ScriptedPrimary) -> int:
    return len(primary.received)


async def under_way(primaries: list[ScriptedPrimary]) -> list[int]:
    """Messages that are with each primary, once nothing moves any more."""
    seen, now = [-1], list[int]()
    while seen != now:
        seen = now
        await breathe()
        await asyncio.sleep(0.05)
        now = [primary.verbs["BDAT"] - taken(primary) for primary in primaries]
    return now


@pytest.mark.slow
async def test_a_hundred_that_recover_at_once_have_their_mail_before_one_that_has_much() -> None:
    """A long queue takes no place away from a short one, and all is given back in the end."""
    async with recovered([600] + [5] * 100, max_connections=40) as (at, primaries):
        great, *small = primaries
        great.greets.set()
        await until(lambda: taken(great) >= 60, "it has all connections that it may have")
        for primary in small:
            primary.greets.set()
        await until(lambda: all(taken(primary) == 5 for primary in small), "the small ones", within=30)
        assert taken(great) < 600
        await until(at.empty, "the rest", within=30)


async def test_connections_of_all_together_are_bounded_and_shared_in_equal_parts() -> None:
    """I4: thirty between four of them, whoever came first."""
    async with recovered([400, 100, 100, 100], max_connections=30) as (at, primaries):
        first, *others = primaries
        first.greets.set()
        await until(lambda: taken(first) >= 60)
        first.gate.clear()
        assert await under_way(primaries) == [20, 0, 0, 0]
        for primary in others:
            primary.greets.set()
        await until(lambda: all(taken(primary) >= 60 for primary in others), within=20)
        for primary in others:
            primary.gate.clear()
        # the first one's are stuck: nobody takes a connection away from a message
        assert sum(await under_way(primaries)) == 30
        first.gate.set()
        await until(lambda: taken(first) >= 300, within=20)
        first.gate.clear()
        assert sorted(await under_way(primaries)) == [7, 7, 8, 8]
        for primary in primaries:
            primary.gate.set()
        await until(at.empty, within=30)


async def test_more_routes_than_places_take_turns() -> None:
    """Nobody waits until another has no more mail."""
    async with recovered([60] * 8, max_connections=3) as (at, primaries):
        for primary in primaries:
            primary.greets.set()
        await until(lambda: any(taken(primary) == 60 for primary in primaries), within=20)
        assert all(taken(primary) >= 20 for primary in primaries)
        await until(at.empty, within=20)


async def test_a_place_that_is_idle_is_given_up() -> None:
    """A connection that is kept for a moment holds up nobody."""
    async with recovered([30, 5], max_connections=2) as (at, primaries):
        first, second = primaries
        first.greets.set()
        await until(lambda: taken(first) == 30)
        await until(lambda: not any("d0.example" in message.domains() for message in at.spool.messages.values()))
        second.greets.set()
        await until(at.empty)
        assert first.verbs["QUIT"] >= 2  # the probe's, and that of the idle one


async def test_a_connection_that_was_lost_while_it_was_idle_keeps_no_place() -> None:
    """Else there would be fewer with each."""
    async with recovered([1], max_connections=1) as (at, (primary,)):
        primary.greets.set()
        await until(at.empty)
        await until(lambda: primary.open == 1, "the idle one")
        await primary.cut()
        await put(at.spool, "user@d0.example")
        at.courier.wake()
        await until(at.empty)
        await primary.stop()
        at.courier.told("lost", "d0.example")
        await until(lambda: at.primary("d0.example") == "down")
        await primary.start()
        await at.time.advance(31)
        await put(at.spool, "user@d0.example")
        at.courier.wake()
        await until(at.empty)


class Route:
    """Takes as many places as it gets, and as it wants."""

    def __init__(self, places: Places, wants: int) -> None:
        self.wants = wants
        self.share: Share = places.share(self.look, lambda: False)

    @property
    def has(self) -> int:
        return self.share.taken - self.share.offered

    def look(self) -> None:
        while self.has < self.wants:
            if not self.share.take():
                return
        self.share.content()

    def finish_one(self) -> None:
        """A message is done on one of its places."""
        if self.has and self.share.must_yield(1):
            self.share.leave()
            self.look()


@pytest.mark.parametrize(
    ("most", "wants", "have"),
    [
        (10, [4, 4], [4, 4]),
        (10, [20, 4], [6, 4]),
        (10, [20, 20], [5, 5]),
        (10, [20, 20, 1], [5, 4, 1]),
        (7, [3, 3, 3], [3, 2, 2]),
        (2, [9, 9, 9], [1, 1, 0]),
    ],
)
def test_who_has_fewest_comes_first(most: int, wants: list[int], have: list[int]) -> None:
    """As many as each wants, or as many as any other; no place is idle while somebody wants it."""
    places = Places(most)
    routes = [Route(places, wish) for wish in wants]
    for _ in range(50):
        for route in routes:
            route.look()
        for route in routes:
            route.finish_one()
    assert sorted((route.has for route in routes), reverse=True) == sorted(have, reverse=True)
    assert sum(route.share.taken for route in routes) == min(most, sum(wants))


def test_a_place_that_becomes_free_goes_to_who_has_fewest() -> None:
    """Not to who waits for longest."""
    places = Places(4)
    first, second = Route(places, 4), Route(places, 1)
    first.look()
    first.wants = 5
    first.look()
    second.look()
    assert (first.has, second.has) == (4, 0)
    first.share.leave()
    second.look()
    assert (first.has, second.has) == (3, 1)
