"""The control socket's framing: one line a request, newline-delimited JSON; whoever answers, answers so.

Knows: connections, how many there may be and how patient we are with them, that trouble inside is an answer as well.
Does not know: what is asked, and who answers which part of it.

Whoever can open the socket may ask anything: its mode (0660) and its group are the guard.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import msgspec

from backupmx.control import place
from backupmx.control.answers import AnyAnswer, Refused
from backupmx.control.requests import AnyRequest
from backupmx.errors import BackupMXError
from backupmx.watch import log

LINE_LIMIT = 128 * 1024
"""Octets of one request: a thousand ids take about thirty thousand."""
CLIENTS = 64
"""Connections at a time; each may hold one line and one page of the listing in memory."""
PATIENCE_S = 60.0
"""How long a client may take to ask, or to read what it asked for."""
STOP_S = 5.0
"""How long an answer that is being made or read may still take once we are to stop: what it asks for may be why we stop."""
Answers = AsyncGenerator[AnyAnswer, None]


class Conversations:
    """Takes connections on a unix socket, and has each request answered, until stopped."""

    def __init__(self, path: Path, answers: Callable[[AnyRequest], Answers]) -> None:
        """`answers` makes all answers to one request; it goes on after each of them has been sent."""
        self._path = path
        self._answers = answers
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        """Those of the clients who have asked and wait for an answer."""

    async def start(self) -> None:
        """Take connections. Raises ControlTaken when the socket cannot be ours."""
        listener = place.open_socket(self._path)
        self._server = await asyncio.start_unix_server(self._welcome, sock=listener, limit=LINE_LIMIT)

    async def stop(self) -> None:
        """Take no more, let who has asked have an answer, and end what takes too long."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        # who was let in a moment ago is not here yet; a line that stays open keeps the loop from ending
        await asyncio.sleep(0)
        for task in self._clients - self._answering:
            task.cancel()
        if self._answering:
            await asyncio.wait(self._answering, timeout=STOP_S)
        for task in self._clients:
            task.cancel()
        if self._clients:
            await asyncio.wait(self._clients)
        await server.wait_closed()
        self._path.unlink(missing_ok=True)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._converse(reader, writer, crowded=len(self._clients) >= CLIENTS))
        self._clients.add(task)

        def gone(_task: object) -> None:  # also when it was ended before it began
            self._clients.discard(task)
            writer.transport.abort()

        task.add_done_callback(gone)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, crowded: bool) -> None:
        try:
            if crowded:
                await _send(writer, Refused((f"more than {CLIENTS} clients ask at once; try again",)))
            while not crowded and self._server is not None and await self._exchange(reader, writer):
                pass
            writer.close()
            async with asyncio.timeout(PATIENCE_S):
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.CancelledError):
            # the client went away or is stuck, or we are stopping: nothing is owed to it
            pass

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answers; returns whether the client may ask again."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return False
        except asyncio.LimitOverrunError:
            await _send(writer, Refused((f"a request is at most {LINE_LIMIT} octets long",)))
            return False
        try:
            request: AnyRequest = msgspec.json.decode(line, type=AnyRequest)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            await _send(writer, Refused((f"not a request that this version knows: {error}",)))
            return True
        with self._owing():
            async with contextlib.aclosing(self._safely(request)) as answers:
                async for answer in answers:
                    await _send(writer, answer)
        return True

    @contextlib.contextmanager
    def _owing(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            yield
        finally:
            self._answering.discard(task)

    async def _safely(self, request: AnyRequest) -> Answers:
        try:
            async with contextlib.aclosing(self._answers(request)) as answers:
                async for answer in answers:
                    yield answer
        except BackupMXError as error:
            log.trouble("control", error)
            yield Refused((str(error),))
        except Exception as error:  # noqa: BLE001 - a bug must not take the process along, and must be seen
            log.trouble("control", error)
            yield Refused(("trouble inside; the log has more",))


async def _send(writer: asyncio.StreamWriter, answer: AnyAnswer) -> None:
    writer.write(msgspec.json.encode(answer) + b"\n")
    async with asyncio.timeout(PATIENCE_S):
        await writer.drain()
