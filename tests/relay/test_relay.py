"""Mail goes through to a primary that is up while its client waits: content, mixtures, connections, introductions, the end."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backupmx.config import Smtp
from backupmx.core.belief import Word
from backupmx.core.status import PrimaryState
from backupmx.courier import relay
from backupmx.spool.memory import MemorySpool
from backupmx.spool.store import LmdbSpool
from tests.courier.house import until
from tests.courier.primary import DROP, EXTENSIONS, SILENCE, ScriptedPrimary
from tests.edge.door import client, content_of
from tests.relay.house import CONTENT, DOMAIN, SHORT, House, client_at, house, quiet, send, sent, stuffed, taken

KIB = 1024


def text(size: int, seed: int = 1) -> bytes:
    """Lines of all lengths, some with dots in front, some of dots alone but for one."""
    chance = random.Random(seed)
    lines, length = [b"Subject: long"], 15
    while length < size:
        line = chance.choice((b".", b"..", b"", b". ", b".x")) + b"y" * chance.randrange(2, 900)
        lines.append(line)
        length += len(line) + 2
    return b"\r\n".join(lines)[: size - 2].rstrip(b"\r") + b"\r\n"


@pytest.fixture(params=["memory", "lmdb"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield MemorySpool()
    else:
        store = LmdbSpool(tmp_path / "spool", owner="edge0", reserve=0, map_size=64 * 2**20)
        yield store
        store.close()


# Content


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["ahead", "in turn"])
@pytest.mark.parametrize("chunks", [0, 1, 7])
@pytest.mark.parametrize("size", [100, 300 * KIB, 3 * KIB * KIB])
async def test_content_goes_through_byte_for_byte(spool: Any, size: int, chunks: int, extensions: tuple[str, ...]) -> None:
    """I6: with our one field in front; the spool keeps nothing of it."""
    content = text(size)
    async with ScriptedPrimary(extensions) as primary, house(primary, spool=spool) as at:
        told = await sent(at, "user@example.com", content=content, chunks=chunks)
        assert told.rcpts == ["250 2.1.5 Ok"]
        assert told.dot == "250 2.0.0 taken"
        (got,) = primary.received
        assert got.mail == "MAIL FROM:<a@sender.test>"
        assert got.rcpts == ["user@example.com"]
        assert content_of(got.content) == content
        assert got.content.count(b"Received: ") == 1
        assert not at.messages()


async def test_line_ends_are_mended_on_the_way() -> None:
    """I6: what we send holds CRLF only."""
    async with ScriptedPrimary() as primary, house(primary) as at, client(at.port) as talk:
        assert (await talk.begin()).startswith("354")
        talk.send(b"Subject: x\n\nbare\n..dot\r\nend\r\n.\r\n")
        assert (await talk.reply()).startswith("250")
        assert content_of(primary.received[0].content) == b"Subject: x\r\n\r\nbare\r\n.dot\r\nend\r\n"


@pytest.mark.parametrize("size", [100, 600 * KIB])
@pytest.mark.parametrize("chunks", [False, True])
async def test_a_client_that_disappears_in_the_middle_leaves_nothing(spool: Any, size: int, chunks: bool) -> None:
    """I1: neither at the primary, whose line is cut before the dot, nor with us; the next client has its way."""
    async with ScriptedPrimary() as primary, house(primary, spool=spool, limit=1) as at:
        async with client(at.port) as talk:
            if chunks:
                await talk.say("MAIL FROM:<a@sender.test>")
                await talk.say("RCPT TO:<user@example.com>")
                talk.send(b"BDAT %d\r\n" % size + text(size) + b"BDAT 100 LAST\r\nhalf of it")
                assert (await talk.reply()).startswith("250")
            else:
                assert (await talk.begin()).startswith("354")
                talk.send(text(size))
                if size > 256 * KIB:
                    await until(lambda: primary.verbs["DATA"], "the primary gets content")
        if size > 256 * KIB:
            await until(lambda: primary.open == 0, "the line is cut")
        told = await sent(at, "user@example.com")
        assert told.taken
        assert [content_of(got.content) for got in primary.received] == [CONTENT]
        assert primary.ends == 1
        assert not at.messages()


async def test_content_without_an_unmistakable_end_leaves_nothing() -> None:
    """I6: an end that others may see elsewhere, after much of it went through."""
    async with ScriptedPrimary() as primary, house(primary) as at, client(at.port) as talk:
        assert (await talk.begin()).startswith("354")
        talk.send(text(600 * KIB))
        await until(lambda: primary.verbs["DATA"], "the primary gets content")
        talk.send(b"x\n.\r\nMAIL FROM:<smuggled@sender.test>\r\n")
        assert (await talk.reply()).startswith("550 5.5.2 ")
        await until(lambda: primary.open == 0, "the line is cut")
        assert not primary.ends
        assert not at.messages()


async def test_a_message_that_is_too_big_leaves_nothing(spool: Any) -> None:
    """I4: that is found out in the middle, when the primary has much of it."""
    smtp = Smtp.model_validate({"max_message_size": "400 KiB"})
    async with ScriptedPrimary() as primary, house(primary, spool=spool, smtp=smtp) as at:
        assert (await in_two_parts(at, primary)).startswith("552 5.3.4 ")


async def test_a_spool_that_fills_up_leaves_nothing() -> None:
    """I4, I9: 452, although the primary could have had it: what breaks now could not be kept."""
    async with ScriptedPrimary() as primary, house(primary, spool=MemorySpool(capacity=400 * KIB)) as at:
        assert (await in_two_parts(at, primary)).startswith("452 4.3.1 ")


async def in_two_parts(at: House, primary: ScriptedPrimary) -> str:
    """The second is sent when the primary has much of the first; neither it nor the spool has anything in the end."""
    wire = stuffed(text(700 * KIB))
    async with client(at.port) as talk:
        assert (await talk.begin()).startswith("354")
        talk.send(wire[: 300 * KIB])
        await until(lambda: primary.verbs["DATA"], "the primary gets content")
        talk.send(wire[300 * KIB :])
        answer = await talk.reply()
        await until(lambda: primary.open == 0, "the line is cut")
        assert not primary.ends
        assert not at.messages()
        # and both go on
        assert (await send(talk, "user@example.com")).dot == "250 2.0.0 taken"
    return answer


@pytest.mark.parametrize("trouble", [DROP, SILENCE])
@pytest.mark.parametrize("step", ["DATA", "BODY", "DOT"])
async def test_what_breaks_in_the_middle_of_much_is_kept_whole(spool: Any, step: str, trouble: str) -> None:
    """I1: all of it, also what the primary had already."""
    content = text(KIB * KIB)
    async with ScriptedPrimary().on(step, trouble) as primary, house(primary, spool=spool, patience=SHORT) as at:
        told = await sent(at, "user@example.com", content=content)
        assert told.taken
        assert not primary.received
        assert at.held() == [content]


# Mixtures


async def test_two_domains_with_one_primary_share_the_transaction() -> None:
    """The primary is asked for both, and has the message once; from the first time on."""
    async with ScriptedPrimary() as primary, house({DOMAIN: primary, "example.org": primary}) as at:
        told = await sent(at, "a@example.com", "b@example.org")
        assert told.taken
        assert [got.rcpts for got in primary.received] == [["a@example.com", "b@example.org"]]
        assert not at.messages()


@pytest.mark.parametrize("order", [1, -1])
async def test_recipients_of_two_primaries_are_kept_for_both(order: int) -> None:
    """I1: one that was asked and one that is down, one whom nobody has: nobody is lost, nobody has it twice."""
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="nobody@") as up, ScriptedPrimary() as down:
        await down.stop()
        async with house({DOMAIN: up, "example.org": down}) as at:
            at.primaries(PrimaryState.DOWN, "example.org")
            recipients = ["a@example.com", "nobody@example.com", "b@example.com", "c@example.org", "d@example.org"][::order]
            told = await sent(at, *recipients)
            assert [reply[:3] for reply in told.rcpts] == ["550" if one.startswith("nobody") else "250" for one in recipients]
            assert told.taken
            assert not up.received
            assert [line for number, line in up.heard if number == 1][-1] == "RSET"
            assert not up.verbs["DATA"]
            assert at.spooled() == ["a@example.com", "b@example.com", "c@example.org", "d@example.org"]
            assert at.held() == [CONTENT]


async def test_two_primaries_that_are_up_get_it_from_the_spool() -> None:
    """One transaction goes to one primary; the other's recipients are verified by callout."""
    async with (
        ScriptedPrimary() as one,
        ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="nobody@") as two,
        house({DOMAIN: one, "example.org": two}) as at,
    ):
        told = await sent(at, "a@example.com", "nobody@example.org", "b@example.org")
        assert [reply[:9] for reply in told.rcpts] == ["250 2.1.5", "550 5.1.1", "250 2.1.5"]
        assert told.taken
        assert at.spooled() == ["a@example.com", "b@example.org"]
        assert not one.received
        assert not two.received


async def test_routes_that_only_begin_alike_are_two() -> None:
    """I2: mail is sent only to its domain's route, whatever the first of its hosts is."""
    async with ScriptedPrimary() as one, ScriptedPrimary() as two, house({DOMAIN: one, "example.org": two}) as at:
        first = relay.Route((relay_host(one), relay_host(two)), (), timedelta(1))
        second = relay.Route((relay_host(one), relay_host(at)), (), timedelta(1))
        assert first.name == second.name
        assert first.key != second.key


def relay_host(at: Any) -> Any:
    from backupmx.config import Endpoint

    return Endpoint("127.0.0.1", at.port)


@pytest.mark.parametrize("trouble", [DROP, SILENCE, "421 4.3.2 closing", "503 5.5.1 what?", "354 go on", "nonsense"])
async def test_a_line_that_is_lost_after_recipients_were_taken_loses_none_of_them(trouble: str) -> None:
    """I1, I9: those who were taken, and those who come after; who was refused stays refused."""
    async with (
        ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="nobody@").on("RCPT", trouble, having="third@") as primary,
        house(primary, patience=SHORT, when_unknown="accept") as at,
    ):
        told = await sent(at, *(f"{each}@example.com" for each in ("first", "nobody", "second", "third", "fourth")))
        assert [reply[:3] for reply in told.rcpts] == ["250", "550", "250", "250", "250"]
        assert told.taken
        assert not primary.received
        assert at.spooled() == [f"{each}@example.com" for each in ("first", "fourth", "second", "third")]


async def test_only_those_who_were_taken_are_in_the_transaction() -> None:
    """The primary's own words for the others; who is named twice is one."""
    async with (
        ScriptedPrimary()
        .on("RCPT", "550 5.1.1 nobody\twith \xe9", having="nobody@")
        .on("RCPT", "452 4.2.2 full", having="full@")
        .on("RCPT", "251 he is somewhere else", having="moved@") as primary,
        house(primary) as at,
    ):
        names = ("a", "nobody", "full", "b", "a", "moved")
        told = await sent(at, *(f"{each}@example.com" for each in names))
        assert told.rcpts == [
            "250 2.1.5 Ok",
            "550 5.1.1 nobody?with ?",
            "452 4.2.2 full",
            "250 2.1.5 Ok",
            "250 2.1.5 Ok",
            "250 2.1.5 Ok",
        ]
        assert told.dot == "250 2.0.0 taken"
        assert taken(primary) == ["a@example.com", "b@example.com", "moved@example.com"]
        assert not at.messages()


@pytest.mark.parametrize("words", ["550 go away", "550 5.1.0 who are you", "553 5.1.3 bad address"])
@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["ahead", "in turn"])
async def test_what_is_said_to_a_sender_teaches_nothing_of_recipients(words: str, extensions: tuple[str, ...]) -> None:
    """I9: else anybody with a bad name could make recipients unknown, for the time when the primary is gone."""
    async with ScriptedPrimary(extensions).on("MAIL", words, having="bad@") as primary, house(primary) as at:
        await at.learned(Word.KNOWN, "user")
        told = await sent(at, *(f"user{each}@example.com" for each in ("", "1", "2")), sender="bad@sender.test")
        assert all(reply.startswith(words[:3]) for reply in told.rcpts)
        assert await at.word("user") is Word.KNOWN
        assert await at.word("user1") is None
        assert (await sent(at, "user@example.com")).dot == "250 2.0.0 taken"
        assert primary.connections == 1


async def test_what_is_said_to_recipients_is_learned() -> None:
    """For the time when the primary is gone."""
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="nobody@") as primary, house(primary) as at:
        await sent(at, "user@example.com", "nobody@example.com")
        await quiet(at)
        assert await at.word("user") is Word.KNOWN
        assert await at.word("nobody") is Word.GONE
        await primary.stop()
        at.primaries(PrimaryState.DOWN)
        told = await sent(at, "user@example.com", "nobody@example.com")
        assert [reply[:9] for reply in told.rcpts] == ["250 2.1.5", "450 4.1.1"]
        assert at.spooled() == ["user@example.com"]


# Connections


async def test_a_connection_serves_one_client_after_the_other() -> None:
    """And is let go when nobody came for a while."""
    async with ScriptedPrimary() as primary, house(primary) as at:
        for _ in range(3):
            assert (await sent(at, "user@example.com")).taken
        assert primary.connections == 1
        assert len(primary.received) == 3
        await at.time.advance(6)
        await until(lambda: primary.verbs["QUIT"] == 1 and not primary.open, "it takes its leave")


@pytest.mark.parametrize("how", ["cut", "MAIL " + DROP, "MAIL 421 4.4.2 idle", "XCLIENT " + DROP, "XCLIENT 421 4.4.2 idle"])
@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["ahead", "in turn"])
async def test_a_connection_that_was_closed_meanwhile_costs_nothing(how: str, extensions: tuple[str, ...]) -> None:
    """The client sees nothing of it, and nobody is told that the primary is lost."""
    verb, _, words = how.partition(" ")
    offers = (*extensions, "XCLIENT NAME ADDR PROTO HELO") if verb == "XCLIENT" else extensions
    async with ScriptedPrimary(offers).on("XCLIENT", "550 5.7.0 no", times=1) as primary, house(primary, limit=1) as at:
        assert (await sent(at, "user@example.com")).taken
        if how == "cut":
            await primary.cut()
        else:
            primary.on(verb, words, times=1)
        told = await sent(at, "user@example.com")
        assert told.dot == "250 2.0.0 taken"
        assert primary.connections == 2
        assert len(primary.received) == 2
        assert ("lost", DOMAIN) not in at.told
        assert not at.messages()


async def test_there_are_never_more_connections_than_may_be() -> None:
    """Clients wait for a place, and get it: when one before them is served, or gives up."""
    async with ScriptedPrimary() as primary, house(primary, limit=2) as at:
        primary.gate.clear()
        sending = [asyncio.create_task(sent(at, f"u{n}@example.com", address=f"127.0.0.{n}")) for n in range(1, 7)]
        await until(lambda: primary.ends == 2, "two wait for the dot")
        primary.gate.set()
        assert all(told.dot == "250 2.0.0 taken" for told in await asyncio.gather(*sending))

        async def give_up(number: int) -> None:
            async with client_at(at, f"127.0.0.{number}") as talk:
                await talk.say("MAIL FROM:<a@sender.test>")
                await talk.say("RCPT TO:<user@example.com>")
                await talk.say("RSET")

        await asyncio.gather(*(give_up(number) for number in range(1, 11)))
        assert primary.most_open == 2
        assert primary.connections == 2


async def test_who_waits_too_long_for_a_place_is_served_by_the_spool(monkeypatch: pytest.MonkeyPatch) -> None:
    """I9: a known recipient's mail is kept."""
    monkeypatch.setattr(relay, "QUEUE_S", 0.05)
    async with ScriptedPrimary() as primary, house(primary, limit=1) as at:
        await at.learned(Word.KNOWN, "user")
        primary.gate.clear()
        first = asyncio.create_task(sent(at, "first@example.com"))
        await until(lambda: primary.ends == 1, "one waits for the dot")
        told = await sent(at, "user@example.com", address="127.0.0.2")
        assert told.dot.startswith("250 2.0.0 Ok: queued")
        primary.gate.set()
        assert (await first).dot == "250 2.0.0 taken"
        assert at.spooled() == ["user@example.com"]


@pytest.mark.parametrize("last", ["RSET", "QUIT", "EHLO again.test", "STARTTLS", ""])
async def test_a_client_that_gives_up_leaves_the_connection_for_the_next(last: str) -> None:
    """The transaction is taken back with RSET; without a last word, too."""
    async with ScriptedPrimary() as primary, house(primary, limit=1) as at:
        async with client(at.port) as talk:
            await talk.say("MAIL FROM:<a@sender.test>")
            assert (await talk.say("RCPT TO:<first@example.com>")).startswith("250")
            if last and last != "STARTTLS":
                await talk.say(last)
        assert (await sent(at, "user@example.com")).dot == "250 2.0.0 taken"
        assert primary.connections == 1
        assert [got.rcpts for got in primary.received] == [["user@example.com"]]


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["ahead", "in turn"])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
@pytest.mark.parametrize("turn", [0, 1, 2])
async def test_a_reply_to_one_client_is_never_anothers(verb: str, turn: int, extensions: tuple[str, ...]) -> None:
    """I1: who is gone before the primary has answered leaves a connection on which that answer still comes: it is not used again.

    The client is gone during the first question on a new connection, on a used one, or during a later one.
    """
    async with ScriptedPrimary(extensions) as primary, house(primary, limit=1) as at:
        if turn == 1:
            await sent(at, "user@example.com")
        before = len(primary.received)
        async with client(at.port) as talk:
            await talk.say("MAIL FROM:<slow@sender.test>")
            if turn == 2:
                await talk.say("RCPT TO:<first@example.com>")
            if verb == "RCPT" or turn == 2:
                primary.on("RCPT", SILENCE, having="slow@")
            else:
                primary.on("MAIL", SILENCE, having="slow@")
            asked = len(primary.commands)
            talk.send(b"RCPT TO:<slow@example.com>\r\n")
            await until(lambda: any("slow@" in line for line in primary.commands[asked:]), "it is asked")
        told = await sent(at, "user@example.com", "other@example.com")
        assert told.dot == "250 2.0.0 taken"
        assert [got.rcpts for got in primary.received[before:]] == [["user@example.com", "other@example.com"]]
        assert primary.received[-1].connection != 1 or (turn == 0 and primary.connections == 1)
        assert ("lost", DOMAIN) not in at.told
        await until(lambda: primary.open <= 1, "the other one is closed")


async def test_a_client_that_is_gone_before_there_is_a_connection_leaves_none() -> None:
    """The greeting comes when nobody waits for it any more: nothing is asked, and no connection stays."""
    async with ScriptedPrimary() as primary, house(primary, limit=1) as at:
        primary.greets.clear()
        async with client(at.port) as talk:
            await talk.say("MAIL FROM:<a@sender.test>")
            talk.send(b"RCPT TO:<user@example.com>\r\n")
            await until(lambda: primary.open, "it is connected to")
        await until(lambda: not at.edge._sessions, "the client is gone")
        primary.greets.set()
        await until(lambda: not primary.open, "the connection is closed")
        assert not primary.verbs["MAIL"]
        assert (await sent(at, "user@example.com")).dot == "250 2.0.0 taken"


async def test_an_idle_client_loses_the_primary_and_not_its_mail() -> None:
    """A connection is not for those who think; what comes after is kept by us, and the next client has the connection."""
    async with ScriptedPrimary() as primary, house(primary, limit=1) as at, client(at.port) as talk:
        await talk.say("MAIL FROM:<a@sender.test>")
        assert (await talk.say("RCPT TO:<a@example.com>")).startswith("250")
        await at.time.advance(61)
        await until(lambda: primary.verbs["RSET"] == 1, "it is taken back")
        assert (await sent(at, "user@example.com")).dot == "250 2.0.0 taken"
        assert (await talk.say("RCPT TO:<b@example.com>")).startswith("250")  # by callout
        assert (await talk.say("DATA")).startswith("354")
        talk.send(stuffed(CONTENT))
        assert (await talk.reply()).startswith("250 2.0.0 Ok: queued")
        assert at.spooled() == ["a@example.com", "b@example.com"]
        assert len(primary.received) == 1


async def test_so_does_one_that_is_idle_in_the_middle_of_its_content() -> None:
    """The primary's line is cut before the dot."""
    content = text(600 * KIB)
    async with ScriptedPrimary() as primary, house(primary) as at, client(at.port) as talk:
        assert (await talk.begin()).startswith("354")
        wire = stuffed(content)
        talk.send(wire[: 500 * KIB])
        await until(lambda: primary.verbs["DATA"], "the primary gets content")
        await until(lambda: _waits(at), "the client is waited for")
        await at.time.advance(61)
        await until(lambda: not primary.open, "the line is cut")
        talk.send(wire[500 * KIB :])
        assert (await talk.reply()).startswith("250 2.0.0 Ok: queued")
        assert at.held() == [content]
        assert not primary.ends


async def test_a_refusal_of_the_content_is_told_however_long_it_takes() -> None:
    """The primary said no to DATA; that its connection was given to others meanwhile makes it no yes."""
    content = text(600 * KIB)
    async with ScriptedPrimary().on("DATA", "554 5.7.1 not this") as primary, house(primary) as at, client(at.port) as talk:
        assert (await talk.begin()).startswith("354")
        wire = stuffed(content)
        talk.send(wire[: 500 * KIB])
        await until(lambda: primary.verbs["DATA"], "the primary is asked")
        await until(lambda: _waits(at), "the client is waited for")
        await at.time.advance(61)
        talk.send(wire[500 * KIB :])
        assert await talk.reply() == "554 5.7.1 not this"
        assert not at.messages()


def _waits(at: House) -> bool:
    """Whether the one handover waits for its client."""
    return any(each._idle is not None for each in at.relay._live)


# XCLIENT

OFFERS = (*EXTENSIONS, "XCLIENT NAME ADDR PROTO HELO")


@pytest.mark.parametrize("offers", [OFFERS, OFFERS[1:]], ids=["ahead", "in turn"])
async def test_a_primary_that_trusts_us_is_told_who_the_client_is(offers: tuple[str, ...]) -> None:
    """It sees the client, and not us; and nobody goes on under the name of the one before."""
    async with ScriptedPrimary(offers) as primary, house(primary) as at:
        for hello in ("EHLO one.test", "HELO two.test"):
            async with client(at.port, hello) as talk:
                assert (await send(talk, "user@example.com")).dot == "250 2.0.0 taken"
                assert (await send(talk, "user@example.com")).dot == "250 2.0.0 taken"
        introduced = {number: [] for number in range(1, 5)}
        for number, line in primary.heard:
            if line.split()[0] in ("EHLO", "XCLIENT", "MAIL"):
                introduced[number].append(line)
        for number, (protocol, name) in enumerate([("ESMTP", "one.test")] * 2 + [("SMTP", "two.test")] * 2, 1):
            assert introduced[number] == [
                "EHLO mx2.test",
                f"XCLIENT NAME=[UNAVAILABLE] ADDR=127.0.0.1 PROTO={protocol} HELO={name}",
                f"EHLO {name}",
                "MAIL FROM:<a@sender.test>",
            ]
        await until(lambda: not primary.open, "nobody else has these connections")


@pytest.mark.parametrize(
    "name", ["a+0d+0aRCPT", "x=y", "<a>", "a;b", "ÿ\u2028", "[UNAVAILABLE]", "a\u00a0b", "'\"`$(", "%s%n", "x" * 1500, "&", "+"]
)
async def test_a_hostile_name_cannot_say_more_than_a_name(name: str) -> None:
    """I7: neither a command nor an attribute of its own."""
    async with ScriptedPrimary(OFFERS) as primary, house(primary) as at:
        async with client(at.port, f"EHLO {name}") as talk:
            assert (await send(talk, "user@example.com")).dot == "250 2.0.0 taken"
        said = [line.split() for line in primary.commands if line.startswith("XCLIENT")]
        assert [len(words) for words in said] == [5]
        assert [word.partition("=")[0] for word in said[0][1:]] == ["NAME", "ADDR", "PROTO", "HELO"]
        assert said[0][4].count("=") == 1
        assert "+" not in said[0][4]
        assert primary.verbs - Counter(["QUIT"]) == Counter(["EHLO", "XCLIENT", "EHLO", "MAIL", "RCPT", "DATA"])
        assert all(len(line) < 512 for line in primary.commands)


@pytest.mark.parametrize("words", ["550 5.7.0 not you", "501 5.5.4 what"])
async def test_a_primary_that_offers_and_refuses_it_gets_the_mail_all_the_same(words: str) -> None:
    """In our own name."""
    async with ScriptedPrimary(OFFERS).on("XCLIENT", words) as primary, house(primary) as at:
        for _ in range(2):
            assert (await sent(at, "user@example.com")).dot == "250 2.0.0 taken"
        assert primary.verbs["EHLO"] == 1


async def test_what_is_asked_in_our_name_is_asked_on_connections_that_never_had_another() -> None:
    """Else a callout would be judged by a client's name."""
    up = {DOMAIN: "relay", "example.org": "spool"}
    async with ScriptedPrimary(OFFERS) as primary, house(dict.fromkeys(up, primary), when_primary_up=up, surveyed=False) as at:
        for _ in range(3):
            told = await sent(at, "user@example.com")
            assert told.dot == "250 2.0.0 taken"
            await sent(at, "user@example.org", "other@example.org")
        null = {number for number, line in primary.heard if line == "MAIL FROM:<>"}
        introduced = {number for number, line in primary.heard if line.startswith("XCLIENT")}
        assert null
        assert introduced
        assert not null & introduced


# The end


@pytest.mark.parametrize("step", ["DOT", "DATA", "RCPT", "MAIL", "CONNECT"])
async def test_stop_loses_nothing_that_waits_for_the_primary(spool: Any, step: str) -> None:
    """I1: its word is not waited for any more; what was taken is kept, what was not is nowhere, and the client is told no lie."""
    async with ScriptedPrimary().on(step, SILENCE) as primary, house(primary, spool=spool) as at:
        await at.learned(Word.KNOWN, "user")
        async with client(at.port) as talk:
            await talk.say("MAIL FROM:<a@sender.test>")
            talk.send(b"RCPT TO:<user@example.com>\r\n")
            in_content = step in ("DOT", "DATA")
            if in_content:
                assert (await talk.reply()).startswith("250")
                assert (await talk.say("DATA")).startswith("354")
                talk.send(stuffed(CONTENT))
            await until(lambda: primary.ends if step == "DOT" else primary.verbs[step] or step == "CONNECT", "it is asked")
            async with asyncio.timeout(8):
                await at.edge.stop(timedelta(0))
            said = await talk.reply()
            assert said == "" or said.startswith(("250", "421"))
            assert at.spooled() == (["user@example.com"] if in_content else [])
            assert not primary.received
            await until(lambda: not primary.open, "no line is left")


async def test_stop_waits_for_the_primary_as_long_as_it_may() -> None:
    """A message whose dot is answered within the grace is the primary's, and not kept."""
    async with ScriptedPrimary() as primary, house(primary) as at:
        primary.gate.clear()
        sending = asyncio.create_task(sent(at, "user@example.com"))
        await until(lambda: primary.ends, "it waits")
        stopping = asyncio.create_task(at.edge.stop(timedelta(seconds=5)))
        await asyncio.sleep(0)
        primary.gate.set()
        await stopping
        assert (await sending).dot == "250 2.0.0 taken"
        assert not at.messages()


async def test_who_waits_for_a_place_when_we_stop_begins_nothing() -> None:
    """All handovers are ended, also those to come."""
    async with ScriptedPrimary() as primary, house(primary, limit=1) as at:
        primary.gate.clear()
        first = asyncio.create_task(sent(at, "first@example.com"))
        await until(lambda: primary.ends == 1, "one waits for the dot")
        async with client_at(at, "127.0.0.2") as talk:
            await talk.say("MAIL FROM:<a@sender.test>")
            talk.send(b"RCPT TO:<user@example.com>\r\n")
            await until(lambda: any(desk.places._waiters for desk in at.relay._desks.values()), "one waits for a place")
            await at.edge.stop(timedelta(0))
        with contextlib.suppress(AssertionError, OSError):
            await first  # it may have been told, or cut off
        assert at.spooled() == ["first@example.com"]
        assert not [line for line in primary.commands if "RCPT TO:<user@" in line]
