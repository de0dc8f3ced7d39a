"""Some messages must not go out, and the others do not wait for them (I4, I9)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from backupmx.core.ids import MessageId
from backupmx.core.message import State
from backupmx.errors import MessageDamaged
from backupmx.spool.memory import MemorySpool
from tests.courier.house import START, Time, house, put, settings, until
from tests.courier.primary import ScriptedPrimary


def received(count: int, spelling: bytes = b"Received") -> bytes:
    """A message that came so far."""
    return spelling + b": from a\r\n\tby b\r\n" + (b"Received: from b by c\r\n" * (count - 1)) + b"Subject: loop\r\n\r\nhello\r\n"


async def test_fifty_received_fields_are_a_loop() -> None:
    """RFC 5321 section 6.3: the fiftieth is one too many, however it is spelt; those in the body do not count."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        loop = await put(at.spool, content=received(50, b"RECEIVED"))
        await put(at.spool, content=received(49))
        await put(at.spool, content=b"Subject: bounce\r\n\r\n" + received(60))
        at.courier.wake()
        await until(lambda: list(at.spool.messages) == [loop], "the others")
        await until(lambda: at.spool.get(loop).state() is State.QUARANTINED, "the loop")
        assert "5.4.6" in at.said(loop)
        assert len(primary.received) == 2


class Torn(MemorySpool):
    """Finds the damage only after part of the content was handed out."""

    def content(self, id: MessageId) -> Iterator[bytes]:
        """One piece, and then the truth."""
        content = self.contents[id]
        if b"torn" not in content:
            yield content
            return
        yield content
        yield b"more of the body\r\n" * 5000
        raise MessageDamaged("chunk 3 does not match")


@pytest.mark.parametrize("spool", [MemorySpool, Torn])
async def test_a_damaged_message_is_set_aside_and_the_others_go_on(spool: type[MemorySpool]) -> None:
    """I3, I4: no part of it counts as a message at the primary, whenever the damage shows."""
    async with ScriptedPrimary() as primary:
        held = spool()
        torn = await put(held, content=b"Subject: torn\r\n\r\ntorn\r\n")
        if spool is MemorySpool:
            held.contents[torn] = b"Subject: other\r\n\r\nother\r\n"
        async with house(settings([f"127.0.0.1:{primary.port}"]), held) as at:
            for _ in range(5):
                await put(at.spool)
            at.courier.wake()
            await until(lambda: list(at.spool.messages) == [torn], "the others")
            await until(lambda: at.spool.get(torn).state() is State.DAMAGED, "set aside")
            assert len(primary.received) == 5
            assert all(b"torn" not in got.content and b"other" not in got.content for got in primary.received)


async def test_the_end_of_the_holding_window_is_a_quarantine_not_a_bounce() -> None:
    """I4: after the longest outage the message waits for an admin."""
    primary = ScriptedPrimary()
    await primary.start()
    await primary.stop()
    async with house(settings([f"127.0.0.1:{primary.port}"])) as at:
        old = await put(at.spool, arrived=START - timedelta(days=14, seconds=1))
        young = await put(at.spool, arrived=START - timedelta(days=13))
        async with primary:
            await at.time.advance(31)
            await until(lambda: at.spool.get(young) is None, "given back")
            await until(lambda: at.spool.get(old).state() is State.QUARANTINED, "put aside")
            assert len(primary.received) == 1


async def test_a_held_message_stays() -> None:
    """An admin's wish goes before any primary."""
    async with ScriptedPrimary() as primary:
        spool = MemorySpool()
        held = await put(spool)
        await spool.hold([held], "admin", "to look at", START)
        async with house(settings([f"127.0.0.1:{primary.port}"]), spool) as at:
            await put(at.spool)
            at.courier.wake()
            await until(lambda: list(at.spool.messages) == [held], "the other")
            assert len(primary.received) == 1


async def test_what_nobody_looked_at_for_thirty_days_is_removed_and_told() -> None:
    """With an entry in the log; what was set aside later stays, however long ago it came."""
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", having="gone") as primary:
        spool, time = MemorySpool(), Time()
        async with house(settings([f"127.0.0.1:{primary.port}"], retry_min="1s"), spool, time) as at:
            first = [await put(spool, f"gone{number}@example.com") for number in range(250)]
            at.courier.wake()
            await until(lambda: all(spool.get(id).state() is State.QUARANTINED for id in first))
        time.now += timedelta(days=13)
        async with house(settings([f"127.0.0.1:{primary.port}"]), spool, time) as at:
            late = await put(spool, "gone@example.com")
            at.courier.wake()
            await until(lambda: spool.get(late).state() is State.QUARANTINED)
            assert len(spool.messages) == 251
        time.now += timedelta(days=18)
        with capture_logs() as logged:
            async with house(settings([f"127.0.0.1:{primary.port}"]), spool, time):
                await until(lambda: list(spool.messages) == [late])
        assert sum(line.get("by") == "retention" for line in logged) == 250
