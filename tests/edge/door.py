"""A real edge on a real loopback socket, over the in-memory spool; and a client that says exactly what it is told."""

import asyncio
import itertools
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from backupmx.config import Smtp
from backupmx.edge.server import Edge
from backupmx.edge.tally import Tally
from backupmx.ports import Prove, Spool
from backupmx.spool.memory import MemorySpool
from tests.admission.house import everyone, unproven

NOW = datetime(2026, 5, 3, 14, 35, tzinfo=UTC)
HOSTNAME = "mx2.test"


@dataclass
class Door:
    """One running edge."""

    edge: Edge
    port: int
    spool: MemorySpool
    wakes: list[bool] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def held(self) -> list[bytes]:
        """Contents without our Received field, in the order of their ids."""
        return [content_of(self.spool.contents[id]) for id in sorted(self.spool.contents)]


def content_of(stored: bytes) -> bytes:
    """What came in: without the one field that we put in front."""
    assert stored.startswith(b"Received: from ")
    end = 0
    while True:
        end = stored.index(b"\r\n", end) + 2
        if stored[end : end + 1] != b"\t":
            return stored[end:]


@asynccontextmanager
async def door(
    settings: Smtp | None = None,
    spool: Spool | None = None,
    tally: Tally | None = None,
    row: int = 0,
    tls: ssl.SSLContext | None = None,
    prove: Prove = unproven,
) -> AsyncIterator[Door]:
    """An edge for example.com and one internationalised domain."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    chosen = spool or MemorySpool()
    wakes: list[bool] = []
    asked: list[str] = []
    ticks = itertools.count()
    edge = Edge(
        settings=settings or Smtp(),
        hostname=HOSTNAME,
        spool=chosen,
        admission=everyone("example.com", "xn--bcher-kva.example"),
        tally=(tally or Tally.make(2)).row(row),
        clock=lambda: NOW + next(ticks) * timedelta(microseconds=1),
        wake=lambda: wakes.append(True),
        ask=asked.append,
        prove=prove,
        tls=tls,
    )
    await edge.start([listener])
    try:
        yield Door(edge, listener.getsockname()[1], chosen, wakes, asked)  # type: ignore[arg-type]
    finally:
        await edge.stop(timedelta(0))
        await asyncio.sleep(0)


class Client:
    """SMTP by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def reply(self) -> str:
        """One reply, lines joined; empty when the server has closed."""
        lines = []
        while True:
            async with asyncio.timeout(10):
                line = await self.reader.readline()
            if not line:
                return ""
            assert line.endswith(b"\r\n")
            lines.append(line.decode("ascii")[:-2])
            if lines[-1][3:4] == " ":
                return "\n".join(lines)

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def say(self, line: str | bytes) -> str:
        self.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return await self.reply()

    async def begin(self, sender: str = "a@sender.test", to: str = "user@example.com") -> str:
        """MAIL, RCPT and DATA; the last reply."""
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>"):
            answer = await self.say(line)
            assert answer.startswith("250"), answer
        return await self.say("DATA")

    async def mail(self, data: bytes) -> str:
        """A whole transaction; `data` as it goes over the wire, with its end."""
        assert (await self.begin()).startswith("354")
        self.send(data)
        return await self.reply()


@asynccontextmanager
async def client(port: int, hello: str | None = "EHLO client.test") -> AsyncIterator[Client]:
    """A connection that was greeted, and has said hello."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    talk = Client(reader, writer)
    try:
        if hello is not None:
            assert (await talk.reply()).startswith("220 ")
            await talk.say(hello)
        yield talk
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass


async def until(holds: object, what: str) -> None:
    """Let the loop turn until something is so."""
    assert callable(holds)
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.002)
    raise AssertionError(what)
