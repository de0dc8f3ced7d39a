"""One connection's transport: what goes out, when to listen, and how it ends.

Knows: asyncio's transports, plain and TLS.
Does not know: SMTP, time.
"""

import asyncio
from fcntl import ioctl
from termios import FIONREAD

_NOTHING = bytes(4)
OUTPUT_LIMIT = 64 * 1024
"""Octets of replies that may wait for a client that does not read them."""


class Pipe:
    """Writes, and steers reading: a client that does not read is not listened to either (I4)."""

    __slots__ = ("_deaf", "_transport", "choked")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._deaf = False
        self.choked = False
        """Whether more replies wait than the client cares to read."""

    def write(self, octets: bytes) -> None:
        """Send, or keep until the client reads."""
        if not self._transport.is_closing():
            self._transport.write(octets)

    def listen(self, wanted: bool) -> None:
        """Go on reading, or leave what comes to the kernel, which makes the client wait."""
        if self._deaf is wanted and not self._transport.is_closing():
            self._deaf = not wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def hang_up(self, last_words: bytes) -> None:
        """End our side. Who closes on octets that came unread resets the connection, and the client may never see the last words:
        so the caller goes on reading for a while, and hears nothing.
        """
        if self._transport.is_closing():
            return
        self._transport.write(last_words)
        if self._transport.can_write_eof():
            try:
                self._transport.write_eof()
            except OSError:
                self._transport.abort()  # the client was gone already
            self.listen(True)
        else:
            self.listen(True)
            # TLS says goodbye in its own words, and goes on reading until the client has answered them
            self._transport.close()

    def close(self) -> None:
        """End both sides, after what is written has left."""
        self._transport.close()

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()


def spoke_first(transport: asyncio.Transport) -> bool:
    """Whether the client sent something before it was greeted (RFC 5321 section 3.1)."""
    fd = transport.get_extra_info("socket").fileno()
    try:
        return fd >= 0 and ioctl(fd, FIONREAD, _NOTHING) != _NOTHING
    except OSError:
        return False  # gone already
