"""Whether a recipient exists is asked, learned, believed for a while; and those who guess are slowed down (I9, I10)."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest

from backupmx.admission import harvest
from backupmx.core.belief import EVERYBODY, Word
from backupmx.core.status import PrimaryState
from backupmx.courier.clocks import Clocks
from backupmx.edge import transaction
from tests.courier.house import until
from tests.courier.primary import DROP, SILENCE, ScriptedPrimary
from tests.edge.door import Client, client
from tests.relay.house import DOMAIN, SHORT, House, client_at, house, quiet, send, sent

CANNOT_VERIFY, NO_SUCH, TAKEN = "450 4.1.1 ", "550 5.1.1 ", "250 2.1.5 "


async def ask(at: House, local: str, domain: str = DOMAIN) -> str:
    """What a client is told of one recipient, on a connection of its own."""
    async with client(at.port) as talk:
        return await named(talk, f"{local}@{domain}")


async def named(talk: Client, address: str, sender: str = "a@sender.test") -> str:
    await talk.say(f"MAIL FROM:<{sender}>")
    answer = await talk.say(f"RCPT TO:<{address}>")
    await talk.say("RSET")
    return answer


def asked(primary: ScriptedPrimary) -> list[str]:
    """Every local part that a primary was asked for."""
    return [line.partition("<")[2].partition("@")[0] for line in primary.commands if line.startswith("RCPT")]


async def test_who_asks_for_the_same_address_shares_one_question() -> None:
    """Twenty clients at once: the primary hears one RCPT."""
    async with ScriptedPrimary() as primary, house(primary, when_primary_up="spool") as at:
        primary.greets.clear()
        asking = [asyncio.create_task(ask(at, "user")) for _ in range(20)]
        await until(lambda: len(at.edge._sessions) == 20 and primary.open, "all are there")
        primary.greets.set()
        assert all(answer.startswith(TAKEN) for answer in await asyncio.gather(*asking))
        assert asked(primary) == ["user"]
        assert primary.connections == 1


@pytest.mark.parametrize("refused", [False, True])
async def test_an_answer_that_is_late_is_there_the_next_time(refused: bool) -> None:
    """The question is asked to its end; until then the sender is told to come again."""
    async with ScriptedPrimary() as primary, house(primary, when_primary_up="spool", late=0.05) as at:
        if refused:
            primary.on("RCPT", "550 5.1.1 nobody")
        primary.greets.clear()
        assert (await ask(at, "user")).startswith(CANNOT_VERIFY)
        assert (await ask(at, "user")).startswith(CANNOT_VERIFY)
        primary.greets.set()
        await quiet(at)
        assert (await ask(at, "user")).startswith(NO_SUCH if refused else TAKEN)
        assert asked(primary) == ["user"]


async def test_a_primary_that_takes_everybody_is_found_out_once() -> None:
    """By an address that nobody can have; nobody is learned of such a primary, and nobody else is asked for."""
    async with ScriptedPrimary() as primary, house(primary, when_primary_up="spool", surveyed=False) as at:
        assert (await ask(at, "user")).startswith(TAKEN)
        assert asked(primary) == ["user", "nobody0"]
        assert (await ask(at, "anybody")).startswith(TAKEN)
        assert asked(primary) == ["user", "nobody0"]
        assert await at.word("user") is None
        assert await at.word(EVERYBODY) is Word.KNOWN
        at.primaries(PrimaryState.DOWN)
        assert (await ask(at, "somebody")).startswith(TAKEN)


async def test_one_that_does_not_is_asked_for_each() -> None:
    """And for the impossible address only once a week."""
    async with (
        ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="nobody") as primary,
        house(primary, when_primary_up="spool", surveyed=False) as at,
    ):
        for local in ("user", "other", "nobody-else"):
            await ask(at, local)
        assert asked(primary) == ["user", "nobody0", "other", "nobody-else"]
        await at.pass_time(timedelta(days=8))
        await ask(at, "third")
        assert asked(primary)[4:] == ["third", "nobody1"]


async def test_it_is_found_out_beside_mail_that_is_relayed() -> None:
    """In our own name, on another connection, in the background."""
    async with ScriptedPrimary() as primary, house(primary, surveyed=False) as at:
        assert (await sent(at, "user@example.com")).dot == "250 2.0.0 taken"
        await quiet(at)
        assert asked(primary) == ["user", "nobody0"]
        assert primary.connections == 2
        assert await at.word(EVERYBODY) is Word.KNOWN


@pytest.mark.parametrize("wish", ["accept", "defer"])
@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("CONNECT", "554 5.7.1 not you"),
        ("CONNECT", "450 4.7.1 not you now"),
        ("CONNECT", DROP),
        ("EHLO", "450 4.7.1 not you now"),
        ("MAIL", "550 5.7.1 no null sender here"),
        ("MAIL", "550 no null sender here"),
        ("MAIL", "550 5.1.1 what"),
        ("MAIL", "450 4.1.8 who"),
        ("MAIL", "421 4.3.2 closing"),
        ("MAIL", DROP),
        ("RCPT", DROP),
        ("RCPT", "421 4.3.2 closing"),
    ],
)
async def test_what_is_not_said_to_a_recipient_says_nothing_of_it(step: str, words: str, wish: str) -> None:
    """I9: nobody can tell, and nothing is learned."""
    async with (
        ScriptedPrimary().on(step, words) as primary,
        house(primary, when_primary_up="spool", when_unknown=wish, surveyed=False) as at,
    ):
        assert (await ask(at, "user")).startswith(TAKEN if wish == "accept" else CANNOT_VERIFY)
        assert await at.word("user") is None
        assert await at.word(EVERYBODY) is None


@pytest.mark.parametrize(
    "words",
    [
        "550 5.7.1 blocked",
        "554 5.7.1 blocked",
        "550 5.7.606 banned",
        "451 4.7.1 greylisted",
        "450 4.2.0 busy",
        "550 5.2.2 full",
        "552 5.2.2 full",
        "552 too much",
        "554 no",
        "550 5.1.8 bad sender",
        "503 5.5.1 what",
        "354 what",
    ],
)
async def test_words_that_may_speak_of_us_teach_nothing(words: str) -> None:
    """I9: come again; who was known stays known."""
    async with ScriptedPrimary().on("RCPT", words) as primary, house(primary, when_primary_up="spool") as at:
        await at.learned(Word.KNOWN, "known")
        await at.pass_time(timedelta(days=8))
        assert (await ask(at, "user")).startswith(CANNOT_VERIFY)
        assert (await ask(at, "known")).startswith(TAKEN)
        await quiet(at)
        assert asked(primary) == ["user", "nobody0", "known", "nobody1"]
        assert await at.word("user") is None
        assert await at.word("known") is Word.KNOWN


@pytest.mark.parametrize(
    "words", ["550 5.1.1 nobody", "550 nobody", "551 gone", "553 5.1.3 no", "550 5.2.1 off", "550-5.1.1 a\r\n550 5.1.1 b"]
)
async def test_words_that_speak_of_the_address_are_a_no(words: str) -> None:
    """Ours to the sender, and learned for two hours."""
    async with ScriptedPrimary().on("RCPT", words) as primary, house(primary, when_primary_up="spool") as at:
        for _ in range(2):
            assert await ask(at, "user") == "550 5.1.1 No such recipient"
        assert asked(primary) == ["user"]
        primary.forget()
        await at.pass_time(timedelta(hours=2))
        assert (await ask(at, "user")).startswith(TAKEN)
        assert await at.word("user") is Word.KNOWN


async def test_a_yes_is_asked_again_in_the_background() -> None:
    """After seven days of the primary's clock: the sender does not wait, and a no counts the next time."""
    async with ScriptedPrimary() as primary, house(primary, when_primary_up="spool") as at:
        await at.learned(Word.KNOWN, "user")
        await at.pass_time(timedelta(days=6))
        assert (await ask(at, "user")).startswith(TAKEN)
        await quiet(at)
        assert not asked(primary)
        await at.pass_time(timedelta(days=1))
        await at.no_catch_all()
        assert (await ask(at, "user")).startswith(TAKEN)
        await quiet(at)
        assert asked(primary) == ["user"]
        assert (await ask(at, "user")).startswith(TAKEN)
        await quiet(at)
        assert asked(primary) == ["user"]
        await at.knowledge.write()
        assert at.spool.roll.recall(DOMAIN, "user").at == 7 * 86_400
        primary.on("RCPT", "550 5.1.1 left us")
        await at.pass_time(timedelta(days=7))
        assert (await ask(at, "user")).startswith(TAKEN)
        await quiet(at)
        assert (await ask(at, "user")).startswith(NO_SUCH)


async def test_an_outage_makes_nobody_unknown() -> None:
    """I10: sixty days, and the primary's clock has stood still; those who are known are taken, an old no is not told for a no."""
    async with ScriptedPrimary() as primary, house(primary, when_unknown="defer") as at:
        clocks = Clocks((DOMAIN,), at.spool.roll, at.board, at.seconds)
        clocks.change({DOMAIN: PrimaryState.UP})
        await at.time.advance(30 * 86_400)
        clocks.tick()
        await at.no_catch_all()
        primary.on("RCPT", "550 5.1.1 nobody", having="gone@")
        told = await sent(at, "user@example.com", "gone@example.com")
        assert [reply[:10] for reply in told.rcpts] == [TAKEN, NO_SUCH]
        await quiet(at)
        await at.knowledge.write()
        await primary.stop()
        clocks.change({DOMAIN: PrimaryState.DOWN})
        for _ in range(60):
            await at.time.advance(86_400)
            clocks.tick()
            assert (await ask(at, "user")).startswith(TAKEN)
            assert (await ask(at, "gone")).startswith(CANNOT_VERIFY)
            assert (await ask(at, "unknown")).startswith(CANNOT_VERIFY)
        assert at.board.clock(DOMAIN) == 30 * 86_400
        # a new process begins with what was kept
        await clocks.keep()
        again = Clocks((DOMAIN,), at.spool.roll, at.board, at.seconds)
        again.change({DOMAIN: PrimaryState.UP})
        await primary.start()
        primary.forget()
        told = await sent(at, "user@example.com", "gone@example.com")
        assert told.dot == "250 2.0.0 taken"
        assert primary.received[-1].rcpts == ["user@example.com", "gone@example.com"]


async def test_a_catch_all_domain_takes_everybody_through_an_outage() -> None:
    """I10: also after sixty days."""
    async with ScriptedPrimary() as primary, house(primary, when_unknown="defer", surveyed=False) as at:
        assert (await sent(at, "user@example.com")).taken
        await quiet(at)
        await at.pass_time(timedelta(days=60), up=False)
        assert (await ask(at, "anybody")).startswith(TAKEN)


async def test_a_primary_that_answers_no_callout_is_reported() -> None:
    """The courier looks at it; and for a moment nobody else is made to wait for the same."""
    async with (
        ScriptedPrimary().on("RCPT", SILENCE) as primary,
        house(primary, when_primary_up="spool", when_unknown="defer", patience=SHORT) as at,
    ):
        assert (await ask(at, "user")).startswith(CANNOT_VERIFY)
        assert at.told == [("lost", DOMAIN)]
        assert (await ask(at, "other")).startswith(CANNOT_VERIFY)
        assert asked(primary) == ["user"]


async def test_a_question_that_nobody_waits_for_is_not_asked() -> None:
    """A client that talks out of turn is gone before its recipient was asked for; nothing is left over."""
    async with ScriptedPrimary() as primary, house(primary, when_primary_up="spool") as at:
        async with client(at.port, "HELO client.test") as talk:
            await talk.say("MAIL FROM:<a@sender.test>")
            talk.send(b"RCPT TO:<user@example.com>\r\nRCPT TO:<other@example.com>\r\n")
            assert (await talk.reply()).startswith("554 5.5.0 ")
        assert not asked(primary)


# Harvesters


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each answer was delayed; no time passes."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(transaction, "asyncio", SimpleNamespace(sleep=sleep))
    return pauses


@pytest.mark.parametrize("policy", ["relay", "spool"])
async def test_who_guesses_is_slowed_down_and_then_told_nothing(policy: str, slept: list[float]) -> None:
    """More than five unknown recipients: every answer is delayed; more than fifty: none, for an hour. Others do not notice."""
    async with (
        ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="nobody") as primary,
        house(primary, when_primary_up=policy) as at,
    ):
        await at.learned(Word.KNOWN, "user")
        for number in range(6):
            assert (await ask(at, f"nobody{number}")).startswith(NO_SUCH)
        assert not slept
        assert (await ask(at, "user")).startswith(TAKEN)
        assert slept == [harvest.SLOW_S]
        for number in range(6, 51):
            assert (await ask(at, f"nobody{number}")).startswith(NO_SUCH)
        assert len(slept) == 46
        await quiet(at)
        questions = len(asked(primary))
        for local in ("user", "nobody0", "nobody77"):
            assert (await ask(at, local)).startswith("450 4.7.1 ")
        assert len(asked(primary)) == questions
        async with client_at(at, "127.0.7.1") as talk:
            assert (await named(talk, "user@example.com")).startswith(TAKEN)
        assert len(slept) == 46
        await at.time.advance(3600)
        assert (await ask(at, "user")).startswith(TAKEN)
        assert (await ask(at, "nobody99")).startswith(NO_SUCH)
        assert len(slept) == 46


async def test_what_is_known_and_what_is_asked_for_is_told_alike(slept: list[float]) -> None:
    """Neither the words nor the delay tell whether somebody asked before."""
    async with (
        ScriptedPrimary().on("RCPT", "550 5.1.1 nobody of this name", having="nobody") as primary,
        house(primary, when_primary_up="spool") as at,
    ):
        await at.learned(Word.GONE, "nobody-known")
        await at.learned(Word.KNOWN, "known")
        for few in (True, False):
            before = len(slept)
            assert await ask(at, "nobody-known") == await ask(at, f"nobody-{few}")
            assert await ask(at, "known") == await ask(at, f"user-{few}")
            assert len(slept) - before == (0 if few else 4)
            for number in range(5):
                await ask(at, f"nobody{number}")


# A split network


async def test_who_comes_back_although_the_primary_is_up_cannot_reach_it() -> None:
    """The same network, sender and recipient, after a quarter of an hour; and it is counted, for the admin to see."""
    async with ScriptedPrimary() as primary, house(primary, when_primary_up="defer") as at:
        await at.learned(Word.KNOWN, "user", "other")
        for minutes in (0, 5, 9):
            await at.time.advance(60 * minutes)
            assert (await ask(at, "user")).startswith("450 4.3.2 ")
        await at.time.advance(60)
        async with client(at.port) as talk:
            assert (await named(talk, "user@example.com", "b@sender.test")).startswith("450 4.3.2 ")
            assert (await named(talk, "other@example.com")).startswith("450 4.3.2 ")
            assert (await named(talk, "User@example.com")).startswith("450 4.3.2 ")
        async with client_at(at, "127.0.7.1") as talk:
            assert (await named(talk, "user@example.com")).startswith("450 4.3.2 ")
        async with client_at(at, "127.0.0.77") as talk:
            assert (await send(talk, "user@example.com")).taken
        assert at.spooled() == ["user@example.com"]
        assert not primary.connections
        await at.knowledge.write()
        assert at.spool.roll.returns(DOMAIN) == {"127.0.0.0/24": 1}
        await at.time.advance(5 * 86_400)
        assert (await ask(at, "user")).startswith("450 4.3.2 ")
        at.primaries(PrimaryState.DOWN)
        assert (await ask(at, "user")).startswith(TAKEN)
