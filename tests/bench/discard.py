"""A primary that throws mail away: cheaper than smtp-sink for large messages, and slow for each reply if it is asked to be.

python -m tests.bench.discard PORT MILLISECONDS

It counts aloud as smtp-sink does. smtp-sink looks at each octet, and 1 MiB keeps it busy for longer than whoever sends it. It
does one thing after the other: commands that were sent ahead wait until those before them are answered.
"""

import asyncio
import sys
from typing import cast

import uvloop

END = b"\r\n.\r\n"
taken = 0


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self._tail: bytes | None = None
        """In the middle of content: the last octets of it."""
        self._saying = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not descend from asyncio's
        self._transport = cast(asyncio.Transport, transport)
        self._say(b"220 discard.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._read()

    def _read(self) -> None:
        while self._unread and not self._saying:
            if self._tail is not None:
                self._read_content(self._tail)
            elif b"\n" in self._unread:
                line, _, self._unread = self._unread.partition(b"\n")
                self._obey(line[:4].upper())
            else:
                return

    def _read_content(self, tail: bytes) -> None:
        text, self._unread = tail + self._unread, b""
        end = text.find(END)
        if end < 0:
            self._tail = text[-len(END) + 1 :]
        else:
            self._tail, self._unread = None, text[end + len(END) :]
            count()
            self._say(b"250 2.0.0 taken\r\n")

    def _obey(self, verb: bytes) -> None:
        if verb == b"EHLO":
            self._say(b"250-discard.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n")
        elif verb == b"DATA":
            self._tail = b"\r\n"
            self._say(b"354 go on\r\n")
        elif verb == b"QUIT":
            self._say(b"221 2.0.0 bye\r\n")
            self._loop.call_later(self._seconds, self._transport.close)
        else:
            self._say(b"250 2.0.0 fine\r\n")

    def _say(self, words: bytes) -> None:
        if not self._seconds:
            self._transport.write(words)
            return
        self._saying = True
        self._loop.call_later(self._seconds, self._said, words)

    def _said(self, words: bytes) -> None:
        self._saying = False
        self._transport.write(words)
        self._read()


def count() -> None:
    """Tell the new number."""
    global taken  # noqa: PLW0603 - the one thing that all sessions share
    taken += 1
    print(f"mesg={taken}", end="\r", flush=True)


async def main(port: int, milliseconds: float) -> None:
    """Until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Session(milliseconds / 1000), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2])))
