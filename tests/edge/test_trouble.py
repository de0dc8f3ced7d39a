"""Our own trouble is never the sender's fault, and never a promise (I1, I9)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from backupmx.config import Smtp
from backupmx.core.ids import MessageId
from backupmx.errors import SpoolFull, SpoolUnusable
from backupmx.spool.memory import MemoryIntake, MemorySpool
from tests.edge.door import client, door, until

BUG = ZeroDivisionError("secret")
BIG = b"x" * 76 + b"\r\n"


class Troubled(MemorySpool):
    """Raises where it is told to, until it is told otherwise."""

    def __init__(self, **errors: Exception) -> None:
        super().__init__()
        self.errors = errors
        self.abandoned = 0

    def trouble(self, where: str) -> None:
        if where in self.errors:
            raise self.errors[where]

    def room(self) -> int:
        self.trouble("room")
        return super().room()

    def intake(self, id: MessageId) -> "Intake":
        self.trouble("intake")
        return Intake(self, id)


class Intake(MemoryIntake):
    """One message of a troubled spool."""

    def __init__(self, spool: Troubled, id: MessageId) -> None:
        super().__init__(spool, id)
        self.troubled = spool

    async def write(self, chunk: bytes) -> None:
        self.troubled.trouble("write")
        await super().write(chunk)

    async def commit(self, *given: Any) -> None:
        self.troubled.trouble("commit")
        await super().commit(*given)

    async def abandon(self) -> None:
        self.troubled.abandoned += 1
        self.troubled.trouble("abandon")
        await super().abandon()


@pytest.mark.parametrize("content", [b"small\r\n", BIG * 10_000], ids=["small", "large"])
@pytest.mark.parametrize("where", ["write", "commit"])
@pytest.mark.parametrize(
    ("error", "reply"), [(SpoolFull("full"), "452 4.3.1 "), (SpoolUnusable("broken"), "451 4.3.0 "), (BUG, "451 4.3.0 ")]
)
async def test_trouble_with_content_is_a_deferral_and_the_session_goes_on(
    content: bytes, where: str, error: Exception, reply: str
) -> None:
    """I9: wherever it strikes, the end of data is waited for, nothing is kept, and the next message is taken."""
    spool = Troubled(**{where: error})
    async with door(spool=spool) as at, client(at.port) as talk:
        with capture_logs():
            assert (await talk.mail(content + b".\r\n")).startswith(reply)
        assert spool.abandoned == 1
        assert not at.spool.messages
        spool.errors = {}
        assert (await talk.say("DATA")).startswith("503 "), "the transaction is over"
        assert (await talk.mail(content + b".\r\n")).startswith("250 ")
        assert at.held() == [content]


@pytest.mark.parametrize("where", ["room", "intake"])
async def test_a_bug_in_a_command_is_a_deferral_without_details(where: str) -> None:
    """I9: 451, and nothing leaks; the log has it."""
    spool = Troubled(**{where: BUG})
    async with door(spool=spool) as at, client(at.port) as talk:
        with capture_logs() as logged:
            replies = [await talk.say(line) for line in ("MAIL FROM:<>", "RCPT TO:<user@example.com>", "DATA")]
        assert [reply for reply in replies if reply.startswith("451 4.3.0 ")] == [
            "451 4.3.0 Trouble on our side, try again later"
        ]
        assert [event["event"] for event in logged if event["event"] == "trouble"] == ["trouble"]
        spool.errors = {}
        assert (await talk.mail(b"x\r\n.\r\n")).startswith("250 ")
        assert at.held() == [b"x\r\n"]


async def test_content_behind_a_data_that_would_go_wrong_is_not_heard_as_commands() -> None:
    """I6, I9: the connection ends."""
    spool = Troubled(intake=BUG)
    async with door(spool=spool) as at, client(at.port) as talk:
        await talk.say("MAIL FROM:<>")
        await talk.say("RCPT TO:<user@example.com>")
        with capture_logs():
            talk.send(b"DATA\r\nMAIL FROM:<content@sender.test>\r\n.\r\n")
            assert (await talk.reply()).startswith("554 5.5.0 ")
            assert await talk.reply() == ""


async def test_what_is_durable_is_acknowledged_whoever_could_not_be_told() -> None:
    """I1: a 250 is owed for what is ours, else it comes twice."""
    async with door() as at, client(at.port) as talk:
        at.edge._dock.wake = lambda: 1 // 0
        with capture_logs():
            assert (await talk.mail(b"x\r\n.\r\n")).startswith("250 ")
        assert at.held() == [b"x\r\n"]


async def test_trouble_with_forgetting_troubles_nobody() -> None:
    """The leftovers are invisible, and swept at the next start."""
    async with door(Smtp(max_message_size=100), spool=Troubled(abandon=SpoolUnusable("broken"))) as at, client(at.port) as talk:
        with capture_logs():
            assert (await talk.mail(BIG * 10 + b".\r\n")).startswith("552 5.3.4 ")
        assert (await talk.mail(b"x\r\n.\r\n")).startswith("250 ")


async def _goes(talk: Any) -> None:
    talk.writer.transport.abort()


async def _times_out(talk: Any) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "time", lambda: now + 181)
        talk.edge._look_round()
    assert (await talk.reply()).startswith("421 4.4.2 ")
    assert await talk.reply() == ""


async def _smuggles(talk: Any) -> None:
    talk.send(b"\n.\r\n")
    assert (await talk.reply()).startswith("550 5.5.2 ")


async def _stops(talk: Any) -> None:
    talk.writer.write_eof()
    assert await talk.reply() == ""


@pytest.mark.parametrize("end", [_goes, _times_out, _smuggles, _stops])
async def test_half_a_message_is_forgotten(end: Callable[[Any], Any]) -> None:
    """However a connection ends in the middle of data."""
    spool = Troubled()
    async with door(spool=spool) as at, client(at.port) as talk:
        talk.edge = at.edge  # type: ignore[attr-defined]
        await talk.begin()
        talk.send(BIG * 10_000)
        await talk.writer.drain()
        await until(lambda: at.edge._dock.waiting > 0, "some of it is here")
        await end(talk)
        await until(lambda: spool.abandoned == 1, "it is forgotten")
        await until(lambda: at.edge._dock.waiting == 0, "memory is given back")
        assert not at.spool.messages


async def test_a_message_without_an_end_is_not_waited_for() -> None:
    """I4: too big is said at the end of data, or when it is far beyond all bounds."""
    async with door(Smtp(max_message_size=100_000)) as at, client(at.port) as talk:
        assert (await talk.mail(BIG * 2000 + b".\r\n")).startswith("552 5.3.4 ")
        await talk.begin()
        talk.send(BIG * 20_000)
        assert (await talk.reply()).startswith("552 5.3.4 ")
        assert await talk.reply() == ""
        assert not at.spool.messages


async def test_a_full_spool_takes_mail_again_by_itself() -> None:
    """452 4.3.1 at MAIL while there is no room."""
    async with door() as at, client(at.port) as talk:
        at.spool.capacity = 0
        assert (await talk.say("MAIL FROM:<a@sender.test>")).startswith("452 4.3.1 ")
        at.spool.capacity = 2**20
        assert (await talk.mail(b"x\r\n.\r\n")).startswith("250 ")
