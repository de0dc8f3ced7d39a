"""Whose turn it is: nothing is carried out that did not wait for it (I6)."""

import asyncio
import socket
from datetime import timedelta

import pytest

from tests.edge.door import client, door


@pytest.mark.parametrize(
    "line",
    [
        b"NOOP\nMAIL FROM:<a@sender.test>\r\n",
        b"NOOP \nMAIL FROM:<a@sender.test>\r\n",
        b"\nMAIL FROM:<a@sender.test>\r\n",
        b"MAIL FROM:<a@sender.test>\n",
        b"MAIL FROM:<a@sender.test>\n\r\n",
        b"MAIL FROM:<a@sender.test>\r\r\n",
        b"NOOP\rMAIL FROM:<a@sender.test>\r\n",
        b"\0MAIL FROM:<a@sender.test>\r\n",
        b"MAIL FROM:<a@sender.test>\x7f\r\n",
        b"MAIL\tFROM:<a@sender.test>\r\n",
    ],
    ids=repr,
)
async def test_of_a_line_with_a_bare_line_end_or_a_control_character_nothing_is_carried_out(line: bytes) -> None:
    """I6: neither what stands before it nor what stands behind it; and it is answered once."""
    async with door() as at, client(at.port) as talk:
        talk.send(line)
        assert (await talk.reply()).startswith("500 5.5.2 ")
        assert (await talk.say("RCPT TO:<user@example.com>")).startswith("503 5.5.1 ")


async def test_who_speaks_before_the_greeting_is_not_heard() -> None:
    """Hazard 5, early talkers: 554 in the place of the greeting, and nothing is carried out."""
    async with door() as at:
        # the edge runs in this loop: it cannot see the connection before the next await
        early = socket.create_connection(("127.0.0.1", at.port))
        early.sendall(b"EHLO client.test\r\n")
        early.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=early)
        assert (await reader.read()).startswith(b"554 5.5.0 ")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("hello", "batch"),
    [
        (None, b"NOOP\r\nNOOP\r\n"),
        (None, b"EHLO client.test\r\nMAIL FROM:<a@sender.test>\r\n"),
        (None, b"HELO client.test\r\nMAIL FROM:<a@sender.test>\r\n"),
        (None, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"),
        ("HELO client.test", b"MAIL FROM:<a@sender.test>\r\nRCPT TO:<user@example.com>\r\n"),
        ("HELO client.test", b"DATA\r\nSubject: x\r\n"),
        ("EHLO client.test", b"EHLO again.test\r\nMAIL FROM:<a@sender.test>\r\n"),
        ("EHLO client.test", b"DATA\r\nMAIL FROM:<content@sender.test>\r\n.\r\n"),
        ("EHLO client.test", b"DATA now\r\nMAIL FROM:<content@sender.test>\r\n.\r\n"),
    ],
    ids=repr,
)
async def test_what_was_not_offered_is_not_taken(hello: str | None, batch: bytes) -> None:
    """Hazard 5: pipelining before EHLO, after HELO, behind EHLO; and content behind a DATA that is refused is no command."""
    async with door() as at, client(at.port, hello) as talk:
        if hello is None:
            await talk.reply()
        talk.send(batch)
        heard = (await talk.reader.read()).decode()
        assert heard.splitlines()[-1].startswith("554 5.5.0 ")
        assert "250 2.1.0" not in heard or batch.startswith(b"MAIL")
        assert not at.spool.messages


async def test_content_does_not_come_in_the_packet_of_its_data() -> None:
    """RFC 2920 section 3.1: DATA is the last of a group; nothing behind it is taken for commands, or for a second message."""
    async with door() as at, client(at.port) as talk:
        talk.send(b"MAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\none\r\n.\r\nNOOP\r\n")
        assert [(await talk.reply())[:3] for _ in range(4)] == ["250", "250", "554", ""]
        assert not at.spool.messages


async def test_a_line_that_is_too_long_is_refused_whole() -> None:
    """I4: 500, and the session goes on; 512 octets are always taken (RFC 5321 section 4.5.3.1.4)."""
    async with door() as at, client(at.port) as talk:
        assert (await talk.say("NOOP " + "x" * 505)).startswith("250 ")
        assert (await talk.say("NOOP " + "x" * 3000)).startswith("500 5.5.2 Line too long")
        assert (await talk.say("NOOP")).startswith("250 ")


async def test_a_client_that_does_not_read_is_not_listened_to() -> None:
    """I4: replies do not pile up; when it reads again it gets all of them."""
    commands = 8_000
    async with door() as at, client(at.port) as talk:
        (session,) = at.edge._sessions
        talk.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for transport, option in ((session.transport, socket.SO_SNDBUF), (talk.writer.transport, socket.SO_RCVBUF)):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 8192)
        talk.send(b"HELP\r\n" * commands)
        async with client(at.port) as other:
            for _ in range(100):
                assert (await other.say("NOOP")).startswith("250 ")
        assert 0 < session.transport.get_write_buffer_size() < 128 * 1024
        talk.writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(commands):
            assert (await talk.reply()).startswith("214 ")
        assert (await talk.say("NOOP")).startswith("250 ")


async def test_idle_sessions_hear_that_the_server_stops() -> None:
    """421 4.3.2, and the connection is closed."""
    async with door() as at, client(at.port) as idle, client(at.port) as started:
        await started.say("MAIL FROM:<a@sender.test>")
        await at.edge.stop(timedelta(seconds=30))
        for talk in (idle, started):
            assert (await talk.reply()).startswith("421 4.3.2 ")
            assert await talk.reply() == ""
        assert not at.edge._sessions
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.1", at.port)


async def test_a_session_in_the_middle_of_data_may_finish() -> None:
    """SIGTERM loses nothing: 250 first, then 421."""
    async with door() as at, client(at.port) as talk:
        await talk.begin()
        talk.send(b"first half\r\n")
        await talk.writer.drain()
        stopping = asyncio.create_task(at.edge.stop(timedelta(seconds=30)))
        await asyncio.sleep(0)
        talk.send(b"second half\r\n.\r\n")
        assert (await talk.reply()).startswith("250 2.0.0 ")
        assert (await talk.reply()).startswith("421 4.3.2 ")
        await stopping
        assert at.held() == [b"first half\r\nsecond half\r\n"]


async def test_the_grace_has_an_end() -> None:
    """A client that never finishes does not keep the server from stopping; half a message is none."""
    async with door() as at, client(at.port) as talk:
        await talk.begin()
        talk.send(b"first half\r\n")
        await talk.writer.drain()
        await at.edge.stop(timedelta(0))
        assert await talk.reader.read() == b""
        assert not at.spool.messages
        assert not at.edge._tasks
