"""One SMTP connection as commands and replies, on aiosmtplib's protocol.

Knows: aiosmtplib's protocol, and how it behaves where several commands are sent ahead (RFC 2920).
Does not know: which commands are sent, and what a reply means.
"""

import asyncio
from collections import deque
from typing import cast

from aiosmtplib.errors import SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from backupmx.core import judge
from backupmx.core.outcome import Reply

BUFFER_LIMIT = 2**18
"""Octets of replies that may wait to be read: those to a hundred recipients, with room to spare."""


class Malformed(ConnectionError):
    """What came cannot be a reply; whatever comes next on this line could be taken for an answer to something else."""


class Line(SMTPProtocol):
    """Adds to the library's protocol that replies to commands sent ahead are kept until they are asked for.

    The library drops what comes while one reply is ready, since it has one command on its way at a time. What comes when
    nothing was asked ends the line: one reply too many would make each that follows an answer to something else.
    """

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self._owed = 0
        """Replies that were not asked for yet, whether they are here or not."""
        self._ready: deque[SMTPResponse] = deque()
        self._malformed = False
        """After what is ready comes something that is no reply."""
        self._reader: asyncio.Future[None] | None = None
        self._late = 0.0
        """When the reader has waited for long enough, on the loop's clock."""
        self._watch: asyncio.TimerHandle | None = None
        """Looks after the reader. It stays from one reply to the next: one for each would cost as much as reading it."""

    def data_received(self, data: bytes) -> None:
        """Keep what was asked for."""
        if self._owed:
            self._buffer.extend(data)
            self._sort()
            if len(self._buffer) > BUFFER_LIMIT:
                self.abort()
        elif self._response_pending:
            super().data_received(data)
        else:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the reader; what came before can still be read."""
        super().connection_lost(exc)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._wake()

    def send(self, data: bytes, replies: int = 1) -> None:
        """Write commands that so many replies will answer. Raises ConnectionError when the line is broken."""
        self.expect(replies)
        self.write(data)

    def expect(self, replies: int = 1) -> None:
        """So many more replies will come."""
        self._owed += replies

    async def flush(self, within: float) -> None:
        """Wait until the peer has taken most of what was written. Raises OSError when the line is broken, TimeoutError."""
        if self._paused:
            async with asyncio.timeout(within):
                await self._drain_helper()

    async def reply(self, within: float) -> Reply:
        """The next reply. Raises OSError when the line is broken, Malformed when what came is no reply, TimeoutError."""
        while not self._ready:
            if self._malformed:
                self.abort()
                raise Malformed("not a reply")
            if self.transport is None:
                raise SMTPServerDisconnected("Connection lost")
            await self._wait(within)
        response = self._ready.popleft()
        self._owed -= 1
        if not self._owed and self._buffer:
            self.abort()  # this one is what was asked for; nothing that comes after it could be trusted
        return judge.reply(*response)

    @property
    def answered(self) -> bool:
        """Whether a reply is there, or a part of one, that nobody has asked for yet."""
        return bool(self._ready or self._buffer)

    def discard(self) -> None:
        """Drop what came beyond the greeting or the reply to EHLO."""
        del self._buffer[:]

    def abort(self) -> None:
        """End the connection without a word, and without what may still wait to be written."""
        if self.transport is not None:
            cast(asyncio.WriteTransport, self.transport).abort()

    def _sort(self) -> None:
        """Tell the replies that are here apart."""
        try:
            while len(self._ready) < self._owed and (response := self._read_response_from_buffer()) is not None:
                self._ready.append(response)
        except SMTPResponseException:
            self._malformed = True
        if self._ready or self._malformed:
            self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _wait(self, within: float) -> None:
        """Until something came, or the line broke. Raises TimeoutError."""
        self._late = self._loop.time() + within
        if self._watch is not None and self._watch.when() > self._late:
            self._watch.cancel()
            self._watch = None
        if self._watch is None:
            self._watch = self._loop.call_at(self._late, self._look)
        self._reader = self._loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _look(self) -> None:
        """Whether who reads now has waited for too long."""
        self._watch = None
        if self._reader is None or self._reader.done():
            return
        if self._loop.time() < self._late:
            self._watch = self._loop.call_at(self._late, self._look)
        else:
            self._reader.set_exception(TimeoutError())
