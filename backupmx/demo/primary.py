"""The stand-in primary: a mail server that comes and goes as the story wants it, and hands on what it got.

Knows: aiosmtpd, whose shape fits here: whole messages in memory, letters of a demo only.
Does not know: who sends, and what it should have got.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from backupmx.core.message import NULL_SENDER

NAME = "primary.example.com"
BACKLOG = 64
PATIENCE_S = 5.0

Take = Callable[[str, tuple[str, ...], bytes], object]
"""Gets sender, recipients and content of each message, in the primary's own thread."""


class _Conversation(SMTP):
    """One connection, known to the primary so that it can be cut."""

    line_length_limit = 2**26
    """Real primaries take real mail, whatever RFC 5321 section 4.5.3.1.6 says of lines."""

    def __init__(self, handler: "Primary", open_now: set[asyncio.BaseTransport], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(handler, data_size_limit=None, decode_data=False, hostname=NAME, ident="stand-in primary", loop=loop)
        self._open_now = open_now
        self._mine: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._mine = transport
        self._open_now.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._mine:
            self._open_now.discard(self._mine)
        super().connection_lost(error)


class Primary:
    """Listens on a loopback port, which it keeps while it is away; 0 is any free one."""

    def __init__(self, take: Take, port: int = 0) -> None:
        self._take = take
        # bound but not listening: the port is nobody else's, and connections to it are refused
        self._bound = _bound(port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="primary", daemon=True)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.BaseTransport] = set()

    @property
    def port(self) -> int:
        """Where it listens, or will."""
        return int(self._bound.getsockname()[1])

    def come(self) -> None:
        """Take connections."""
        self._do(self._come())

    def go(self) -> None:
        """Cut what is open, and take no more, as after a power failure."""
        self._do(self._go())

    def close(self) -> None:
        """Go for good."""
        self.go()
        self._bound.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a message."""
        assert isinstance(envelope.content, bytes)
        # aiosmtpd spells the null sender as it stands on the wire
        sender = NULL_SENDER if envelope.mail_from in (None, "<>") else envelope.mail_from
        self._take(sender or NULL_SENDER, tuple(envelope.rcpt_tos), envelope.content)
        return "250 2.0.0 taken"

    async def _come(self) -> None:
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: _Conversation(self, self._connections, loop), sock=self._bound, backlog=BACKLOG
            )

    async def _go(self) -> None:
        if self._server is None:
            return
        port = self.port
        self._server.close()
        self._server = None
        # a connection that was just taken is known in the loop's next turns: cut off before, its socket would stay open
        for _ in range(3):
            await asyncio.sleep(0)
        for transport in tuple(self._connections):
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        # the sessions end with their connections, and before anybody may close the loop
        sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        self._bound = _bound(port)

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(PATIENCE_S)


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    bound.setblocking(False)
    return bound
