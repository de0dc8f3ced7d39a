"""What the courier tells of how things went: when primaries were away, and how long mail waited."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from backupmx.core.history import Outage
from backupmx.core.outcome import Reply
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Nowhere, Route, Routes
from backupmx.watch.history import History
from tests.courier.house import START, House, house, put, settings, until
from tests.courier.primary import DROP, ScriptedPrimary

DAY = timedelta(days=1)


@asynccontextmanager
async def remembered(
    path: Path, primary: ScriptedPrimary, *names: str, routes: Routes | None = None
) -> AsyncIterator[tuple[House, History]]:
    """A courier for these domains, and what it told."""
    domains = names or ("example.com",)
    past = History(path / "history.sqlite", domains, START)
    async with house(settings([f"127.0.0.1:{primary.port}"], domains), routes=routes, chronicle=past) as at:
        yield at, past
    past.close(at.time.now)


def outages(past: History) -> Sequence[Outage]:
    return past.outages(START - DAY, START + DAY)


async def test_an_outage_has_its_times_and_words(tmp_path: Path) -> None:
    """From the first probe that failed to the one that found the primary again; for each domain of the route."""
    async with (
        ScriptedPrimary().on("CONNECT", "421 4.3.2 not \x1b[2Jnow") as primary,
        remembered(tmp_path, primary, "one.example", "two.example") as (at, past),
    ):
        await until(lambda: at.primary("one.example") == at.primary("two.example") == "down")
        found = {outage.domain: outage for outage in outages(past)}
        assert set(found) == {"one.example", "two.example"}
        assert all((outage.began, outage.ended) == (START, None) for outage in found.values())
        assert "421 4.3.2 not" in found["one.example"].why
        primary.forget()
        await at.time.advance(31)
        await until(lambda: at.primary("one.example") == "up")
        up = at.courier.views()["one.example"].primary.since
        assert up is not None
        assert up > START
        assert [(outage.began, outage.ended) for outage in outages(past)] == [(START, up)] * 2


async def test_a_primary_that_is_up_has_no_outage(tmp_path: Path) -> None:
    """Nor one that is put off for a moment."""
    async with ScriptedPrimary() as primary, remembered(tmp_path, primary) as (at, past):
        await until(lambda: at.primary() == "up")
        primary.on("CONNECT", DROP, times=1)
        at.courier.told("lost", "example.com")
        await until(lambda: primary.connections >= 3)
        assert at.primary() == "up"
        assert outages(past) == ()


async def test_a_primary_that_is_not_believed_is_away(tmp_path: Path) -> None:
    """I10: it takes no mail, whatever it answers; until an admin believes it, or it is right again."""
    async with ScriptedPrimary() as primary, remembered(tmp_path, primary) as (at, past):
        await until(lambda: at.primary() == "up")
        at.knowledge.learn("example.com", "user", Reply(250, "2.1.5 ok"))
        await at.knowledge.write()
        primary.on("RCPT", "550 5.1.1 no such user")
        await at.time.advance(5)
        at.courier.told("doubtful", "example.com")
        await until(lambda: outages(past))
        (outage,) = outages(past)
        assert (outage.began, outage.ended) == (START + timedelta(seconds=5), None)
        assert "refuses mail that it used to accept" in outage.why
        await at.time.advance(5)
        at.courier.resume("example.com")
        (outage,) = outages(past)
        assert outage.ended == START + timedelta(seconds=10)


class Lost(Routes):
    """Leads nowhere until a test wants it to lead somewhere."""

    there = False

    async def find(self, domain: str) -> Route | Nowhere:
        return await super().find(domain) if self.there else Nowhere("no such name")


async def test_a_domain_without_a_route_is_away(tmp_path: Path) -> None:
    """DNS that lost the primary's name is an outage like any other."""
    async with ScriptedPrimary() as primary:
        routes = Lost(settings([f"127.0.0.1:{primary.port}"]), Resolver([]))
        async with remembered(tmp_path, primary, routes=routes) as (at, past):
            await until(lambda: at.primary() == "down")
            (outage,) = outages(past)
            assert (outage.began, outage.ended, outage.why) == (START, None, "no such name")
            routes.there = True
            await at.time.advance(61)
            await until(lambda: at.primary() == "up")
            (outage,) = outages(past)
            assert outage.ended is not None


async def test_how_long_mail_waited_is_told_when_it_is_delivered(tmp_path: Path) -> None:
    """The longest of a day, for each domain."""
    names = ("one.example", "two.example")
    async with (
        ScriptedPrimary().on("RCPT", "550 5.1.1 no", having="nobody@") as primary,
        remembered(tmp_path, primary, *names) as (at, past),
    ):
        await until(lambda: at.primary("one.example") == "up")
        for minutes in (5, 41, 7):
            await put(at.spool, "user@one.example", arrived=START - timedelta(minutes=minutes))
        await put(at.spool, "user@two.example", "nobody@two.example", arrived=START - timedelta(hours=3))
        at.courier.wake()
        await until(lambda: len(primary.received) == 4)
        expected = {"one.example": timedelta(minutes=41), "two.example": timedelta(hours=3)}
        await until(lambda: past.longest_waits(START, START + DAY) == expected)
