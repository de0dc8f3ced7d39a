"""What comes in, to the letter: never a relay (I2), one end of data (I6), byte for byte."""

import itertools
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backupmx.config import Smtp
from backupmx.core import replies
from backupmx.core.data import DataReader
from backupmx.spool.memory import MemorySpool
from tests.edge.door import NOW, client, content_of, door, until


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        ("user%remote.test@example.com", "550 5.7.1"),
        ("remote.test!user@example.com", "550 5.7.1"),
        ('"user@remote.test"@example.com', "550 5.7.1"),
        ("@example.com:user@remote.test", "501 5.1.3"),
        ("user@remote.test", "550 5.7.1"),
        ("user@sub.example.com", "550 5.7.1"),
        ("user@notexample.com", "550 5.7.1"),
        ("user@[127.0.0.1]", "550 5.7.1"),
        ("user@example.com@remote.test", "501 5.1.3"),
        ("user@example.com.remote.test", "550 5.7.1"),
        ("user", "501 5.1.3"),
        ("user@EXAMPLE.com", "250 2.1.5"),
        ("user@example.com.", "250 2.1.5"),
        ("postmaster@example.com", "250 2.1.5"),
        ("postmaster", "250 2.1.5"),
        ("Postmaster", "250 2.1.5"),
        ("user@xn--bcher-kva.example", "250 2.1.5"),
        ("user@b\u00fccher.example", "250 2.1.5"),
        ('"a quoted local part"@example.com', "250 2.1.5"),
    ],
)
async def test_only_the_configured_domains_are_taken(address: str, reply: str) -> None:
    """I2: whatever the form of the address."""
    async with door() as at, client(at.port) as talk:
        await talk.say("MAIL FROM:<a@sender.test> SMTPUTF8")
        assert (await talk.say(f"RCPT TO:<{address}>")).startswith(reply)


async def test_a_domain_is_kept_in_one_spelling() -> None:
    """The route is found by the A-label; the address stays as it came."""
    async with door() as at, client(at.port) as talk:
        await talk.say("MAIL FROM:<a@sender.test> SMTPUTF8 BODY=8BITMIME")
        await talk.say("RCPT TO:<User@B\u00dcCHER.example>")
        await talk.say("RCPT TO:<postmaster>")
        await talk.say("DATA")
        talk.send(b"x\r\n.\r\n")
        assert (await talk.reply()).startswith("250")
        (message,) = at.spool.messages.values()
        assert [r.domain for r in message.envelope.recipients] == ["xn--bcher-kva.example", "example.com"]
        assert message.envelope.recipients[0].address == "User@B\u00dcCHER.example"
        assert message.envelope.smtputf8
        assert message.envelope.eight_bit


def read(blocks: list[bytes]) -> tuple[bytes, bytes] | None:
    """Content and what follows it; None when it was ambiguous."""
    reader, content = DataReader(), b""
    for number, block in enumerate(blocks):
        content += reader.feed(block)
        if reader.ambiguous:
            return None
        if reader.ended:
            return content, reader.rest + b"".join(blocks[number + 1 :])
    raise AssertionError("no end")


@pytest.mark.parametrize("before", [b"", b"x", b"x\r\n"])
def test_every_sequence_around_the_end_is_read_the_same_whole_and_in_pieces(before: bytes) -> None:
    """I6, exhaustively: what is left holds CRLF alone, and nothing behind the first real end is content."""
    for length in range(6):
        for middle in itertools.product(b"\r\n\0.", repeat=length):
            data = before + bytes(middle) + b"\r\n.\r\nQUIT\r\n"
            whole = read([data])
            assert whole == read([data[i : i + 1] for i in range(len(data))]), data
            if whole is not None:
                content, rest = whole
                assert b"\0" not in content
                assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
                assert data.endswith(rest)
                assert rest.endswith(b"QUIT\r\n")


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\r.\r\n", b"\n.\r", b"\r\n.\rx"])
async def test_an_ambiguous_end_of_data_is_refused_and_nothing_after_it_is_done(end: bytes) -> None:
    """I6: no second message hides in the first, and none is stored."""
    async with door() as at, client(at.port) as talk:
        await talk.begin()
        talk.send(b"Subject: x\r\n\r\nbody" + end)
        talk.send(b"MAIL FROM:<smuggled@sender.test>\r\nRCPT TO:<user@example.com>\r\nDATA\r\nx\r\n.\r\n")
        assert (await talk.reply()).startswith("550 5.5.2")
        assert await talk.reply() == ""
        assert not at.spool.messages


async def test_bare_line_feeds_become_line_ends_and_bare_returns_spaces() -> None:
    """I6: what is held has CRLF only."""
    async with door() as at, client(at.port) as talk:
        assert (await talk.mail(b"a\nb\rc\0d\r\n..e\n..f\r\n.\r\n")).startswith("250")
        assert at.held() == [b"a\r\nb c d\r\n.e\r\n.f\r\n"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=12), st.randoms(use_true_random=False))
def test_any_content_arrives_byte_for_byte(lines: list[bytes], rng: random.Random) -> None:
    """Dots undone, whatever the packets."""
    clean = [re.sub(rb"[\r\n\0]", b"-", line) for line in lines]
    content = b"".join(line + b"\r\n" for line in clean)
    wire = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in clean) + b".\r\nNEXT"
    cuts = sorted(rng.randrange(len(wire) + 1) for _ in range(5))
    blocks = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert read([block for block in blocks if block]) == (content, b"NEXT")


async def test_ehlo_offers_what_this_version_does() -> None:
    """And nothing else: no AUTH."""
    async with door() as at, client(at.port, hello=None) as talk:
        assert (await talk.reply()) == "220 mx2.test ESMTP Backup MX"
        answer = await talk.say("EHLO client.test")
        assert [line[4:] for line in answer.splitlines()] == [
            "mx2.test", "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8",
            "CHUNKING", "DSN", "ETRN", "LIMITS MAILMAX=1000 RCPTMAX=1000",
        ]  # fmt: skip


async def test_a_pipelined_batch_is_answered_in_order() -> None:
    """RFC 2920, with a refusal in the middle."""
    async with door() as at, client(at.port) as talk:
        talk.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<u@elsewhere.test>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n")
        assert [(await talk.reply())[:3] for _ in range(4)] == ["250", "550", "250", "354"]
        talk.send(b"one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n")
        assert [(await talk.reply())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
        talk.send(b"two\r\n.\r\nQUIT\r\n")
        assert [(await talk.reply())[:3] for _ in range(2)] == ["250", "221"]
        assert at.held() == [b"one\r\n", b"two\r\n"]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("MAIL FROM:<a@b.test> SIZE=99999999999", "552 5.3.4"),
        ("MAIL FROM:<a@b.test> SIZE=x", "501"),
        ("MAIL FROM:<a@b.test> BODY=9BIT", "501"),
        ("MAIL FROM:<a@b.test> XYZZY=1", "555"),
        ("MAIL FROM:<\u00e5@b.test>", "553 5.6.7"),
        ("MAIL FROM:<\u00e5@b.test> SMTPUTF8", "250"),
        ("MAIL FROM: <a@b.test>", "250"),
        ("MAIL TO:<a@b.test>", "501"),
        ("RCPT TO:<user@example.com>", "503"),
        ("DATA", "503"),
        ("VRFY user", "252"),
        ("EXPN list", "502"),
        ("AUTH PLAIN", "502"),
        ("HELP", "214"),
        ("NOOP anything", "250"),
        ("RSET", "250"),
        ("GET / HTTP/1.1", "554"),
    ],
)
async def test_each_command_has_its_reply(line: str, reply: str) -> None:
    """RFC 5321 section 4.3.2 and its extensions."""
    async with door() as at, client(at.port) as talk:
        assert (await talk.say(line)).startswith(reply)


async def test_hello_comes_first() -> None:
    """503 before EHLO."""
    async with door() as at, client(at.port, hello=None) as talk:
        await talk.reply()
        assert (await talk.say("MAIL FROM:<a@b.test>")).startswith("503")


async def test_too_big_is_said_at_the_end_and_the_session_goes_on() -> None:
    """552 5.3.4; nothing is held."""
    async with door(Smtp(max_message_size=5000)) as at, client(at.port) as talk:
        assert (await talk.mail(b"x" * 6000 + b"\r\n.\r\n")).startswith("552 5.3.4")
        assert not at.spool.messages
        assert (await talk.mail(b"x\r\n.\r\n")).startswith("250")


async def test_a_full_spool_is_told_at_mail() -> None:
    """I4: 452 4.3.1 before anything is sent."""
    async with door(spool=MemorySpool(capacity=1000)) as at, client(at.port) as talk:
        assert (await talk.say("MAIL FROM:<a@b.test> SIZE=2000")).startswith("452 4.3.1")
        assert (await talk.say("MAIL FROM:<a@b.test> SIZE=10")).startswith("250")


async def test_the_received_field_is_one_and_harmless() -> None:
    """I7: folded, dated, with the id; a hostile name is made harmless."""
    async with door() as at, client(at.port, "EHLO a(b)<c>;d") as talk:
        id = (await talk.mail(b"Subject: x\r\n\r\n.\r\n")).split()[-1]
        (stored,) = at.spool.contents.values()
        field = stored.removesuffix(content_of(stored)).decode()
        assert field == (
            "Received: from a?b??c??d ([127.0.0.1])\r\n"
            f"\tby mx2.test with ESMTP id {id}\r\n"
            f"\tfor <user@example.com>; {NOW:%a, %d %b %Y %H:%M:%S} +0000\r\n"
        )


async def test_two_recipients_are_not_told_of_each_other() -> None:
    """`for` only when there is one."""
    async with door() as at, client(at.port, "HELO old.test") as talk:
        await talk.say("MAIL FROM:<a@b.test>")
        for name in ("one", "two", "one"):
            await talk.say(f"RCPT TO:<{name}@example.com>")
        await talk.say("DATA")
        talk.send(b"x\r\n.\r\n")
        await talk.reply()
        (stored,) = at.spool.contents.values()
        assert b"for <" not in stored
        assert b"with SMTP id" in stored
        (message,) = at.spool.messages.values()
        assert len(message.envelope.recipients) == 2


async def test_an_overlong_command_ends_the_connection() -> None:
    """Bounded memory before a line end (I4)."""
    async with door() as at, client(at.port) as talk:
        talk.send(b"NOOP " + b"x" * 100_000)
        assert (await talk.reply()).startswith("500 5.5.2")
        assert (await talk.reply()).startswith("421")
        assert await talk.reply() == ""


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.sampled_from(
                [
                    b"EHLO x\r\n",
                    b"MAIL FROM:<a@b.test>\r\n",
                    b"RCPT TO:<user@example.com>\r\n",
                    b"DATA\r\n",
                    b"\r\n.\r\n",
                    b"RSET\r\n",
                ]
            ),
        ),
        max_size=20,
    )
)
def test_whatever_is_sent_gets_replies_or_an_end(parts: list[bytes]) -> None:
    """Nothing makes the door say anything that is no reply."""
    import asyncio

    async def run() -> None:
        async with door() as at:
            async with client(at.port, hello=None) as talk:
                for part in parts:
                    talk.send(part)
                talk.send(b"\r\n.\r\nQUIT\r\n")
                try:
                    while answer := await talk.reply():
                        assert re.match(r"\d{3}[ -]", answer)
                except ConnectionError:
                    pass
            await until(lambda: not at.edge._sessions, "the session ends")
            for stored in at.spool.contents.values():
                assert stored.count(b"\n") == stored.count(b"\r\n") == stored.count(b"\r")

    asyncio.run(run())


def test_the_table_of_replies_agrees_with_itself() -> None:
    """Code and enhanced code are of one class, names are unique, all of it is ASCII."""
    assert len({answer.name for answer in replies.TABLE}) == len(replies.TABLE)
    for answer in replies.TABLE:
        assert answer.line.endswith(b"\r\n")
        if answer.enhanced:
            assert answer.enhanced[0] == str(answer.code)[0], answer
