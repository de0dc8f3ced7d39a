"""A primary that comes back wrong destroys nothing (I10): it answers, and refuses whom it had."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from structlog.testing import capture_logs

from backupmx.config import Settings
from backupmx.core.message import State
from backupmx.core.outcome import Reply
from backupmx.core.status import PrimaryState
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Nowhere, Route, Routes
from tests.courier.house import House, breathe, house, put, settings, until
from tests.courier.primary import ScriptedPrimary

NOBODY = "550 5.1.1 no such user"


@asynccontextmanager
async def after_an_outage(primary: ScriptedPrimary, *names: str, known: bool = True) -> AsyncIterator[House]:
    """Messages wait, the primary has been away, and is about to be found again."""
    async with house(settings([f"127.0.0.1:{primary.port}"], names or ("example.com",))) as at:
        await until(lambda: at.primary() == "up")
        await primary.stop()
        at.courier.told("lost", "example.com")
        await until(lambda: at.primary() == "down")
        if known:
            for name in names or ("example.com",):
                at.knowledge.learn(name, "user", Reply(250, "2.1.5 ok"))
                at.knowledge.learn(name, "ann", Reply(250, "2.1.5 ok"))
            await at.knowledge.write()
        yield at


async def back(primary: ScriptedPrimary, at: House) -> None:
    await primary.start()
    await at.time.advance(31)


def quarantined(at: House) -> int:
    return sum(message.state() is State.QUARANTINED for message in at.spool.messages.values())


async def test_a_primary_that_lost_its_users_gets_nothing_more_and_nothing_is_lost() -> None:
    """The drain stops at the canary; everything waits; the admin is told in its own words."""
    async with ScriptedPrimary().on("RCPT", NOBODY) as primary, after_an_outage(primary) as at:
        for _ in range(50):
            await put(at.spool)
        with capture_logs() as logged:
            await back(primary, at)
            await until(lambda: at.board.state("example.com") is PrimaryState.DOWN and at.primary() == "up")
        assert [line["reply"] for line in logged if line["event"] == "primary suspect"] == [NOBODY]
        rcpts = primary.verbs["RCPT"]
        assert rcpts <= 1 + 2  # one canary, and two who are known
        await breathe()
        at.courier.wake()
        await breathe()
        assert quarantined(at) == 0
        assert len(at.spool.messages) == 50
        assert primary.verbs["RCPT"] == rcpts
        assert "refuses" in str(at.courier.views()["example.com"].primary.last_error)


async def test_it_goes_on_by_itself_once_the_primary_has_its_users_again() -> None:
    """A callout that succeeds is enough."""
    async with ScriptedPrimary().on("RCPT", NOBODY) as primary, after_an_outage(primary) as at:
        for _ in range(5):
            await put(at.spool)
        await back(primary, at)
        await until(lambda: at.board.state("example.com") is PrimaryState.DOWN and at.primary() == "up")
        primary.forget()
        await at.time.advance(31)
        await until(lambda: at.board.state("example.com") is PrimaryState.UP)
        await at.time.advance(301)
        await until(at.empty)
        assert len(primary.received) == 5


async def test_an_admin_can_have_it_believed() -> None:
    """`domain resume`: then its refusals are what they say."""
    async with ScriptedPrimary().on("RCPT", NOBODY) as primary, after_an_outage(primary) as at:
        await put(at.spool)
        await back(primary, at)
        await until(lambda: at.board.state("example.com") is PrimaryState.DOWN and at.primary() == "up")
        assert at.courier.resume("example.com")
        assert not at.courier.resume("elsewhere.test")
        await at.time.advance(301)
        await until(lambda: quarantined(at) == 1)


async def test_one_who_left_meanwhile_does_not_stop_the_drain() -> None:
    """The primary vouches for another one whom it had."""
    async with ScriptedPrimary().on("RCPT", NOBODY, having="<user@") as primary, after_an_outage(primary) as at:
        await put(at.spool)
        others = [await put(at.spool, "ann@example.com") for _ in range(5)]
        await back(primary, at)
        await until(lambda: quarantined(at) == 1 and not any(map(at.spool.get, others)))
        assert at.board.state("example.com") is PrimaryState.UP


async def test_a_primary_that_refuses_all_content_is_doubtful_too() -> None:
    """Whoever nobody knows; more than three of the first ten."""
    async with ScriptedPrimary().on("DOT", "554 5.7.1 no") as primary, after_an_outage(primary, known=False) as at:
        primary.on("RCPT", "450 4.2.0 busy", having="postmaster")
        for _ in range(20):
            await put(at.spool)
        await back(primary, at)
        await until(lambda: at.board.state("example.com") is PrimaryState.DOWN and at.primary() == "up")
        assert quarantined(at) == 0
        assert len(at.spool.messages) == 20


async def test_a_message_that_is_too_large_for_it_makes_no_primary_doubtful() -> None:
    """As the first one after an outage, with nobody to vouch: it waits, and is believed to be too large later."""
    async with ScriptedPrimary().on("RCPT", NOBODY, having="postmaster") as primary, after_an_outage(primary, known=False) as at:
        primary.on("MAIL", "552 5.3.4 Message size exceeds fixed limit", having="SIZE=9999")
        large = await put(at.spool, content=b"x" * 9999)
        others = [await put(at.spool) for _ in range(20)]
        await back(primary, at)
        await until(lambda: not any(map(at.spool.get, others)))
        assert at.board.state("example.com") is PrimaryState.UP
        assert at.said(large).startswith("552 5.3.4")
        assert quarantined(at) == 0
        await at.time.advance(301)
        await until(lambda: quarantined(at) == 1)


async def test_each_domain_has_its_canary() -> None:
    """One message of each is on its way at first."""
    names = ("example.com", "example.org", "example.net")
    async with ScriptedPrimary() as primary, after_an_outage(primary, *names) as at:
        primary.gate.clear()
        for name in names:
            for _ in range(10):
                await put(at.spool, f"user@{name}")
        await back(primary, at)
        await until(lambda: primary.verbs["DATA"] == 1)
        await breathe()
        leased = [message for message in at.spool.messages.values() if message.state() is State.LEASED]
        assert len(leased) == 3
        assert len({message.domains() for message in leased}) == 3
        primary.gate.set()
        await until(at.empty)
        assert len(primary.received) == 30


async def test_what_senders_hear_makes_it_doubtful_as_well() -> None:
    """A worker heard it refuse somebody whom it had: it is asked for others, and held back if it has none of them."""
    async with ScriptedPrimary() as primary, after_an_outage(primary) as at:
        await back(primary, at)
        await until(lambda: at.board.state("example.com") is PrimaryState.UP)
        at.courier.told("doubtful", "example.com")
        await until(lambda: primary.verbs["RCPT"] >= 1)
        await breathe()
        assert at.board.state("example.com") is PrimaryState.UP
        primary.on("RCPT", NOBODY)
        at.courier.told("doubtful", "example.com")
        await until(lambda: at.board.state("example.com") is PrimaryState.DOWN)
        assert at.primary() == "up"


class Moving(Routes):
    """Leads where a test wants it to."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, Resolver([]))
        self.now: Routes = Routes(settings, Resolver([]))

    async def find(self, domain: str) -> Route | Nowhere:
        return await self.now.find(domain)


async def test_another_way_to_a_doubtful_primary_makes_it_no_better() -> None:
    """Its host got another name or port: what is known of it is known still."""
    async with ScriptedPrimary() as old, ScriptedPrimary().on("RCPT", NOBODY) as new:
        here, there = settings([f"127.0.0.1:{old.port}"]), settings([f"127.0.0.1:{new.port}"])
        routes = Moving(here)
        async with house(here, routes=routes) as at:
            await until(lambda: at.primary() == "up")
            old.on("RCPT", NOBODY)
            at.courier.told("doubtful", "example.com")
            await until(lambda: at.board.state("example.com") is PrimaryState.DOWN)
            routes.now = Routes(there, Resolver([]))
            await put(at.spool)
            await at.time.advance(3601)
            await until(lambda: new.verbs["QUIT"])
            await breathe()
            at.courier.wake()
            await breathe()
            assert at.primary() == "up"
            assert at.board.state("example.com") is PrimaryState.DOWN
            assert quarantined(at) == 0


async def test_who_vouches_for_one_domain_does_not_vouch_for_another() -> None:
    """A primary of two domains that has lost the users of one: none of theirs is quarantined."""
    names = ("example.com", "example.org")
    async with ScriptedPrimary().on("RCPT", NOBODY, having="@example.org") as primary, after_an_outage(primary, *names) as at:
        lost = [await put(at.spool, "user@example.org") for _ in range(5)]
        for _ in range(5):
            await put(at.spool, "user@example.com")
        await back(primary, at)
        await until(lambda: at.board.state("example.org") is PrimaryState.DOWN and at.primary() == "up")
        assert quarantined(at) == 0
        at.courier.resume("example.com")  # of the other one nothing is believed for that
        await breathe()
        assert at.board.state("example.org") is PrimaryState.DOWN
        primary.forget()
        await at.time.advance(31)
        await until(lambda: at.board.state("example.org") is PrimaryState.UP)
        await at.time.advance(301)
        await until(lambda: not any(map(at.spool.get, lost)))
        assert len(primary.received) == 10


async def test_a_fault_of_ours_in_the_doubt_costs_no_delivery_and_no_message() -> None:
    """I9: what was delivered is settled, what was refused waits."""
    async with ScriptedPrimary().on("RCPT", NOBODY, having="ann@") as primary, after_an_outage(primary) as at:

        class Broken:
            def knows(self, domain: str, local: str) -> bool:
                raise RuntimeError("a bug")

            def some(self, domain: str) -> tuple[str, ...]:
                raise RuntimeError("a bug")

        lane = at.courier._lane_of["example.com"]
        lane._sentry._post = replace(lane._sentry._post, acquaintances=Broken())
        id = await put(at.spool, "user@example.com", "ann@example.com")
        with capture_logs():
            await back(primary, at)
            await until(lambda: at.said(id))
        message = at.spool.get(id)
        assert message is not None
        assert message.pending() == ("ann@example.com",)
        assert len(primary.received) == 1
