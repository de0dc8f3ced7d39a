"""One client's connection: octets in, octets out, and what may happen when.

Knows: aiosmtpd's session class, whose STARTTLS it uses; transports, modes, deadlines.
Does not know: the rules of the conversation (`dialogue`), the way into the spool (`arrival`).

Commands are answered inside `data_received`: no task, no timer and no reader belongs to a connection that is idle. Replies to a
pipelined batch leave in one write. Only content that goes to the spool needs a task.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from ssl import SSLContext
from typing import Any

from aiosmtpd.smtp import SMTP, TLSSetupException

from backupmx.core import replies
from backupmx.core.replies import Answer
from backupmx.edge.arrival import Arrival, Dock
from backupmx.edge.dialogue import LONGEST_LINE, Dialogue, Terms, Turn

COMMAND_S = 300.0
"""RFC 5321 section 4.5.3.2.7."""
DATA_BLOCK_S = 180.0
"""RFC 5321 section 4.5.3.2.5."""
PROGRESS_S = 600.0
"""Without a message in this time a connection ends, whatever commands keep it busy."""
LINGER_S = 5.0
"""How long a client that was cut off may go on sending: a reset connection would swallow the reply."""
ERRORS_LIMIT = 20
INPUT_LIMIT = 64 * 1024
"""Octets of pipelined input that may wait."""


class Mode(Enum):
    """What the next octets are."""

    COMMAND = auto()
    DATA = auto()
    BUSY = auto()
    """Waiting for the spool, or for a TLS handshake."""
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class House:
    """What every session of a worker has in common."""

    loop: asyncio.AbstractEventLoop
    terms: Terms
    dock: Dock
    tls: SSLContext | None
    greeting: bytes
    entered: Callable[["Session"], Answer | None]
    """A connection begins; returns why it may not."""
    left: Callable[["Session"], None]


class Session(SMTP):
    """aiosmtpd's session, with a strict and fast conversation of our own.

    The base class' `__init__` looks through all members twice for each connection: what its STARTTLS needs is set here instead.
    """

    def __init__(self, house: House) -> None:
        self.loop = house.loop
        self.tls_context = house.tls
        self.transport: Any = None
        self._tls_protocol = None
        self._original_transport = None
        self._house = house
        self._dialogue: Dialogue
        self._mode = Mode.COMMAND
        self._input = b""
        self._arrival: Arrival | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = self._eof = self._deaf = False
        self.address = ""
        self.cell = -1
        """Where the tally counts this client."""
        self.deadline = 0.0
        self._progress_by = 0.0

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A new connection; or, the second time, its TLS layer, and the conversation begins anew."""
        self.transport = transport
        if self._original_transport is not None:
            self._input = b""
            name, version, _ = transport.get_extra_info("cipher")
            self._dialogue = Dialogue(self._house.terms, self.address, f"{version} with cipher {name}")
            return
        self.address = (transport.get_extra_info("peername") or ("0.0.0.0",))[0]  # noqa: S104 - a client gone already
        self._dialogue = Dialogue(self._house.terms, self.address)
        self._progress_by = self.loop.time() + PROGRESS_S
        refusal = self._house.entered(self)
        if refusal is not None:
            self._cut_off(refusal)
            return
        self._extend(COMMAND_S)
        self.transport.write(self._house.greeting)

    def data_received(self, data: bytes) -> None:
        """Octets of commands or of content."""
        if self._mode is Mode.DATA:
            self._content(data)
            return
        if self._mode is Mode.ENDED:
            return
        self._input = self._input + data if self._input else data
        if self._mode is Mode.COMMAND:
            self._converse()
        elif len(self._input) > INPUT_LIMIT:
            self._listen(False)

    def eof_received(self) -> bool:
        """A reply that is owed still goes out; the connection ends after it."""
        self._eof = True
        return self._arrival is not None and self._mode is Mode.BUSY and self._original_transport is None

    def connection_lost(self, _error: Exception | None) -> None:
        """A commit that has begun goes on; anything less is forgotten (I1)."""
        busy = self._mode is Mode.BUSY
        self._mode = Mode.ENDED
        if self._original_transport is not None:
            self._original_transport.close()
        self.transport = None
        self._house.left(self)
        if self._arrival is not None and not busy:
            self._task = self.loop.create_task(self._arrival.abandon())

    def pause_writing(self) -> None:
        """The client does not read its replies: it gets no more of them."""
        self._listen(False)

    def resume_writing(self) -> None:
        """It reads again."""
        if self._mode is not Mode.BUSY:
            self._listen(True)
        if self._mode is Mode.COMMAND:
            self._converse()

    # The conversation

    def _converse(self) -> None:
        """Answer every whole line that is there, in one write."""
        data, start, out = self._input, 0, []
        turn = None
        while turn is None and not self._deaf:
            end = data.find(b"\n", start)
            line = data[start : end + 1] if end >= 0 else data[start:]
            if len(line) > LONGEST_LINE:
                self._input = b""
                out.append(replies.LINE_TOO_LONG.line)
                self.transport.write(b"".join(out))
                self._cut_off(replies.TOO_MANY_ERRORS)
                return
            if end < 0:
                break
            start = end + 1
            reply, turn = self._dialogue.hear(line)
            out.append(reply)
            if self._dialogue.errors >= ERRORS_LIMIT:
                self.transport.write(b"".join(out))
                self._cut_off(replies.TOO_MANY_ERRORS)
                return
        self._input = data[start:]
        self._extend(COMMAND_S)
        if out:
            self.transport.write(b"".join(out))
        if turn is not None:
            self._take(turn)

    def _take(self, turn: Turn) -> None:
        if turn is Turn.QUIT:
            self._mode = Mode.ENDED
            self.transport.close()
        elif turn is Turn.TLS:
            self._mode = Mode.BUSY
            self._input = b""
            self._task = self.loop.create_task(self._start_tls())
        else:
            self._mode = Mode.DATA
            self._extend(DATA_BLOCK_S)
            self._arrival = Arrival(self._house.dock, self._dialogue.envelope())
            rest, self._input = self._input, b""
            if rest:
                self._content(rest)

    def _content(self, data: bytes) -> None:
        arrival = self._arrival
        assert arrival is not None
        self._extend(DATA_BLOCK_S)
        full = arrival.feed(data)
        if arrival.reader.ambiguous:
            self._house.terms.refused(self.address, replies.AMBIGUOUS_END, "")
            self._task = self.loop.create_task(arrival.abandon())
            self._arrival = None
            self._cut_off(replies.AMBIGUOUS_END)
        elif arrival.reader.ended:
            self._mode = Mode.BUSY
            self._input = arrival.reader.rest
            self._task = self.loop.create_task(self._finish(arrival))
        elif full:
            self._mode = Mode.BUSY
            self._listen(False)
            self._task = self.loop.create_task(self._store(arrival))

    async def _store(self, arrival: Arrival) -> None:
        await arrival.store()
        if self._mode is Mode.ENDED:
            await arrival.abandon()
            return
        self._mode = Mode.DATA
        self._extend(DATA_BLOCK_S)
        self._listen(True)
        data, self._input = self._input, b""
        if data:
            self._content(data)

    async def _finish(self, arrival: Arrival) -> None:
        answer = await arrival.finish()
        self._arrival = None
        self._dialogue.reset()
        if answer.code >= 400:
            self._house.terms.refused(self.address, answer, arrival.id)
        if self.transport is None:
            return
        self.transport.write(answer.line)
        self._mode = Mode.COMMAND
        self._progress_by = self.loop.time() + PROGRESS_S
        if self._eof:
            self.transport.close()
        elif self._stopping:
            self.stop()
        else:
            self._listen(True)
            self._converse()

    async def _start_tls(self) -> None:
        try:
            await self.smtp_STARTTLS("")
        except (TLSSetupException, OSError):
            if self.transport is not None:
                self.transport.abort()
            return
        if self._mode is Mode.ENDED:
            return
        self._mode = Mode.COMMAND
        # the first command may have come in one packet with the end of the handshake
        self._converse()

    async def push(self, status: Any) -> None:
        """The base class' STARTTLS replies through this; its words are not ours."""
        assert status.startswith("220")
        self.transport.write(replies.START_TLS.line)

    # Time and the end

    def _extend(self, seconds: float) -> None:
        now = self.loop.time()
        self.deadline = now + seconds if self._mode is Mode.DATA else min(now + seconds, self._progress_by)

    def expire(self) -> None:
        """The deadline has passed. A commit is never cut short."""
        if self._arrival is not None and self._mode is Mode.BUSY:
            return
        if self._mode is Mode.BUSY:
            self.abort()  # a handshake that does not end
        else:
            self._cut_off(replies.TIMEOUT)

    def stop(self) -> None:
        """The server stops: now if nothing is on its way, else after it."""
        self._stopping = True
        if self._mode is Mode.COMMAND:
            self._cut_off(replies.SHUTTING_DOWN)

    @property
    def in_data(self) -> bool:
        """Whether a message is on its way."""
        return self._arrival is not None

    def abort(self) -> None:
        """The grace is over."""
        if self.transport is not None:
            self.transport.abort()

    def _cut_off(self, answer: Answer) -> None:
        """Say why, end our side, and let the client finish speaking unheard."""
        transport = self.transport
        if transport is None or self._mode is Mode.ENDED:
            self.abort()
            return
        self._mode = Mode.ENDED
        self._input = b""
        self.deadline = self.loop.time() + LINGER_S
        transport.write(answer.line)
        if not transport.can_write_eof():
            transport.close()
            return
        try:
            transport.write_eof()
        except OSError:
            transport.abort()  # the client was gone already
        else:
            self._listen(True)

    def _listen(self, wanted: bool) -> None:
        if self.transport is not None and self._deaf is wanted:
            self._deaf = not wanted
            if wanted:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()
