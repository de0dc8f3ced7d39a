"""A primary that follows a script: real sockets, a reply for each step, attempt and recipient, lost lines, silence."""

import asyncio
import ssl
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

DROP = "drop"
"""Close the connection without a word."""
SILENCE = "silence"
"""Never answer."""
TAKEN_BUT = "taken, but "
"""Before one of these two, at DOT: the message is the primary's, and the client is never told."""
EXTENSIONS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
CHUNKS = (*EXTENSIONS, "CHUNKING")


@dataclass
class Received:
    """One message that was taken: what came over the wire, dots undone."""

    mail: str
    rcpts: list[str]
    content: bytes
    connection: int


@dataclass
class Rule:
    """At `verb`, when the command holds `having`: say `reply`, so many times."""

    verb: str
    reply: str
    having: str
    times: float


@dataclass
class Session:
    number: int
    mail: str = ""
    rcpts: list[str] = field(default_factory=list)
    tls: bool = False
    chunks: list[bytes] | None = None
    """Of a message that came to a part."""


class ScriptedPrimary:
    """`async with` it; it takes all, unless told otherwise by `on`."""

    def __init__(
        self,
        extensions: tuple[str, ...] = EXTENSIONS,
        tls: ssl.SSLContext | None = None,
        *,
        implicit: bool = False,
        lmtp: bool = False,
    ) -> None:
        """`implicit`: TLS from the first octet."""
        self.extensions = extensions
        self.tls = tls
        self.implicit = implicit
        self.lmtp = lmtp
        self.port = 0
        self.received: list[Received] = []
        self.commands: list[str] = []
        self.heard: list[tuple[int, str]] = []
        """The same, each with the number of its connection."""
        self.unanswered: list[bytes] = []
        """Contents that were taken, and whose client was never told."""
        self.ends = 0
        """Contents that came to their end, answered or not."""
        self.verbs: Counter[str] = Counter()
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.most_open_at: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.greets = asyncio.Event()
        """Before it is set nobody is greeted."""
        self.greets.set()
        self.hold_body: asyncio.Event | None = None
        """When it is there, no content is read until it is set."""
        self.most_allowed = 1000
        """Connections at a time; those beyond are refused with 421."""
        self.most_recipients = 1000
        """Of a transaction; those beyond are refused with 452."""
        self._rules: list[Rule] = []
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._readers: dict[asyncio.StreamWriter, asyncio.StreamReader] = {}
        self._server: asyncio.Server | None = None

    def on(self, verb: str, reply: str, having: str = "", times: float = float("inf")) -> Self:
        """Add a rule; the first that fits is followed. CONNECT is the greeting, DOT the end of data, BODY the middle of it.

        HANDSHAKE is what follows the 220 to STARTTLS. After a reply at BODY the content is read, and nothing more is said.
        BDAT is any chunk, once it is here; BODY is the first of several then, and DOT the last.
        """
        self._rules.append(Rule(verb, reply, having, times))
        return self

    def carried(self) -> Counter[int]:
        """Messages taken, by the number of the connection."""
        return Counter(got.connection for got in self.received)

    def forget(self) -> None:
        """Take all from now on."""
        self._rules.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port each time."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=2**27, ssl=self.tls if self.implicit else None
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be gone: no listener, every line cut."""
        if self._server:
            self._server.close()
            self._server = None
        await self.cut()

    async def cut(self) -> None:
        """Cut every line."""
        tasks = dict(self._tasks)
        for task, writer in tasks.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks[task] = writer
        self._readers[writer] = reader
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self._talk(Session(self.connections, tls=self.implicit), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self.open -= 1
            del self._tasks[task], self._readers[writer]
            writer.transport.abort()

    async def _talk(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.greets.wait()
        crowded = self.open > self.most_allowed
        await self._say(writer, "CONNECT", "", "421 4.7.0 too many connections" if crowded else "220 primary.test ESMTP")
        while True:
            line = (await reader.readuntil(b"\r\n")).decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb = line.partition(" ")[0].upper()
            self.commands.append(line)
            self.heard.append((session.number, line))
            self.verbs[verb] += 1
            if verb == "BDAT":
                await self._chunk(session, line, reader, writer)
                continue
            code = await self._say(writer, verb, line, self._usual(verb, session))
            if verb == "MAIL":
                session.mail, session.rcpts, session.chunks = line if code.startswith("2") else "", [], None
            elif verb == "RCPT" and code.startswith("2"):
                session.rcpts.append(line.partition("<")[2].rpartition(">")[0])
            elif verb == "DATA" and code.startswith("3"):
                await self._data(session, reader, writer)
            elif verb == "STARTTLS" and code.startswith("2"):
                assert self.tls
                await self._say(writer, "HANDSHAKE", "", "")
                await writer.start_tls(self.tls)
                session.tls = True
            elif verb == "AUTH" and code.startswith("334"):
                self.commands += [(await reader.readuntil(b"\r\n")).decode().strip()]
                await self._write(writer, "334 UGFzc3dvcmQ6")
                self.commands += [(await reader.readuntil(b"\r\n")).decode().strip()]
                await self._write(writer, "235 2.7.0 welcome")
            elif verb == "QUIT":
                return

    def _usual(self, verb: str, session: Session) -> str:
        if verb == ("LHLO" if self.lmtp else "EHLO"):
            offers = [*self.extensions, *(["STARTTLS"] if self.tls and not session.tls else [])]
            lines = ["primary.test", *offers]
            return "\r\n".join(f"250{'-' if n < len(lines) else ' '}{line}" for n, line in enumerate(lines, 1))
        if verb in ("EHLO", "HELO", "LHLO"):
            return "502 5.5.2 what" if self.lmtp or verb == "LHLO" else "250 primary.test"
        if verb == "RCPT" and not session.mail:
            return "503 5.5.1 need MAIL"
        if verb == "RCPT" and len(session.rcpts) >= self.most_recipients:
            return "452 4.5.3 too many recipients"
        if verb == "DATA":
            return "354 go on" if session.rcpts else "554 5.5.1 no valid recipients"
        return {
            "QUIT": "221 2.0.0 bye",
            "STARTTLS": "220 2.0.0 go on",
            "XCLIENT": "220 primary.test ESMTP",
            "AUTH": "235 2.7.0 welcome",
        }.get(verb, "250 2.0.0 fine")

    async def _data(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = []
        said = ""
        await self._hold(writer)
        while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
            if not lines:
                said = await self._say(writer, "BODY", "", "")
            lines.append(line.removeprefix(b"."))
        self.ends += 1
        await self.gate.wait()
        self.most_open_at.append(self.open)
        if said:
            return
        content = b"".join(lines)
        if self.lmtp:
            replies = {rcpt: self._reply("DOT", rcpt, "250 2.0.0 taken") for rcpt in session.rcpts}
            taken = [rcpt for rcpt, reply in replies.items() if reply.startswith("2")]
            if taken:
                self.received.append(Received(session.mail, taken, content, session.number))
            for reply in replies.values():
                await self._write(writer, reply)
            return
        await self._end(session, content, writer)

    async def _hold(self, writer: asyncio.StreamWriter) -> None:
        if self.hold_body:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await self.hold_body.wait()
            writer.transport.resume_reading()  # type: ignore[attr-defined]

    async def _chunk(self, session: Session, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, octets, *last = line.split(" ")
        await self._hold(writer)
        chunk = await reader.readexactly(int(octets))
        said = self._reply("BDAT", line, "" if session.rcpts else "554 5.5.1 no valid recipients")
        if not said and session.chunks is None:
            said = self._reply("BODY", "", "")
        if said:
            await self._write(writer, said)
            session.mail, session.rcpts = "", []
            return
        session.chunks = [*(session.chunks or ()), chunk]
        if not last:
            await self._write(writer, "250 2.0.0 go on")
            return
        self.ends += 1
        await self.gate.wait()
        self.most_open_at.append(self.open)
        content, session.chunks = b"".join(session.chunks), None
        await self._end(session, content, writer)
        session.mail, session.rcpts = "", []

    async def _end(self, session: Session, content: bytes, writer: asyncio.StreamWriter) -> None:
        code = self._reply("DOT", content.decode("utf-8", "replace"), "250 2.0.0 taken")
        if code.startswith(TAKEN_BUT):
            self.unanswered.append(content)
        if code.startswith(("2", TAKEN_BUT)):
            self.received.append(Received(session.mail, session.rcpts, content, session.number))
        await self._write(writer, code.removeprefix(TAKEN_BUT))

    def _reply(self, verb: str, text: str, usual: str) -> str:
        for rule in self._rules:
            if rule.verb == verb and rule.having in text and rule.times > 0:
                rule.times -= 1
                return rule.reply
        return usual

    async def _say(self, writer: asyncio.StreamWriter, verb: str, text: str, usual: str) -> str:
        reply = self._reply(verb, text, usual)
        await self._write(writer, reply)
        return reply

    async def _write(self, writer: asyncio.StreamWriter, reply: str) -> None:
        if reply == DROP:
            raise ConnectionError
        if reply == SILENCE:
            while await self._readers[writer].read(2**16):
                pass
            raise ConnectionError
        if reply:
            writer.write(reply.encode("utf-8", "surrogateescape") + b"\r\n")
            await writer.drain()
            if reply.startswith("421"):
                raise ConnectionError
