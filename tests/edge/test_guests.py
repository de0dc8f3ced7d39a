"""Peers that speak for others, primaries that ask for their queue, and clients who are let in first."""

import struct
from datetime import timedelta
from ipaddress import ip_network

import pytest

from backupmx.config import Smtp
from backupmx.edge.guests import ETRN_EVERY_S, Requests
from tests.edge.door import client, door, until

LOOPBACK = (ip_network("127.0.0.0/8"),)
V2 = b"\r\n\r\n\x00\r\nQUIT\n"
IPV4 = bytes([192, 0, 2, 7, 127, 0, 0, 1]) + struct.pack(">HH", 40_000, 25)


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 25\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 40000 25\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (V2 + b"\x21\x11\x00\x0c" + IPV4, "192.0.2.7"),
        (V2 + b"\x21\x11\x00\x13" + IPV4 + b"\x04\x00\x04\x00\x00\x00\x00", "192.0.2.7"),
        (V2 + b"\x20\x00\x00\x00", "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
async def test_a_proxy_names_the_client(header: bytes, address: str, whole: bool) -> None:
    """Versions 1 and 2, in one packet or in many; the greeting comes after it."""
    async with door(Smtp(proxy_from=LOOPBACK)) as at, client(at.port, hello=None) as talk:
        for piece in [header] if whole else [header[i : i + 1] for i in range(len(header))]:
            talk.send(piece)
            await talk.writer.drain()
        assert (await talk.reply()).startswith("220 ")
        await talk.say("EHLO client.test")
        await talk.mail(b"x\r\n.\r\n")
        (message,) = at.spool.messages.values()
        assert message.envelope.client.address == address


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO client.test\r\n",
        b"PROXY TCP4 nobody 127.0.0.1 1 25\r\n",
        b"PROXY " + b"x" * 200,
        V2 + b"\x21\x11\xff\xff",
        b"\x16\x03\x01",
    ],
)
async def test_a_proxy_that_says_something_else_is_sent_away(header: bytes) -> None:
    """A connection that nobody vouches for must not pass for the proxy's own."""
    async with door(Smtp(proxy_from=LOOPBACK)) as at, client(at.port, hello=None) as talk:
        talk.send(header)
        assert (await talk.reply()).startswith("554 5.5.0 Not a PROXY header")
        assert await talk.reply() == ""


async def test_a_proxy_is_believed_only_where_it_is_listed() -> None:
    """To anybody else it is a line that means nothing."""
    async with door(Smtp(proxy_from=(ip_network("192.0.2.0/24"),))) as at, client(at.port) as talk:
        assert (await talk.say("PROXY TCP4 192.0.2.7 127.0.0.1 40000 25")).startswith("500 5.5.2")


async def test_connections_behind_a_proxy_are_limited_by_client() -> None:
    """Not by proxy."""
    header = "PROXY TCP4 192.0.2.{} 127.0.0.1 40000 25\r\n"
    limits = Smtp(proxy_from=LOOPBACK, max_connections_per_client=1)
    async with door(limits) as at, client(at.port, None) as one, client(at.port, None) as two, client(at.port, None) as three:
        for talk, host, reply in ((one, 1, "220 "), (two, 2, "220 "), (three, 1, "421 4.7.0")):
            talk.send(header.format(host).encode())
            assert (await talk.reply()).startswith(reply)
        assert await three.reply() == ""


async def test_xclient_names_the_client() -> None:
    """From a trusted peer; the conversation begins anew."""
    async with door(Smtp(xclient_from=LOOPBACK)) as at, client(at.port) as talk:
        assert "XCLIENT NAME ADDR" in await talk.say("EHLO filter.test")
        said = "XCLIENT NAME=spike.test ADDR=IPV6:2001:db8::7 HELO=strange+20name PROTO=ESMTP LOGIN=[UNAVAILABLE]"
        assert (await talk.say(said)).startswith("220 ")
        await talk.mail(b"x\r\n.\r\n")
        (message,) = at.spool.messages.values()
        assert (message.envelope.client.address, message.envelope.client.helo) == ("2001:db8::7", "strange name")


@pytest.mark.parametrize("said", ["XCLIENT", "XCLIENT ADDR=nowhere", "XCLIENT COLOUR=red", "XCLIENT HELO=a+0Db", "XCLIENT ADDR"])
async def test_xclient_is_strict(said: str) -> None:
    """Nothing changes for what is not understood whole."""
    async with door(Smtp(xclient_from=LOOPBACK)) as at, client(at.port) as talk:
        assert (await talk.say(said)).startswith("501 5.5.4")


async def test_a_peer_that_speaks_for_many_is_not_limited_as_one() -> None:
    """Whom it speaks for is."""
    limits = Smtp(xclient_from=LOOPBACK, max_connections_per_client=1)
    async with door(limits) as at, client(at.port) as one, client(at.port) as two:
        assert (await one.say("XCLIENT ADDR=192.0.2.1")).startswith("220 ")
        assert (await two.say("XCLIENT ADDR=192.0.2.1")).startswith("421 4.7.0")


async def test_xclient_is_believed_from_nobody_else() -> None:
    """Not offered, and refused."""
    async with door() as at, client(at.port) as talk:
        assert "XCLIENT" not in await talk.say("EHLO client.test")
        assert (await talk.say("XCLIENT ADDR=192.0.2.7")).startswith("550 5.7.0")


async def test_a_primary_asks_for_its_queue() -> None:
    """RFC 1985: for configured domains only, and not again at once."""
    async with door() as at, client(at.port) as talk:
        assert (await talk.say("ETRN example.com")).startswith("250 2.0.0")
        assert (await talk.say("ETRN @b\u00fccher.example")).startswith("250 2.0.0")
        assert (await talk.say("ETRN EXAMPLE.com")).startswith("458 4.7.0")
        assert (await talk.say("ETRN elsewhere.test")).startswith("459 4.7.1")
        assert (await talk.say("ETRN #example.com")).startswith("459 4.7.1")
        assert at.asked == ["example.com", "xn--bcher-kva.example"]


def test_a_queue_can_be_asked_for_again_later() -> None:
    """Each domain has its own clock."""
    now, asked = [100.0], list[str]()
    ask = Requests(lambda: now[0], asked.append)
    assert ask("a.test")
    now[0] += ETRN_EVERY_S - 1
    assert not ask("a.test")
    assert ask("b.test")
    now[0] += 1
    assert ask("a.test")
    assert asked == ["a.test", "b.test", "a.test"]


async def test_a_connection_carries_so_many_messages() -> None:
    """Then it is somebody else's turn."""
    async with door(Smtp(max_messages_per_connection=2)) as at, client(at.port) as talk:
        for _ in range(2):
            assert (await talk.mail(b"x\r\n.\r\n")).startswith("250")
        assert (await talk.say("MAIL FROM:<a@sender.test>")).startswith("421 4.7.0")
        assert await talk.reply() == ""


async def test_who_talks_before_the_greeting_is_sent_away() -> None:
    """While it is held back; peers that we trust need not wait."""
    async with door(Smtp(greeting_delay=timedelta(minutes=1))) as at, client(at.port, hello=None) as talk:
        talk.send(b"EHLO client.test\r\n")
        assert (await talk.reply()).startswith("554 5.5.0 Wait for our greeting")
        assert await talk.reply() == ""
    async with door(Smtp(greeting_delay=timedelta(minutes=1), xclient_from=LOOPBACK)) as at, client(at.port) as talk:
        assert (await talk.say("NOOP")).startswith("250")


async def test_the_greeting_comes_after_its_delay() -> None:
    """For those who wait."""
    async with door(Smtp(greeting_delay=timedelta(seconds=1))) as at, client(at.port) as talk:
        assert (await talk.mail(b"x\r\n.\r\n")).startswith("250")


@pytest.mark.parametrize(
    "hello", [b"GET / HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01\x02\x00\x01", b"CONNECT x:25 HTTP/1.0\r\n\r\n"]
)
async def test_other_protocols_are_told_at_once(hello: bytes) -> None:
    """And none of their lines is heard as a command."""
    async with door() as at, client(at.port, hello=None) as talk:
        await talk.reply()
        talk.send(hello)
        assert (await talk.reply()).startswith("554 5.5.0 This is SMTP")
        assert await talk.reply() in ("", "554 5.5.0 Wait for our replies: pipelining begins after EHLO, and ends with DATA")


async def test_the_last_places_are_for_clients_that_sent_mail_before() -> None:
    """Under pressure newcomers are told first; an honest sender still gets through."""
    limits = Smtp(proxy_from=LOOPBACK, max_connections=10)
    async with door(limits) as at:
        known, stranger = b"PROXY TCP4 192.0.2.1 127.0.0.1 1 25\r\n", b"PROXY TCP4 192.0.2.%d 127.0.0.1 1 25\r\n"
        async with client(at.port, None) as talk:
            talk.send(known)
            await talk.reply()
            await talk.say("EHLO client.test")
            await talk.mail(b"x\r\n.\r\n")
        await until(lambda: not at.edge._sessions, "the first is gone")
        talks = []
        for number in range(9):
            talk_ = client(at.port, None)
            talk = await talk_.__aenter__()
            talks.append(talk_)
            talk.send(stranger % (number + 10))
            assert (await talk.reply()).startswith("220 ")
        async with client(at.port, None) as talk:
            talk.send(stranger % 100)
            assert (await talk.reply()).startswith("421 4.3.2 Very busy")
        await until(lambda: len(at.edge._sessions) == 9, "it is gone")
        async with client(at.port, None) as talk:
            talk.send(known)
            assert (await talk.reply()).startswith("220 ")
        for talk_ in talks:
            await talk_.__aexit__(None, None, None)
