"""Each recipient has an outcome of its own, by the primary's own words (I2, I9)."""

from datetime import timedelta

import pytest

from backupmx.core.message import Fate, State
from tests.courier.house import START, acquainted, house, put, settings, until
from tests.courier.primary import EXTENSIONS, ScriptedPrimary

PLAIN = tuple(word for word in EXTENSIONS if word != "PIPELINING")


@pytest.mark.parametrize("extensions", [EXTENSIONS, PLAIN], ids=["ahead", "in turn"])
async def test_one_transaction_three_fates(extensions: tuple[str, ...]) -> None:
    """Taken, not now and never in one transaction: delivered, waiting and quarantined."""
    async with (
        ScriptedPrimary(extensions)
        .on("RCPT", "550 5.1.1 nobody", having="never@")
        .on("RCPT", "450 4.2.0 busy", having="later@", times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        id = await put(at.spool, "now@example.com", "later@example.com", "never@example.com")
        at.courier.wake()
        await until(lambda: at.said(id, "now@example.com"), "an outcome")
        message = at.spool.get(id)
        assert message.fate("now@example.com") is Fate.DELIVERED
        assert message.fate("later@example.com") is Fate.PENDING
        assert message.fate("never@example.com") is Fate.QUARANTINED
        assert "5.1.1 nobody" in at.said(id, "never@example.com")
        assert [got.rcpts for got in primary.received] == [["now@example.com"]]
        await at.time.advance(301)
        await until(lambda: len(primary.received) == 2, "the later one")
        assert primary.received[1].rcpts == ["later@example.com"]
        await until(lambda: at.spool.get(id).state() is State.QUARANTINED, "the one that is left")


@pytest.mark.parametrize("extensions", [EXTENSIONS, PLAIN], ids=["ahead", "in turn"])
async def test_those_who_found_no_room_follow_at_once(extensions: tuple[str, ...]) -> None:
    """RFC 5321 section 4.5.3.1.10: 452 after others were taken is for the next transaction, not for the next hour."""
    async with ScriptedPrimary(extensions) as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        primary.most_recipients = 3
        wanted = [f"u{number}@example.com" for number in range(7)]
        id = await put(at.spool, *wanted)
        at.courier.wake()
        await until(at.empty, "all delivered in one attempt")
        assert id not in at.spool.messages
        assert [len(got.rcpts) for got in primary.received] == [3, 3, 1]
        assert sorted(rcpt for got in primary.received for rcpt in got.rcpts) == wanted
        assert len({got.content for got in primary.received}) == 1


async def test_nobody_follows_where_nobody_got_it() -> None:
    """A primary that has room for none is not asked for ever."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        primary.most_recipients = 0
        id = await put(at.spool, "a@example.com", "b@example.com")
        at.courier.wake()
        await until(lambda: at.said(id, "b@example.com"), "an outcome")
        assert at.spool.get(id).fate("a@example.com") is Fate.PENDING
        assert primary.verbs["MAIL"] == 1


@pytest.mark.parametrize("extensions", [EXTENSIONS, PLAIN], ids=["ahead", "in turn"])
@pytest.mark.parametrize("data", ["554 5.5.1 no valid recipients", "354 go on"], ids=["554", "354"])
async def test_all_refused_and_the_connection_lives_on(extensions: tuple[str, ...], data: str) -> None:
    """RFC 2920: also when the primary asks for content that nobody is to get; the next message has the same connection."""
    async with (
        ScriptedPrimary(extensions).on("RCPT", "550 5.1.1 nobody", having="never@") as primary,
        house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=1)) as at,
    ):
        await acquainted(at)
        if extensions is not PLAIN:
            primary.on("DATA", data, times=1)
        gone = await put(at.spool, "never@example.com")
        await put(at.spool, "now@example.com")
        at.courier.wake()
        await until(lambda: any(got.rcpts == ["now@example.com"] for got in primary.received), "the next message")
        await until(lambda: list(at.spool.messages) == [gone], "settled")
        assert at.spool.get(gone).state() is State.QUARANTINED
        assert primary.connections <= 2  # one of them was the probe


@pytest.mark.parametrize("reply", ["250 2.0.0 taken", "251 forwarded", "299 whatever this is", "250-two\r\n250 lines"])
async def test_any_2xx_to_the_dot_is_success(reply: str) -> None:
    """RFC 5321 section 4.2.1: the first digit says it."""
    async with (
        ScriptedPrimary().on("DOT", reply) as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        await put(at.spool)
        at.courier.wake()
        await until(at.empty, "delivered")
        assert len(primary.received) == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize(
    ("reply", "state"),
    [
        ("451 4.7.1 greylisted", State.WAITING),
        ("354 out of turn", State.WAITING),
        ("199 what", State.WAITING),
        ("554 5.7.1 never", State.QUARANTINED),
    ],
)
async def test_only_5xx_is_for_ever(step: str, reply: str, state: State) -> None:
    """I9: whatever is neither 2xx nor 5xx is a deferral, at each step."""
    if step == "DATA" and reply.startswith("354"):
        return  # in turn there
    async with (
        ScriptedPrimary(PLAIN) as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        await acquainted(at)
        primary.on(step, reply)
        id = await put(at.spool)
        at.courier.wake()
        await until(lambda: at.said(id), "an outcome")
        assert at.spool.get(id).state() is state
        assert reply[:3] in at.said(id)


async def test_a_deferred_message_backs_off() -> None:
    """Five minutes, ten, twenty: by the message's own deferrals; its neighbours do not wait."""
    async with (
        ScriptedPrimary().on("RCPT", "450 4.2.0 busy", having="later@", times=3) as primary,
        house(settings([f"127.0.0.1:{primary.port}"], retry_min="5m", retry_max="15m")) as at,
    ):
        id = await put(at.spool, "later@example.com")
        await put(at.spool, "now@example.com")
        at.courier.wake()
        for deferral, minutes in enumerate((5, 10, 15), start=1):
            await until(lambda n=deferral: at.spool.get(id).schedule["example.com"].deferrals == n, "the deferral")
            assert at.spool.get(id).schedule["example.com"].due == at.time.now + timedelta(minutes=minutes)
            await until(lambda: len(primary.received) == 1, "the neighbour")
            await at.time.advance(minutes * 60 + 1)
        await until(at.empty, "delivered at last")


async def test_too_many_recipients_in_the_words_of_rfc_821() -> None:
    """RFC 5321 section 4.5.3.1.10: 552 to RCPT that speaks of the number of recipients is a deferral."""
    async with (
        ScriptedPrimary().on("RCPT", "552 5.5.3 too many recipients", having="b@") as primary,
        house(settings([f"127.0.0.1:{primary.port}"])) as at,
    ):
        id = await put(at.spool, "a@example.com", "b@example.com")
        at.courier.wake()
        await until(lambda: at.said(id, "b@example.com"), "an outcome")
        assert at.spool.get(id).state() is State.WAITING
        assert primary.verbs["RCPT"] == 3, "b@ was asked once more, alone"
        assert at.spool.get(id).arrived == START
