"""One SMTP connection as commands and replies, on aiosmtplib's protocol.

Knows: aiosmtplib's protocol, and how it behaves where several commands are sent ahead (RFC 2920).
Does not know: which commands are sent, and what a reply means.
"""

import asyncio
from typing import cast

from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.protocol import SMTPProtocol

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

    def data_received(self, data: bytes) -> None:
        """Keep what was asked for."""
        waiter = self._response_waiter
        if self._owed and waiter is not None:
            if len(self._buffer) + len(data) > BUFFER_LIMIT:
                self.abort()
                return
            self._buffer.extend(data)
            self._hand_over()
        elif waiter is not None and not self._response_pending:
            self.abort()
        else:
            super().data_received(data)

    def send(self, data: bytes, replies: int = 1) -> None:
        """Write commands that so many replies will answer. Raises ConnectionError when the line is broken."""
        self.expect(replies)
        self.write(data)

    def expect(self, replies: int = 1) -> None:
        """So many more replies will come."""
        self._owed += replies
        self._response_pending = True

    async def flush(self, within: float) -> None:
        """Wait until the peer has taken most of what was written. Raises OSError when the line is broken, TimeoutError."""
        if self._paused:
            async with asyncio.timeout(within):
                await self._drain_helper()

    async def reply(self, within: float) -> Reply:
        """The next reply. Raises OSError when the line is broken, Malformed when what came is no reply, TimeoutError."""
        waiter = self._response_waiter
        try:
            if waiter is not None and waiter.done():
                response = await self.read_response()
            elif (ready := self._read_response_from_buffer()) is not None:
                response = ready
            else:
                async with asyncio.timeout(within):
                    response = await self.read_response()
        except SMTPResponseException as error:
            self.abort()
            raise Malformed("not a reply") from error
        self._owed = max(0, self._owed - 1)
        self._response_pending = self._owed > 0
        if not self._owed and self._buffer:
            self.abort()  # this one is what was asked for; nothing that comes after it could be trusted
        return judge.reply(*response)

    @property
    def answered(self) -> bool:
        """Whether a reply is there, or a part of one, that nobody has asked for yet."""
        waiter = self._response_waiter
        return bool(self._buffer) or (waiter is not None and waiter.done())

    def discard(self) -> None:
        """Drop what came beyond the greeting or the reply to EHLO."""
        del self._buffer[:]

    def abort(self) -> None:
        """End the connection without a word, and without what may still wait to be written."""
        if self.transport is not None:
            cast(asyncio.WriteTransport, self.transport).abort()

    def _hand_over(self) -> None:
        """Give the reader the next whole reply that is here already."""
        waiter = self._response_waiter
        if waiter is None or waiter.done() or not self._buffer:
            return
        try:
            response = self._read_response_from_buffer()
        except SMTPResponseException as error:
            self._set_response_exception(waiter, error)
            return
        if response is not None:
            waiter.set_result(response)
