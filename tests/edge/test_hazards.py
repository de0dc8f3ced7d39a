"""Each fault of aiosmtpd that we know of, by its number in our list: the door does not have it."""

import asyncio
import inspect
import threading
import tracemalloc
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP

from backupmx.config import Smtp
from backupmx.core.message import NULL_SENDER
from backupmx.edge.certificate import Certificate
from backupmx.edge.session import Session
from backupmx.edge.tally import Tally
from backupmx.errors import SpoolFull
from backupmx.spool.memory import MemoryIntake, MemorySpool
from tests.edge.door import client, content_of, door, until


class Failing(MemorySpool):
    """A spool whose commit fails as it is told."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error

    def intake(self, id):  # type: ignore[no-untyped-def]
        spool = self

        class Intake(MemoryIntake):
            async def commit(self, envelope, arrived, subject=""):  # type: ignore[no-untyped-def]
                if spool.error:
                    raise spool.error
                await super().commit(envelope, arrived, subject)

        return Intake(self, id)


async def test_1_encoded_words_in_an_address_are_never_decoded() -> None:
    """I2: what looks like an address with a hidden line end is refused, or stays as it came."""
    trick = "=?utf-8?q?=0d=0aRCPT=20TO:=3Cvictim=40evil.example=3E=0d=0a?=@example.com"
    async with door() as at, client(at.port) as talk:
        assert (await talk.say("MAIL FROM:<=?utf-8?q?a=40b?=@sender.test>")).startswith("250")
        assert (await talk.say(f"RCPT TO:<{trick}>")).startswith(("250", "501"))
        assert (await talk.say("RCPT TO:<=?utf-8?q?user=40example=2Ecom?=>")).startswith("501")
        await talk.say("RCPT TO:<user@example.com>")
        await talk.say("DATA")
        talk.send(b"x\r\n.\r\n")
        assert (await talk.reply()).startswith("250")
        (message,) = at.spool.messages.values()
        assert message.envelope.sender == "=?utf-8?q?a=40b?=@sender.test"
        assert all("\r" not in r.address and "\n" not in r.address for r in message.envelope.recipients)


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (SpoolFull("full"), "452 4.3.1 "),
        (OSError("secret/path"), "451 4.3.0 "),
        (ValueError("a bug with <secrets>"), "451 4.3.0 "),
    ],
)
async def test_2_our_own_trouble_is_a_deferral_without_details(error: Exception, reply: str) -> None:
    """I9: never 5xx, nothing leaks, and the transaction is over."""
    spool = Failing(error)
    async with door(spool=spool) as at, client(at.port) as talk:
        answer = await talk.mail(b"x\r\n.\r\n")
        assert answer.startswith(reply)
        assert "secret" not in answer
        assert (await talk.say("DATA")).startswith("503 ")
        spool.error = None
        assert (await talk.mail(b"x\r\n.\r\n")).startswith("250 ")


async def test_3_no_message_is_accepted_that_the_spool_does_not_have() -> None:
    """I1: the 250 names a message that is there."""
    async with door() as at, client(at.port) as talk:
        answer = await talk.mail(b"Subject: x\r\n\r\nbody\r\n.\r\n")
        assert answer.startswith("250 2.0.0 ")
        id = answer.split()[-1]
        assert len(id) == 26
        assert list(at.spool.messages) == [id]
        assert id.encode() in at.spool.contents[id].split(b"Subject")[0]
        assert at.wakes == [True]


class Counting(MemorySpool):
    """Takes content and keeps only its length."""

    octets = 0

    def intake(self, id):  # type: ignore[no-untyped-def]
        spool = self

        class Intake(MemoryIntake):
            async def write(self, chunk):  # type: ignore[no-untyped-def]
                spool.octets += len(chunk)

        return Intake(self, id)


async def test_4_memory_does_not_grow_with_a_message_of_empty_lines() -> None:
    """I4: sixteen MiB of the shortest lines cost a small constant."""
    size = 16 * 2**20
    block = b"\r\n" * 32768
    spool = Counting()
    async with door(spool=spool) as at, client(at.port) as talk:
        await talk.begin()
        tracemalloc.start()
        try:
            for _ in range(size // len(block)):
                talk.send(block)
                await talk.writer.drain()
            talk.send(b".\r\n")
            assert (await talk.reply()).startswith("250")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert spool.octets > size
        assert peak < 6 * 2**20


@pytest.mark.parametrize(
    "line",
    [
        b"EHLO a\rX-Spam-Status: No\r\n",
        b"EHLO a\0b\r\n",
        b"NOOP\n",
        b"MAIL FROM:<a@b.test>\n",
        b"RCPT TO:<user@example.com\r\n",
        b"RCPT TO:user@example.com\r\n",
        b"RCPT TO:<user(comment)@example.com>\r\n",
        b"RCPT TO:<@relay.test:user@example.com>\r\n",
        b"RCPT TO:<user@example.com\0>\r\n",
        b"RCPT TO:<user@exa mple.com>\r\n",
        b"RCPT TO:<user@example.com> <x>\r\n",
    ],
)
async def test_5_malformed_lines_are_refused_and_not_carried_out(line: bytes) -> None:
    """I6: control characters, bare line ends and loose paths."""
    async with door() as at, client(at.port) as talk:
        await talk.say("MAIL FROM:<a@sender.test>")
        talk.send(line)
        assert (await talk.reply())[:2] in ("50", "55")
        assert (await talk.say("DATA")).startswith("503 ")
        assert not at.spool.messages


async def test_6_the_null_sender_is_empty_and_no_recipient_is() -> None:
    """One spelling of the null sender."""
    async with door() as at, client(at.port) as talk:
        assert (await talk.say("MAIL FROM:<>")).startswith("250")
        assert (await talk.say("RCPT TO:<>")).startswith("501")
        assert (await talk.say("RCPT TO:<user@example.com>")).startswith("250")
        await talk.say("DATA")
        talk.send(b"x\r\n.\r\n")
        await talk.reply()
        (message,) = at.spool.messages.values()
        assert message.envelope.sender == NULL_SENDER


async def test_7_a_client_that_goes_away_does_not_stop_a_commit() -> None:
    """I1: begun is done; but half a message is none."""
    gate = asyncio.Event()

    class Slow(MemorySpool):
        def intake(self, id):  # type: ignore[no-untyped-def]
            class Intake(MemoryIntake):
                async def commit(self, envelope, arrived, subject=""):  # type: ignore[no-untyped-def]
                    await gate.wait()
                    await super().commit(envelope, arrived, subject)

            return Intake(self, id)

    async with door(spool=Slow()) as at:
        async with client(at.port) as talk:
            await talk.begin()
            talk.send(b"x\r\n.\r\n")
            await talk.writer.drain()
            await until(lambda: any(session.in_data for session in at.edge._sessions), "the dot is there")
            talk.writer.transport.abort()
        gate.set()
        await until(lambda: len(at.spool.messages) == 1, "committed all the same")
        async with client(at.port) as talk:
            await talk.begin()
            talk.send(b"half a message\r\n")
            await talk.writer.drain()
        await until(lambda: not at.edge._sessions, "the connection is gone")
        assert len(at.spool.messages) == 1


async def test_7b_replies_are_owed_after_the_clients_last_word() -> None:
    """A client that ends its side after the dot still learns what became of the message."""
    async with door() as at, client(at.port) as talk:
        await talk.begin()
        talk.send(b"x\r\n.\r\n")
        talk.writer.write_eof()
        assert (await talk.reply()).startswith("250")


async def test_8_recipients_are_limited() -> None:
    """452 4.5.3, and the first ones get the message."""
    async with door(Smtp(max_recipients=100)) as at, client(at.port) as talk:
        await talk.say("MAIL FROM:<a@sender.test>")
        answers = [await talk.say(f"RCPT TO:<u{n}@example.com>") for n in range(102)]
        assert all(answer.startswith("250") for answer in answers[:100])
        assert all(answer.startswith("452 4.5.3") for answer in answers[100:])
        # the same again is not one more
        assert (await talk.say("RCPT TO:<u1@example.com>")).startswith("250")


async def test_8b_errors_are_limited() -> None:
    """Twenty, then the connection ends."""
    async with door() as at, client(at.port) as talk:
        for _ in range(19):
            assert (await talk.say("XYZZY")).startswith("500")
        talk.send(b"XYZZY\r\n")
        assert (await talk.reply()).startswith("500")
        assert (await talk.reply()).startswith("421 4.7.0")
        assert await talk.reply() == ""


async def test_8c_connections_are_limited_over_all_workers() -> None:
    """In all and for each client, counted in memory that the workers share."""
    tally = Tally.make(2)
    limits = Smtp(max_connections=5, max_connections_per_client=3)
    async with (
        door(limits, tally=tally, row=0) as one,
        door(limits, tally=tally, row=1) as two,
        client(one.port),
        client(two.port),
    ):
        async with client(one.port) as third:
            assert (await third.say("NOOP")).startswith("250")
            async with client(two.port, hello=None) as talk:
                assert (await talk.reply()).startswith("421 4.7.0")
                assert await talk.reply() == ""
            await until(lambda: len(two.edge._sessions) == 1, "the refused one is gone")
        await until(lambda: len(one.edge._sessions) == 1, "one is gone")
        async with client(two.port) as talk:
            assert (await talk.say("NOOP")).startswith("250")
    roomy = Smtp(max_connections=1, max_connections_per_client=3)
    async with door(roomy) as at, client(at.port), client(at.port, hello=None) as talk:
        assert (await talk.reply()).startswith("421 4.3.2")


async def test_8d_idle_commands_do_not_hold_a_slot_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither silence nor NOOPs without a message."""
    async with door() as at, client(at.port) as talk:
        loop = asyncio.get_running_loop()
        (session,) = at.edge._sessions
        begun = loop.time()
        for minutes in (4, 8):
            monkeypatch.setattr(loop, "time", lambda minutes=minutes: begun + minutes * 60)
            assert (await talk.say("NOOP")).startswith("250")
        assert session.deadline(pressed=False) <= begun + 601
        monkeypatch.setattr(loop, "time", lambda: begun + 602)
        at.edge._look_round()
        monkeypatch.undo()
        assert (await talk.reply()).startswith("421 4.4.2")


async def test_9_sessions_share_nothing_but_the_house(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second connection changes nothing for the first, and nothing of the class."""
    monkeypatch.setitem(SMTP.command_size_limits, "MAIL", 1024)
    # what servers of other tests left in it stays too
    before = dict(SMTP.command_size_limits)
    async with door() as at, client(at.port) as one:
        await one.say("MAIL FROM:<a@sender.test> SIZE=1000 BODY=8BITMIME")
        async with client(at.port, "HELO old.test") as two:
            assert (await two.say("MAIL FROM:<b@sender.test>")).startswith("250")
        assert (await one.say("RCPT TO:<user@example.com>")).startswith("250")
        assert before == SMTP.command_size_limits


async def test_10_long_lines_are_taken_as_they_are() -> None:
    """Real mail has them, and primaries take them."""
    line = b"x" * 100_000 + b"\r\n"
    async with door() as at, client(at.port) as talk:
        assert (await talk.mail(line * 3 + b".\r\n")).startswith("250")
        assert at.held() == [line * 3]


async def test_11_what_follows_starttls_in_the_same_packet_ends_the_connection(tmp_path: Path) -> None:
    """I6: plain text that hopes to be taken for something said within TLS."""
    async with door(tls=Certificate.of(None, None, tmp_path, "mx2.test").context) as at, client(at.port) as talk:
        talk.send(b"STARTTLS\r\nMAIL FROM:<smuggled@sender.test>\r\n")
        assert (await talk.reply()).startswith("554 5.5.0 ")
        assert await talk.reply() == ""


async def test_11_starttls_inside_tls_is_out_of_sequence(tmp_path: Path) -> None:
    """503."""
    import ssl

    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    async with door(tls=Certificate.of(None, None, tmp_path, "mx2.test").context) as at, client(at.port) as talk:
        assert "STARTTLS" in await talk.say("EHLO client.test")
        assert (await talk.say("STARTTLS")).startswith("220")
        await talk.writer.start_tls(trusting)
        assert (await talk.say("MAIL FROM:<a@sender.test>")).startswith("503"), "EHLO is needed anew"
        assert "STARTTLS" not in await talk.say("EHLO client.test")
        assert (await talk.say("STARTTLS")).startswith("503")
        assert (await talk.mail(b"x\r\n.\r\n")).startswith("250")
        (message,) = at.spool.messages.values()
        assert message.envelope.client.tls
        assert message.envelope.sender == "a@sender.test"
        (stored,) = at.spool.contents.values()
        assert b"with ESMTPS" in stored
        assert content_of(stored) == b"x\r\n"


async def test_12_a_session_is_made_without_looking_at_its_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest cost of a connection in the library."""
    monkeypatch.setattr(inspect, "getmembers", lambda *_: pytest.fail("inspected"))
    async with door() as at, client(at.port) as talk:
        assert (await talk.say("NOOP")).startswith("250")
        (session,) = at.edge._sessions
        assert isinstance(session, Session)
        assert not hasattr(session, "_smtp_methods")


async def test_13_the_door_opens_in_a_running_loop() -> None:
    """No thread and no loop of its own."""
    before = threading.active_count()
    async with door() as at, client(at.port) as talk:
        assert (await talk.say("NOOP")).startswith("250")
        assert threading.active_count() == before
