"""A primary that may do anything at any time, as its weather has it: real sockets, little work for each recipient.

It knows itself what it took and whether its client can have heard of that, and writes it into the book.
"""

import asyncio
import random
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.campaigns.ledger_book import Book, Copy
from tests.campaigns.ledger_weather import AMNESIA, DROP, HALF, NOBODY, SILENCE, TAKEN, TWICE, Mischief

MAIL_FROM = re.compile(rb"MAIL FROM:<(?:s(\d+)@|>)")
END = b"\r\n.\r\n"
TLS = b"\x16"
"""What a handshake begins with."""


class ChaosPrimary:
    """Comes and goes on one port."""

    def __init__(self, book: Book, domains: Sequence[str], seed: str, tls: ssl.SSLContext | None = None) -> None:
        self.book = book
        self.domains = domains
        self.chance = random.Random(seed)
        self.mischief = Mischief(self.chance)
        self.tls = tls
        self.port = 0
        self.lines: set[_Line] = set()
        self._server: asyncio.Server | None = None

    async def come(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Line(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def go(self) -> None:
        """No listener, and every line is cut."""
        if self._server:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        for line in tuple(self.lines):
            line.abort()

    @property
    def away(self) -> bool:
        return self._server is None


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, primary: ChaosPrimary) -> None:
        self._primary = primary
        self._book = primary.book
        self._transport: Any = None
        self._buffer = bytearray()
        self._deaf = False
        self._encrypted = False
        self._upgrading: asyncio.Task[None] | None = None
        self._content = False
        self._interrupted = False
        self._unheard: Copy | None = None
        self._reset()

    def _reset(self) -> None:
        self._serial: int | None = None
        self._welcome = False
        self._named: list[str] = []
        self._rcpts: list[str] = []
        self._muddled = False

    # What comes in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._primary.lines.add(self)
        self._say("CONNECT", "220 primary.test ESMTP")

    def connection_lost(self, error: Exception | None) -> None:
        self._deaf = True
        self._primary.lines.discard(self)

    def abort(self) -> None:
        self.connection_lost(None)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._unheard:
            self._unheard.heard = True
            self._unheard = None
        self._buffer += data
        self._work()

    def _work(self) -> None:
        while not self._deaf and not self._upgrading and (self._take_content() if self._content else self._take_command()):
            pass

    def _take_command(self) -> bool:
        """One line, if it is here; returns whether there may be more."""
        if self._buffer.startswith(TLS):
            # that was not agreed upon, or came to nothing
            self._buffer.clear()
            self._write("500 5.5.2 what")
            return False
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        verb = line[:4].decode("latin-1")
        if verb == "RCPT":
            self._rcpt(line[9 : line.index(b">")].decode())
        else:
            _COMMANDS[verb](self, line)
        return True

    # Commands

    def _ehlo(self, line: bytes) -> None:
        offers = ["SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self._primary.chance.random() < 0.8:
            offers.append("PIPELINING")
        if self._primary.tls and not self._encrypted:
            offers.append("STARTTLS")
        self._say("EHLO", "".join(f"250-{each}\r\n" for each in ("primary.test", *offers)) + "250 HELP")

    def _helo(self, line: bytes) -> None:
        self._say("EHLO", "250 primary.test")

    def _starttls(self, line: bytes) -> None:
        if not self._say("STARTTLS", "220 go on").startswith("220") or self._deaf:
            return
        if trouble := self._primary.mischief.at("HANDSHAKE"):
            self._answer(trouble, "")
        else:
            self._upgrading = asyncio.create_task(self._upgrade(), name="primary")

    async def _upgrade(self) -> None:
        assert self._primary.tls
        loop = asyncio.get_running_loop()
        try:
            self._transport = await loop.start_tls(self._transport, self, self._primary.tls, server_side=True)
            self._encrypted = True
        except OSError:
            self.abort()
        self._upgrading = None
        self._work()  # it may have spoken already

    def _mail(self, line: bytes) -> None:
        self._reset()
        sender = MAIL_FROM.match(line)
        assert sender, line
        self._serial = int(sender[1]) if sender[1] else None
        said = self._say("MAIL", "250 2.1.0 fine")
        self._welcome = said.startswith("2")
        if said.startswith("5"):
            self._refuse(self._primary.domains)

    def _rcpt(self, address: str) -> None:
        self._named.append(address)
        if not self._welcome:
            self._write("503 5.5.1 need MAIL")
            return
        if self._primary.mischief.weather is AMNESIA or address.startswith("gone"):
            said = NOBODY
            self._write(said)
        else:
            said = self._say("RCPT", "250 2.1.5 fine")
        if said.startswith("2"):
            self._rcpts.append(address)
        if said.startswith("5") or self._muddled:
            self._refuse((address,))

    def _data(self, line: bytes) -> None:
        if not self._rcpts:
            self._write("554 5.5.1 no valid recipients")
            return
        said = self._say("DATA", "354 go on")
        self._content = said.startswith("354") and not self._deaf
        if said.startswith("5"):
            self._refuse(self._rcpts)

    def _rset(self, line: bytes) -> None:
        self._reset()
        self._say("RSET", "250 2.0.0 fine")

    def _quit(self, line: bytes) -> None:
        self._say("QUIT", "221 2.0.0 bye")
        self._deaf = True
        self._transport.close()

    # Content

    def _take_content(self) -> bool:
        """All of it, if it is here; returns whether there may be more."""
        if not self._interrupted and (trouble := self._primary.mischief.at("BODY")):
            self._interrupted = True
            if trouble.startswith("5"):
                self._refuse(self._rcpts)
            self._answer(trouble, "")
        end = 0 if self._buffer.startswith(END[2:]) else self._buffer.find(END) + 2
        if end == 1:
            return False
        content = bytes(self._buffer[:end])
        del self._buffer[: end + 3]
        self._content = False
        if not self._interrupted:
            self._dot(content[content.startswith(b".") :].replace(b"\r\n.", b"\r\n"))
        self._interrupted = False
        return True

    def _dot(self, content: bytes) -> None:
        trouble = self._primary.mischief.at("DOT")
        if trouble is None or trouble.startswith((TAKEN, "2")):
            copy = self._took(content)
            if trouble is None or trouble.startswith("2"):
                self._unheard = copy
            else:
                trouble = trouble.removeprefix(TAKEN) or DROP
        elif trouble.startswith("5"):
            self._refuse(self._rcpts)
        self._answer(trouble, "250 2.0.0 taken")
        self._rcpts = []

    def _took(self, content: bytes) -> Copy | None:
        if self._serial is not None:
            return self._book.took(self._serial, self._rcpts, content)
        for sender in self._rcpts:
            self._book.told(sender, content)
        return None

    # What goes out

    def _say(self, step: str, usual: str) -> str:
        """Returns what it was."""
        trouble = None if self._muddled else self._primary.mischief.at(step)
        self._answer(trouble, usual)
        return usual if trouble in (None, TWICE) else str(trouble)

    def _answer(self, trouble: str | None, usual: str) -> None:
        if trouble in (TWICE, HALF):
            self._muddled = True
            self._refuse(self._named)
        if trouble == DROP:
            self.abort()
        elif trouble == SILENCE:
            self._deaf = True
        elif trouble == TWICE:
            self._write(usual)
            self._write(usual)
        else:
            self._write(trouble or usual)

    def _write(self, reply: str) -> None:
        self._transport.write(reply.encode("latin-1") + b"\r\n")
        if reply.startswith("421"):
            self._deaf = True
            self._transport.close()

    def _refuse(self, whom: Sequence[str]) -> None:
        if self._serial is not None:
            self._book.refused(self._serial, whom)


_COMMANDS: Mapping[str, Callable[[_Line, bytes], None]] = {
    "EHLO": _Line._ehlo,
    "HELO": _Line._helo,
    "STAR": _Line._starttls,
    "MAIL": _Line._mail,
    "DATA": _Line._data,
    "RSET": _Line._rset,
    "QUIT": _Line._quit,
}
