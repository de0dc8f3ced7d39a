"""A real session over a transport in memory: thousands of conversations a second, cut where the test says."""

import asyncio
import re
import ssl
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from backupmx.core import replies
from backupmx.core.message import Envelope
from backupmx.edge.arrival import SHARE, Dock
from backupmx.edge.connection import INPUT_LIMIT
from backupmx.edge.guests import Guests
from backupmx.edge.house import House
from backupmx.edge.pipe import OUTPUT_LIMIT
from backupmx.edge.session import Session
from backupmx.edge.terms import Terms
from backupmx.spool.memory import MemoryIntake, MemorySpool
from tests.admission.house import everyone, unproven
from tests.edge.door import HOSTNAME, NOW

REPLY = re.compile(rb"(?:([2-5]\d\d)-[ -~]*\r\n(?:\1-[ -~]*\r\n)*\1 [ -~]*\r\n|[2-5]\d\d [ -~]*\r\n)", re.ASCII)
"""One reply: printable ASCII, the same code on each of its lines (RFC 5321 section 4.2)."""
START_TLS = replies.START_TLS.line
TURNS = 200
"""Rounds of the loop after which a session that has not come to rest is stuck."""


class SlowIntake(MemoryIntake):
    """Lets the loop turn before each step, so that packets come in the middle of it."""

    async def write(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        await super().write(chunk)

    async def commit(self, envelope: Envelope, arrived: datetime, subject: str = "") -> None:
        await asyncio.sleep(0)
        await super().commit(envelope, arrived, subject)


class SlowSpool(MemorySpool):
    """The in-memory spool, a little later."""

    def intake(self, id: str) -> SlowIntake:
        return SlowIntake(self, id)


class Wire(asyncio.Transport):
    """What the session writes to, and whether it listens. A client that does not read chokes it."""

    _start_tls_compatible = True

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "socket": self})
        self.protocol: Any = None
        self.said = bytearray()
        self.unread = 0
        self.reads = True
        self.listening = True
        self.ended = False
        """The session said its last word."""
        self.lost = False

    def fileno(self) -> int:
        return -1

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol  # type: ignore[no-any-return]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended or not data, "nothing is said after the end"
        self.said += data
        if not self.reads:
            before, self.unread = self.unread, self.unread + len(data)
            if before <= OUTPUT_LIMIT < self.unread:
                self.protocol.pause_writing()

    def read_on(self) -> None:
        """The client reads all that was said."""
        choked, self.unread, self.reads = self.unread > OUTPUT_LIMIT, 0, True
        if choked and not self.lost:
            self.protocol.resume_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        self.listening = False

    def resume_reading(self) -> None:
        self.listening = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.lost

    def close(self) -> None:
        if not self.lost:
            self.ended = self.lost = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


class Talk:
    """One house, one session after another; made within a running loop."""

    def __init__(
        self,
        spool: MemorySpool | None = None,
        *,
        max_size: int = 300_000,
        max_errors: int = 10**6,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.spool = spool or MemorySpool()
        self.troubles: list[dict[str, Any]] = []
        """What nobody caught."""
        self.dock = Dock(self.spool, HOSTNAME, max_size, lambda: NOW, lambda: None, unproven)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, what: self.troubles.append(what))
        self.refused: list[str] = []
        terms = Terms(
            hostname=HOSTNAME,
            max_size=max_size,
            max_recipients=10,
            max_messages=1_000_000,
            max_errors=max_errors,
            tls_offered=tls is not None,
            admission=everyone("example.com"),
            room=self.spool.room,
            refused=lambda _client, answer, _about: self.refused.append(answer.name),
            ask=lambda _domain: True,
        )
        self.house = House(
            loop=loop,
            terms=terms,
            dock=self.dock,
            tls=tls,
            guests=Guests((), ()),
            greeting=replies.greeting(HOSTNAME),
            greeting_delay=0.0,
            entered=lambda _session, _limited: None,
            left=lambda _session: None,
            remember=lambda _session: None,
            settled=lambda: None,
        )
        self.connect()

    def connect(self) -> None:
        """A new client, to the same house."""
        self.wire = Wire()
        self.session = Session(self.house)
        self.wire.protocol = self.session
        self.session.connection_made(self.wire)

    async def rest(self) -> None:
        """Until the session waits for the client."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if not self.house.tasks:
                break
        await asyncio.sleep(0)

    async def send(self, packets: Iterable[bytes], *, hurry: bool = False) -> None:
        """One after another, as a transport gives them; in a hurry the next comes while the last is still worked on.

        The reply to DATA is waited for all the same (RFC 2920 section 3.1).
        """
        before, tail = 0, b""
        for packet in packets:
            if not (hurry and self.wire.listening) or tail == b"DATA\r\n":
                await self.rest()
            if self.wire.lost:
                break
            if not self.wire.listening:
                assert self.wire.unread > OUTPUT_LIMIT, "it has time, and does not listen"
                self.wire.read_on()
                await self.rest()
            self.wire.protocol.data_received(packet)
            # what came in one packet with the end of content may be more than the limit; one more packet is taken behind it
            assert len(self.session._input) <= max(INPUT_LIMIT, before) + len(packet), "I4: commands that wait"
            assert self.dock.waiting <= SHARE + 4096 + len(packet), "I4: content that waits"
            before, tail = len(packet), (tail + packet)[-6:]
        self.wire.read_on()
        await self.rest()

    async def leave(self) -> None:
        """The client is gone; nothing of it is left."""
        if not self.wire.lost:
            if not self.wire.protocol.eof_received():
                self.wire.close()
            await self.rest()
        self.wire.close()
        await self.rest()
        assert not self.house.tasks, "work goes on for nobody"
        assert self.dock.waiting == 0, "I4: content of nobody"
        assert not self.troubles, self.troubles

    def replies(self) -> list[bytes]:
        """All that was said, as replies; nothing else was. Behind the reply to STARTTLS it is TLS."""
        said = bytes(self.wire.said)
        if START_TLS in said:
            said = said[: said.index(START_TLS) + len(START_TLS)]
        found, start = [], 0
        while start < len(said):
            match = REPLY.match(said, start)
            assert match, f"not a reply: {said[start : start + 200]!r}"
            found.append(match[0])
            start = match.end()
        return found

    def held(self) -> list[bytes]:
        """Contents in the order of their acceptance, without our field: it ends with the time, content may begin with a tab."""
        return [content.partition(b" +0000\r\n")[2] for content in self.spool.contents.values()]

    def forget(self) -> None:
        """What is held and what was said."""
        self.spool.contents.clear()
        self.spool.messages.clear()
        self.wire.said.clear()
