"""Content in chunks (RFC 3030), to a primary that offers it: the same outcomes, in one round trip."""

import asyncio
from collections.abc import Iterator

import pytest

from backupmx.core.ids import MessageId
from backupmx.core.message import NOTICES, Fate, State
from backupmx.core.outcome import Deferred, Delivered, Failed
from backupmx.courier.chunks import SMALL, UNANSWERED
from backupmx.courier.client import Connection
from backupmx.courier.transaction import Parcel, Patience, Report
from backupmx.errors import MessageDamaged
from backupmx.spool.memory import MemorySpool
from tests.courier.house import CONTENT, HASTE, START, acquainted, house, put, settings, until
from tests.courier.primary import CHUNKS, DROP, SILENCE, ScriptedPrimary
from tests.courier.test_aiosmtplib import carried, dialled
from tests.courier.test_no_loss import IMPATIENT, in_the_end_empty, taken
from tests.courier.test_notices import KNOWN, World, of
from tests.courier.test_octets import HARD, Crumbs

LARGE = b"Subject: large\r\n\r\n" + b".0123456789abcd\r\n" * (2**16)
IN_TURN = tuple(word for word in CHUNKS if word != "PIPELINING")


class Slices(MemorySpool):
    """Hands content out as the store does."""

    def content(self, id: MessageId) -> Iterator[bytes]:
        """In pieces of 128 KiB."""
        for piece in super().content(id):
            yield from (piece[start : start + 2**17] for start in range(0, len(piece), 2**17))


async def given(connection: Connection, content: bytes, pieces: Iterator[bytes] | None = None) -> Report:
    """A message, and the pieces that the spool hands out, if they are not simply its own."""
    spool = Slices()
    id = await put(spool, content=content)
    message = spool.messages[id]
    return await connection.carry(Parcel(message, message.pending(), 60), pieces or spool.content(id))


@pytest.mark.parametrize("extensions", [CHUNKS, IN_TURN], ids=["ahead", "in turn"])
@pytest.mark.parametrize("content", [*HARD.values(), LARGE], ids=[*HARD, "several chunks"])
@pytest.mark.parametrize("spool", [Slices, Crumbs])
async def test_content_arrives_octet_for_octet(extensions: tuple[str, ...], content: bytes, spool: type[MemorySpool]) -> None:
    """I6: dots are content here, and there is no other end than the count."""
    async with ScriptedPrimary(extensions) as primary, house(settings([f"127.0.0.1:{primary.port}"]), spool()) as at:
        await put(at.spool, content=content, eight_bit=True)
        at.courier.wake()
        await until(at.empty, "given back")
        assert primary.received[0].content == content
        assert not primary.verbs["DATA"]


async def test_what_is_no_line_end_is_none_in_chunks_either() -> None:
    """I6: nothing but CRLF goes over the wire, wherever the pieces are cut."""
    async with ScriptedPrimary(CHUNKS) as primary:
        connection = await dialled(primary)
        await carried(connection, "a@example.com", content=b"Subject: a\rX-Spam-Status: No\r\n\r\na\nb\0c\r\n.\r.\r\n")
        await given(connection, LARGE, iter([b"a\r", b"\nb\r", b"c\n", b"d\r"]))
        await connection.quit()
        assert [got.content for got in primary.received] == [
            b"Subject: a X-Spam-Status: No\r\n\r\na\r\nb c\r\n. .\r\n",
            b"a\r\nb c\r\nd ",
        ]


async def test_a_small_message_is_one_round_trip() -> None:
    """MAIL, RCPT and content are on their way before anything is answered."""
    whole, over = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 primary.test ESMTP\r\n")
        await reader.readuntil(b"\r\n")
        writer.write(b"250-primary.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
        await reader.readuntil(b"BDAT %d LAST\r\n" % len(CONTENT))
        assert await reader.readexactly(len(CONTENT)) == CONTENT
        whole.set()
        writer.write(b"250 2.1.0 fine\r\n250 2.1.5 fine\r\n250 2.0.0 taken\r\n")
        await reader.read()
        writer.close()
        over.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        primary = ScriptedPrimary()
        primary.port = server.sockets[0].getsockname()[1]
        connection = await dialled(primary)
        report = await carried(connection, "a@example.com")
        assert whole.is_set()
        await connection.quit()
        await over.wait()
        assert isinstance(report.outcomes["a@example.com"], Delivered)


async def test_a_large_message_waits_until_somebody_wants_it() -> None:
    """Who refuses the recipients gets no content."""
    async with ScriptedPrimary(CHUNKS).on("RCPT", "450 4.2.1 later") as primary:
        connection = await dialled(primary)
        report = await given(connection, LARGE)
        await connection.quit()
        assert isinstance(report.outcomes["user@example.com"], Deferred)
        assert not primary.verbs["BDAT"]


async def test_a_large_message_goes_ahead_of_the_replies_but_not_far() -> None:
    """I4: so many chunks are on their way, and what follows them is not even read."""
    async with ScriptedPrimary(CHUNKS) as primary:
        read = 0

        def content() -> Iterator[bytes]:
            nonlocal read
            for _ in range(64):
                read += 1
                yield b"0123456789abcd\r\n" * 256

        held = primary.hold_body = asyncio.Event()
        connection = await dialled(primary)
        sending = asyncio.create_task(given(connection, LARGE, content()))
        await until(lambda: read > UNANSWERED)
        await asyncio.sleep(0.05)
        assert read == UNANSWERED + 2
        held.set()
        report = await sending
        await connection.quit()
        assert isinstance(report.outcomes["user@example.com"], Delivered)
        assert primary.verbs["BDAT"] == 64
        assert primary.ends == 1


@pytest.mark.parametrize("bdat", ["503 5.5.1 no recipients", "554 5.5.1 no valid recipients", "250 2.0.0 fine"])
@pytest.mark.parametrize(
    ("step", "said", "state"),
    [
        ("RCPT", "550 5.1.1 nobody", State.QUARANTINED),
        ("RCPT", "450 4.2.1 later", State.WAITING),
        ("MAIL", "550 5.7.1 not you", State.QUARANTINED),
        ("MAIL", "451 4.3.0 later", State.WAITING),
    ],
)
async def test_what_is_said_to_content_for_nobody_is_no_outcome(bdat: str, step: str, said: str, state: State) -> None:
    """RFC 3030 section 2: it is an answer all the same, and the next message has the same connection."""
    async with (
        ScriptedPrimary(CHUNKS) as primary,
        house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=1), Slices()) as at,
    ):
        await acquainted(at)
        primary.on(step, said, times=1).on("BDAT", bdat, times=1)
        id = await put(at.spool)
        at.courier.wake()
        await until(lambda: at.said(id))
        assert at.said(id) == said
        assert at.spool.get(id).state() is state
        other = await put(at.spool)
        at.courier.wake()
        await until(lambda: not at.spool.get(other), "the next message")
        assert primary.connections <= 2  # one of them was the probe
        assert not primary.verbs["DATA"]


@pytest.mark.parametrize("extensions", [CHUNKS, IN_TURN], ids=["ahead", "in turn"])
@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["one chunk", "several"])
@pytest.mark.parametrize("said", ["500 5.5.1 what", "502 5.5.1 not here", "503 5.5.1 not now", "504 5.5.4 not so"])
async def test_a_primary_that_does_not_know_what_it_offers_gets_data(
    extensions: tuple[str, ...], content: bytes, said: str
) -> None:
    """Nobody's message fails for that, and what it may have taken for commands is cut off; it is not asked again."""
    async with (
        ScriptedPrimary(extensions).on("BDAT", said).on("RCPT", "550 5.1.1 nobody", having="never@") as primary,
        house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=1), Slices()) as at,
    ):
        id = await put(at.spool, "a@example.com", "never@example.com", content=content)
        at.courier.wake()
        await until(lambda: at.said(id, "a@example.com"))
        assert at.spool.get(id).fate("a@example.com") is Fate.DELIVERED
        assert at.spool.get(id).fate("never@example.com") is Fate.QUARANTINED
        assert primary.received[0].content == content
        asked = primary.verbs["BDAT"]
        primary.on("DATA", "421 4.3.2 closing", times=1)  # the next one has another connection
        await put(at.spool)
        at.courier.wake()
        await until(lambda: len(primary.received) == 2)
        assert primary.verbs["BDAT"] == asked
        assert at.courier.views()["example.com"].primary.since == START


async def test_more_recipients_than_one_transaction_takes_and_no_chunks_for_the_later_ones() -> None:
    """What was delivered before is not delivered again."""
    to = [f"u{number}@example.com" for number in range(150)]
    primary = ScriptedPrimary(CHUNKS).on("BDAT", "", times=1).on("BDAT", "502 5.5.1 not any more")
    async with primary, house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=1), Slices()) as at:
        await put(at.spool, *to)
        at.courier.wake()
        await until(at.empty)
        assert sorted(taken(primary)) == sorted(to)


async def test_one_that_is_back_from_an_outage_is_asked_again() -> None:
    """It may be another one."""
    primary = ScriptedPrimary(CHUNKS).on("BDAT", "502 5.5.1 not here", times=1)
    async with primary, house(settings([f"127.0.0.1:{primary.port}"], probe_interval="30s")) as at:
        await put(at.spool)
        at.courier.wake()
        await until(at.empty)
        assert primary.verbs["DATA"] == 1
        await primary.stop()
        while at.primary() != "down":
            await at.time.advance(31)
        await primary.start()
        await at.time.advance(31)
        await put(at.spool)
        at.courier.wake()
        await until(at.empty)
        assert primary.verbs["DATA"] == 1


async def test_a_stranger_s_server_that_does_not_know_it_gets_notifications_all_the_same() -> None:
    """Each goes over a connection of its own: what one found out the next one knows."""
    async with (
        ScriptedPrimary().on("RCPT", "550 5.1.1 no such user", having="never@") as primary,
        ScriptedPrimary(CHUNKS).on("BDAT", "502 5.5.1 not here") as world,
    ):
        config = of(primary)
        async with house(config, routes=World(config, world.port)) as at:
            await put(at.spool, "now@example.com", "never@example.com", **KNOWN)
            at.courier.wake()
            await until(lambda: world.verbs["BDAT"] == 1)
            await until(lambda: any(NOTICES in m.domains() and m.progress for m in at.spool.messages.values()), "put off")
            await at.time.advance(301)
            await until(at.empty)
            assert len(world.received) == 1
            assert world.verbs["BDAT"] == 1


async def test_lmtp_keeps_to_data() -> None:
    """Each recipient has a reply there."""
    async with ScriptedPrimary(CHUNKS, lmtp=True) as primary:
        at_it = settings([f"lmtp://127.0.0.1:{primary.port}"])
        async with house(at_it) as at:
            await put(at.spool, "a@example.com", "b@example.com")
            at.courier.wake()
            await until(at.empty)
            assert primary.verbs["DATA"] == 1
            assert not primary.verbs["BDAT"]


@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["one chunk", "several"])
async def test_a_damaged_message_is_never_complete(content: bytes) -> None:
    """I1: what does not match its digest is known at its end alone; LAST is not said before."""
    async with ScriptedPrimary(CHUNKS) as primary:

        def pieces() -> Iterator[bytes]:
            half = len(content) // 2
            yield content[:half]
            raise MessageDamaged("spoilt")

        connection = await dialled(primary)
        with pytest.raises(MessageDamaged):
            await given(connection, content, pieces())
        assert not connection.usable
        await until(lambda: primary.open == 0)
        assert not any("LAST" in command for command in primary.commands)
        assert not primary.received


@pytest.mark.parametrize(
    ("step", "said", "kind"),
    [
        ("BODY", "552 5.3.4 enough", Failed),
        ("BODY", "452 4.3.1 enough", Deferred),
        ("DOT", "554 5.7.1 never", Failed),
        ("DOT", "451 4.7.1 later", Deferred),
        ("DOT", "354 what", Deferred),
        ("DOT", "251 taken", Delivered),
    ],
)
@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["one chunk", "several"])
async def test_what_is_said_to_a_chunk_is_said_to_the_message(step: str, said: str, kind: type, content: bytes) -> None:
    """After a no to the last one the primary is told to start anew, and the line serves on."""
    async with ScriptedPrimary(CHUNKS).on(step, said, times=1) as primary:
        connection = await dialled(primary)
        report = await given(connection, content)
        outcome = report.outcomes["user@example.com"]
        assert type(outcome) is kind
        assert str(outcome.reply) == said
        if connection.usable:
            again = await carried(connection, "a@example.com")
            assert isinstance(again.outcomes["a@example.com"], Delivered)
            assert primary.verbs["RSET"] == (kind is not Delivered)
        else:
            assert step == "BODY"
            assert content is LARGE
        assert len(primary.received) == connection.usable + (kind is Delivered)
        await connection.quit()


async def test_a_line_that_breaks_before_the_last_chunk_is_no_reason_to_wait() -> None:
    """I1: nobody can have the message, so it goes again at once."""
    async with (
        ScriptedPrimary(CHUNKS).on("BODY", DROP, times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"]), Slices()) as at,
    ):
        held = primary.hold_body = asyncio.Event()
        await put(at.spool, content=b"0123456789abcd\r\n" * 2**17)
        at.courier.wake()
        await until(lambda: primary.verbs["BDAT"] == 1)
        held.set()
        await until(at.empty, "at once")
        assert taken(primary) == ["user@example.com"]


@pytest.mark.parametrize(("trouble", "content"), [(DROP, CONTENT), (SILENCE, CONTENT), (DROP, LARGE)])
async def test_no_reply_to_the_last_chunk_is_like_none_to_the_dot(trouble: str, content: bytes) -> None:
    """I1: the primary may have it; twice is better than never, but not at once."""
    patience = Patience(connect=5, command=5, data=5, block=5, dot=0.2, quit=1)
    async with (
        ScriptedPrimary(CHUNKS).on("DOT", "taken, but " + trouble, times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"]), Slices(), patience=patience) as at,
    ):
        id = await put(at.spool, content=content)
        at.courier.wake()
        await until(lambda: at.said(id))
        assert "the final dot" in at.said(id)
        assert at.spool.get(id).schedule["example.com"].deferrals == 1
        await in_the_end_empty(at)
        assert taken(primary) == ["user@example.com"] * 2


async def test_all_of_it_was_sent_when_the_line_broke_before_the_first_chunk_was_answered() -> None:
    """I1: the same, of a large message."""
    content = b"0123456789abcd\r\n" * 2**14

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 primary.test ESMTP\r\n")
        await reader.readuntil(b"\r\n")
        writer.write(b"250-primary.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
        await reader.readuntil(b"RCPT TO:<user@example.com>\r\n")
        writer.write(b"250 2.1.0 fine\r\n250 2.1.5 fine\r\n")
        await reader.readexactly(len(b"BDAT 131072\r\n") + 2**17 + len(b"BDAT 131072 LAST\r\n") + 2**17)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20) as server:
        primary = ScriptedPrimary()
        primary.port = server.sockets[0].getsockname()[1]
        report = await given(await dialled(primary), content)
        assert "the final dot" in str(report.outcomes["user@example.com"].reply)


async def test_all_of_it_was_sent_when_the_line_broke_before_the_first_reply() -> None:
    """I1: content that went ahead may have been taken, whatever was or was not said to MAIL."""
    async with ScriptedPrimary(CHUNKS).on("MAIL", DROP) as primary:
        report = await carried(await dialled(primary), "a@example.com")
        assert "the final dot" in str(report.outcomes["a@example.com"].reply)


@pytest.mark.parametrize("size", [SMALL - 100, SMALL * 5], ids=["one chunk", "several"])
@pytest.mark.parametrize("trouble", [DROP, "421 4.3.2 closing"], ids=["cut", "421"])
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "BDAT", "BODY", "DOT"])
async def test_a_line_that_ends_at_any_step_loses_nothing(step: str, trouble: str, size: int) -> None:
    """I1: the message stays, and arrives later, once."""
    async with (
        ScriptedPrimary(CHUNKS).on(step, trouble, times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"]), Slices()) as at,
    ):
        await put(at.spool, "a@example.com", "b@example.com", content=b"12345678901234\r\n" * (size // 16))
        at.courier.wake()
        await in_the_end_empty(at)
        assert sorted(taken(primary)) == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "BDAT", "BODY", "DOT"])
async def test_silence_at_any_step_loses_nothing(step: str) -> None:
    """I1, I9: a primary that says nothing more is waited for so long, and no longer."""
    async with (
        ScriptedPrimary(CHUNKS).on(step, SILENCE, times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"]), patience=IMPATIENT) as at,
    ):
        await put(at.spool)
        at.courier.wake()
        await in_the_end_empty(at)
        assert taken(primary) == ["user@example.com"]


async def test_a_connection_that_was_dead_already_costs_nothing() -> None:
    """No word came on one that was idle: the next message goes over another, at once."""
    async with ScriptedPrimary(CHUNKS) as primary, house(settings([f"127.0.0.1:{primary.port}"]), patience=HASTE) as at:
        await put(at.spool)
        at.courier.wake()
        await until(at.empty)
        primary.on("MAIL", DROP, times=1)
        await put(at.spool)
        at.courier.wake()
        await until(at.empty, "at once")
        assert taken(primary) == ["user@example.com"] * 2
