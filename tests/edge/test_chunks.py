"""Content by BDAT (RFC 3030): the same promises as for DATA."""

import asyncio

import pytest

from backupmx.config import Smtp
from backupmx.core.data import ChunkReader
from tests.edge.door import Client, client, door, until

ENVELOPE = b"MAIL FROM:<a@sender.test>\r\nRCPT TO:<user@example.com>\r\n"


def chunk(content: bytes, last: bool = False) -> bytes:
    return b"BDAT %d%b\r\n%b" % (len(content), b" LAST" if last else b"", content)


async def replies(talk: Client, count: int) -> list[str]:
    return [(await talk.reply())[:9] for _ in range(count)]


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_chunks_make_one_message(size: int) -> None:
    """Dots are content, and where a chunk ends means nothing; all of it pipelined."""
    content = b"Subject: x\r\n\r\n.\r\n..\r\nbody\r\n" * 20
    pieces = [content[i : i + size] for i in range(0, len(content), size)]
    async with door() as at, client(at.port) as talk:
        talk.send(ENVELOPE + b"".join(chunk(piece) for piece in pieces) + chunk(b"", last=True) + b"NOOP\r\n")
        assert await replies(talk, 2) == ["250 2.1.0", "250 2.1.5"]
        assert set(await replies(talk, len(pieces) + 2)) == {"250 2.0.0"}
        assert at.held() == [content]


@pytest.mark.parametrize(
    ("given", "kept"), [(b"a\nb", b"a\r\nb"), (b"a\rb\0c", b"a b c"), (b"\r", b" "), (b"a\r\r\nb", b"a \r\nb")]
)
@pytest.mark.parametrize("whole", [True, False])
def test_line_ends_are_mended_across_chunks(given: bytes, kept: bytes, whole: bool) -> None:
    """I6: CRLF only, however it is cut."""
    reader, content = ChunkReader(), b""
    pieces = [given] if whole else [given[i : i + 1] for i in range(len(given))]
    for number, piece in enumerate(pieces, 1):
        reader.begin(len(piece), last=number == len(pieces))
        content += reader.feed(piece + b"REST")
        assert reader.ended
        assert reader.rest == b"REST"
    assert content == kept


async def test_a_chunk_of_nobody_is_swallowed() -> None:
    """RFC 3030 section 2: its octets are never heard as commands."""
    async with door() as at, client(at.port) as talk:
        talk.send(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
        assert await replies(talk, 2) == ["503 5.5.1", "250 2.0.0"]
        assert not at.spool.messages


async def test_after_a_refused_chunk_the_rest_is_refused() -> None:
    """Until the transaction is over: half a message is none."""
    async with door(Smtp(max_message_size=1000)) as at, client(at.port) as talk:
        talk.send(
            ENVELOPE + chunk(b"x" * 1500) + chunk(b"y\r\n") + chunk(b"z\r\n", last=True) + ENVELOPE + chunk(b"w\r\n", last=True)
        )
        assert await replies(talk, 8) == [
            "250 2.1.0", "250 2.1.5", "552 5.3.4", "503 5.5.1", "503 5.5.1", "250 2.1.0", "250 2.1.5", "250 2.0.0",
        ]  # fmt: skip
        assert at.held() == [b"w\r\n"]


async def test_a_new_transaction_does_not_inherit_chunks() -> None:
    """RSET, and the next message in the same packet."""
    async with door() as at, client(at.port) as talk:
        talk.send(ENVELOPE + chunk(b"old\r\n") + b"RSET\r\n" + ENVELOPE + chunk(b"new\r\n", last=True))
        await replies(talk, 7)
        assert at.held() == [b"new\r\n"]
        talk.send(ENVELOPE + chunk(b"old\r\n") + b"RSET\r\n" + ENVELOPE + b"DATA\r\n")
        assert (await replies(talk, 7))[-1].startswith("354")
        talk.send(b"dots\r\n.\r\n")
        await replies(talk, 1)
        assert sorted(at.held()) == [b"dots\r\n", b"new\r\n"]
        await until(lambda: at.edge._dock.waiting == 0, "nothing is left of the old chunks")


@pytest.mark.parametrize("command", [b"DATA", b"MAIL FROM:<b@sender.test>", b"RCPT TO:<user@example.com>"])
async def test_chunks_mix_with_nothing(command: bytes) -> None:
    """503 within them, and they go on."""
    async with door() as at, client(at.port) as talk:
        talk.send(ENVELOPE + chunk(b"a\r\n") + command + b"\r\n")
        assert await replies(talk, 4) == ["250 2.1.0", "250 2.1.5", "250 2.0.0", "503 5.5.1"]
        talk.send(chunk(b"b\r\n", last=True))
        assert await replies(talk, 1) == ["250 2.0.0"]
        assert at.held() == [b"a\r\nb\r\n"]


async def test_a_client_that_goes_between_chunks_leaves_nothing() -> None:
    """I1, I4."""
    async with door() as at:
        async with client(at.port) as talk:
            talk.send(ENVELOPE + chunk(b"x" * 400_000))
            await replies(talk, 3)
        await until(lambda: at.edge._dock.waiting == 0 and not at.edge._sessions, "it is gone")
        assert not at.spool.messages


async def test_a_chunk_without_a_length_ends_the_connection() -> None:
    """Its end cannot be known, so what follows must not be heard as commands."""
    async with door() as at, client(at.port) as talk:
        talk.send(ENVELOPE + b"BDAT LAST\r\nRCPT TO:<other@example.com>\r\n")
        assert (await replies(talk, 3))[-1] == "501 5.5.4"
        assert await talk.reply() == ""
        assert not at.spool.messages


async def test_empty_chunks_do_not_hold_a_connection_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do transactions that are begun and forgotten: only content is progress."""
    async with door() as at, client(at.port) as talk:
        loop = asyncio.get_running_loop()
        (session,) = at.edge._sessions
        begun = loop.time()
        for minutes in (3, 6, 9):
            monkeypatch.setattr(loop, "time", lambda minutes=minutes: begun + minutes * 60)
            talk.send(ENVELOPE + chunk(b"") + chunk(b"") + b"RSET\r\n")
            await replies(talk, 5)
        assert session.deadline(pressed=False) <= begun + 601
