"""Whatever the primary or the line to it does, what is held arrives, or stays (I1, I4)."""

import asyncio
from datetime import timedelta

import pytest

from backupmx.courier.transaction import Patience
from backupmx.spool.memory import MemorySpool
from tests.courier.house import START, House, breathe, house, put, settings, until
from tests.courier.primary import DROP, EXTENSIONS, SILENCE, ScriptedPrimary

STEPS = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT")
PLAIN = tuple(word for word in EXTENSIONS if word != "PIPELINING")
IMPATIENT = Patience(connect=0.2, command=0.2, data=0.2, block=0.2, dot=0.2, quit=0.2)


async def test_all_is_given_back_once_the_primary_is_back_at_first_by_one_connection() -> None:
    """I1, I5: an outage, then everything arrives, each message once; the drain begins with one connection and widens."""
    primary = ScriptedPrimary()
    await primary.start()
    await primary.stop()
    async with house(settings([f"127.0.0.1:{primary.port}"], probe_interval="30s")) as at:
        for number in range(40):
            await put(at.spool, content=b"Subject: %d\r\n\r\nhello\r\n" % number)
        await until(lambda: at.primary() == "down", "the outage shows")
        assert len(at.spool.messages) == 40
        assert all(message.schedule["example.com"].deferrals == 0 for message in at.spool.messages.values())
        async with primary:
            await at.time.advance(31)
            await until(at.empty, "all given back")
            assert at.primary() == "up"
            assert sorted(got.content for got in primary.received) == sorted(
                b"Subject: %d\r\n\r\nhello\r\n" % number for number in range(40)
            )
            assert primary.most_open_at[0] <= 2  # the probe may still be saying goodbye
            assert primary.most_open > 2


@pytest.mark.parametrize("extensions", [EXTENSIONS, PLAIN], ids=["ahead", "in turn"])
@pytest.mark.parametrize("trouble", [DROP, "421 4.3.2 closing"], ids=["cut", "421"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_line_that_ends_at_any_step_loses_nothing(step: str, trouble: str, extensions: tuple[str, ...]) -> None:
    """I1: the message stays, and arrives later, once."""
    async with (
        ScriptedPrimary(extensions).on(step, trouble, times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        await put(at.spool, "a@example.com", "b@example.com")
        at.courier.wake()
        await in_the_end_empty(at)
        assert sorted(taken(primary)) == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize("step", STEPS)
async def test_silence_at_any_step_loses_nothing(step: str) -> None:
    """I1, I9: a primary that says nothing more is waited for so long, and no longer."""
    async with (
        ScriptedPrimary().on(step, SILENCE, times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"]), patience=IMPATIENT) as at,
    ):
        await put(at.spool)
        at.courier.wake()
        await in_the_end_empty(at)
        assert taken(primary) == ["user@example.com"]


async def test_a_line_cut_after_the_dot_may_double_a_message_but_never_loses_it() -> None:
    """I1: no reply to the dot is no reply; twice is better than never (RFC 1047)."""
    async with (
        ScriptedPrimary().on("DOT", "taken, but " + DROP, times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        id = await put(at.spool)
        at.courier.wake()
        await until(lambda: at.said(id), "the deferral")
        message = at.spool.get(id)
        assert message.schedule["example.com"].due == START + timedelta(minutes=5)
        await in_the_end_empty(at)
        assert taken(primary) == ["user@example.com"] * 2


async def test_what_a_dead_courier_had_leased_is_given_back_at_once() -> None:
    """I1: the next courier of this name does not wait for the lease to lapse."""
    async with ScriptedPrimary() as primary:
        spool = MemorySpool()
        await put(spool)
        await spool.lease("example.com", "courier@mx2.example.net", START, START + timedelta(hours=1), 10)
        async with house(settings([f"127.0.0.1:{primary.port}"]), spool) as at:
            await until(at.empty, "given back")


async def test_stop_lets_the_message_in_flight_finish_and_keeps_the_others() -> None:
    """I1: nothing new is begun; what is in flight is settled; the rest waits, and nobody holds a lease of it."""
    async with ScriptedPrimary() as primary:
        primary.gate.clear()
        async with house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=1)) as at:
            for _ in range(5):
                await put(at.spool)
            at.courier.wake()
            await until(lambda: primary.verbs["DATA"] == 1, "one in flight")
            stopping = asyncio.create_task(at.courier.stop())
            await breathe()
            primary.gate.set()
            await stopping
            assert len(primary.received) == 1
            assert len(at.spool.messages) == 4
            schedules = [message.schedule["example.com"] for message in at.spool.messages.values()]
            assert all(schedule.owner is None and schedule.due <= START for schedule in schedules)


async def in_the_end_empty(at: House) -> None:
    """Time passes, as much as a few attempts need."""
    for _ in range(8):
        try:
            await until(at.empty, within=0.3)
        except TimeoutError:
            assert at.spool.messages
            await at.time.advance(301)
        else:
            return
    raise AssertionError("the spool is not empty")


def taken(primary: ScriptedPrimary) -> list[str]:
    """Every recipient that the primary took a message for, once for each time."""
    return [address for got in primary.received for address in got.rcpts]


@pytest.mark.parametrize("held", [1, 300])
async def test_mail_does_not_wait_for_the_time_of_a_clock_that_was_ahead(held: int) -> None:
    """I1: a board without a battery began in another year; or the clock was wrong while the mail came, and is right now."""
    spool = MemorySpool()
    for _ in range(held):
        await put(spool, arrived=START + timedelta(days=9000))
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"]), spool) as at:
        await until(at.empty, "given back")
        assert len(primary.received) == held
        assert at.time.now == START


async def test_only_what_cannot_be_is_due_at_once() -> None:
    """What our own clock put off waits as it should, also beside a lease that another clock gave; that one is left alone."""
    spool = MemorySpool()
    ahead = START + timedelta(days=9000)
    await put(spool, arrived=ahead)
    await spool.lease("example.com", "somebody else", ahead, ahead + timedelta(hours=1), 1)
    late, soon = await put(spool, arrived=ahead), await put(spool, arrived=START + timedelta(hours=3))
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"]), spool):
        await until(lambda: spool.get(late) is None, "given back")
        await breathe()
        assert spool.get(soon) is not None
        assert len(primary.received) == 1
