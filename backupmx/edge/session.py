"""One client's connection: octets in, octets out, and what may happen when.

Knows: aiosmtpd's session class, whose STARTTLS it uses; modes, whose turn it is.
Does not know: the rules of the conversation (`dialogue`), the way into the spool (`arrival`).

Commands are answered inside `data_received`: no task, no timer and no reader belongs to a connection that is idle. Replies to a
pipelined batch leave in one write. Only content that goes to the spool needs a task.
"""

from enum import Enum, auto
from typing import Any

from aiosmtpd.smtp import SMTP, TLSSetupException

from backupmx.core import replies
from backupmx.core.replies import Answer
from backupmx.edge.arrival import Arrival
from backupmx.edge.batch import hear
from backupmx.edge.dialogue import Dialogue, Turn
from backupmx.edge.house import House
from backupmx.edge.patience import Patience
from backupmx.edge.pipe import OUTPUT_LIMIT, Pipe, spoke_first
from backupmx.watch import log

INPUT_LIMIT = 64 * 1024
"""Octets of pipelined input that may wait."""


class Mode(Enum):
    """What the next octets are."""

    COMMAND = auto()
    DATA = auto()
    BUSY = auto()
    """Waiting for the spool, or for a TLS handshake."""
    ENDED = auto()


class Session(SMTP):
    """aiosmtpd's session, with a strict and fast conversation of our own.

    The base class' `__init__` looks through all members twice for each connection: what its STARTTLS needs is set here instead.
    """

    def __init__(self, house: House) -> None:
        self.loop = house.loop
        self.tls_context = house.tls
        self.transport: Any = None
        self._tls_protocol = None
        self._original_transport: Any = None
        self._house = house
        self._pipe: Pipe
        self._dialogue: Dialogue
        self._mode = Mode.COMMAND
        self._input = b""
        self._arrival: Arrival | None = None
        self._stopping = self._eof = self._encrypted = self._gone = False
        self._patience = Patience(house.loop.time())
        self.address = ""
        self.cell = -1
        """Where the tally counts this client."""

    # What the transport tells

    def connection_made(self, transport: Any) -> None:
        """A new connection; or, the second time, its TLS layer, and the conversation begins anew (RFC 3207 section 4.2)."""
        self.transport = transport
        self._pipe = Pipe(transport)
        if self._original_transport is not None:
            transport.set_write_buffer_limits(OUTPUT_LIMIT)
            name, version, _ = transport.get_extra_info("cipher")
            self._dialogue = Dialogue(self._house.terms, self.address, f"{version} with cipher {name}")
            self._input, self._mode, self._encrypted = b"", Mode.COMMAND, True
            self._patience.command(self.loop.time())
            return
        peer = transport.get_extra_info("peername") or ("0.0.0.0",)  # noqa: S104 - a client gone already
        self.address = peer[0].partition("%")[0].removeprefix("::ffff:")
        self._dialogue = Dialogue(self._house.terms, self.address)
        refusal = self._house.entered(self)
        if refusal is not None:
            self._mode = Mode.ENDED
            self._pipe.write(refusal.line)
            self._pipe.close()
        elif spoke_first(transport):
            self._refuse(replies.OUT_OF_TURN)
        else:
            self._pipe.write(self._house.greeting)

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
            self._pipe.listen(False)

    def eof_received(self) -> bool:
        """A reply that is owed still goes out; the connection ends after it."""
        self._eof = True
        return self._arrival is not None and self._mode is Mode.BUSY and self._original_transport is None

    def connection_lost(self, _error: Exception | None) -> None:
        """A commit that has begun goes on; anything less is forgotten (I1)."""
        if self._gone:
            return
        self._gone = True
        busy = self._mode is Mode.BUSY
        self._mode = Mode.ENDED
        if self._original_transport is not None:
            self._original_transport.close()
        self.transport = None
        self._house.left(self)
        if self._arrival is not None and not busy:
            self._abandon(self._arrival)

    def pause_writing(self) -> None:
        """The client does not read its replies: it gets no more of them."""
        self._pipe.choked = True
        self._pipe.listen(False)

    def resume_writing(self) -> None:
        """It reads again."""
        self._pipe.choked = False
        if self._mode is not Mode.BUSY:
            self._pipe.listen(True)
        if self._mode is Mode.COMMAND:
            self._converse()

    # The conversation

    def _converse(self) -> None:
        """Answer what is there, and do what the last reply promised."""
        self._patience.command(self.loop.time())
        turn = None
        while self._input and turn is None and not self._pipe.choked:
            heard = hear(self._dialogue, self._input)
            if heard is None:
                break
            self._input, turn = heard.rest, heard.turn
            self._pipe.write(heard.out + self._open() if turn is Turn.DATA and not heard.offence else heard.out)
            if heard.offence is not None:
                self._refuse(heard.offence)
                return
        if turn is Turn.TLS:
            self._mode, self._input = Mode.BUSY, b""
            self._house.begin(self._start_tls())
        elif turn is Turn.QUIT:
            self._mode = Mode.ENDED
            self._pipe.close()
        elif turn is Turn.DATA and self._input:
            rest, self._input = self._input, b""
            if self._mode is Mode.DATA:
                self._content(rest)
            else:
                self._refuse(replies.OUT_OF_TURN)  # content must not be heard as commands

    def _open(self) -> bytes:
        """DATA: the way into the spool is there before we say so."""
        try:
            self._arrival = Arrival(self._house.dock, self._dialogue.envelope())
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender is told to come again (I9)
            log.trouble("data", error)
            self._dialogue.reset()
            return replies.TROUBLE.line
        self._mode = Mode.DATA
        now = self.loop.time()
        self._patience.message(now)
        self._patience.content(now, 0)
        return replies.GO_AHEAD.line

    def _content(self, data: bytes) -> None:
        arrival = self._arrival
        assert arrival is not None
        self._patience.content(self.loop.time(), len(data))
        full = arrival.feed(data)
        if arrival.reader.ambiguous or arrival.endless:
            self._refuse(replies.AMBIGUOUS_END if arrival.reader.ambiguous else replies.TOO_BIG)
        elif arrival.reader.ended:
            self._mode = Mode.BUSY
            self._input = arrival.reader.rest
            self._house.begin(self._finish(arrival))
        elif full:
            self._mode = Mode.BUSY
            self._pipe.listen(False)
            self._house.begin(self._store(arrival))

    async def _store(self, arrival: Arrival) -> None:
        await arrival.store()
        if self._mode is Mode.ENDED:
            self._abandon(arrival)
            return
        self._mode = Mode.DATA
        self._pipe.listen(not self._pipe.choked)
        data, self._input = self._input, b""
        self._content(data)
        if self._eof and self._mode is Mode.DATA:
            self._pipe.close()

    async def _finish(self, arrival: Arrival) -> None:
        answer = await arrival.finish()
        self._arrival = None
        self._dialogue.reset()
        self._house.settled()
        if answer.code >= 400:
            self._house.terms.refused(self.address, answer, arrival.id)
        if self._mode is Mode.ENDED:
            return
        self._pipe.write(answer.line)
        self._mode = Mode.COMMAND
        self._patience.message(self.loop.time())
        if self._eof:
            self._pipe.close()
        elif self._stopping:
            self.stop()
        else:
            self._pipe.listen(not self._pipe.choked)
            self._converse()

    def _abandon(self, arrival: Arrival) -> None:
        self._arrival = None
        self._house.begin(arrival.abandon())
        self._house.settled()

    async def _start_tls(self) -> None:
        if self._gone:
            return
        self._pipe.listen(True)
        try:
            await self.smtp_STARTTLS("")
        except (TLSSetupException, OSError):
            pass
        if not self._encrypted:
            # the TLS layer tells its protocol nothing of a handshake that failed: without this its place would be taken for ever
            self.abort()
            self.connection_lost(None)

    async def push(self, status: Any) -> None:
        """The base class' STARTTLS replies through this; its words are not ours."""
        assert status.startswith("220")
        self._pipe.write(replies.START_TLS.line)

    # The end

    @property
    def deadline(self) -> float:
        """When patience ends, by the loop's clock."""
        return self._patience.deadline

    def expire(self) -> None:
        """The deadline has passed. A commit is never cut short."""
        if self._mode is Mode.ENDED or (self._mode is Mode.BUSY and self._arrival is None):
            self.abort()
        elif self._mode is not Mode.BUSY:
            self._refuse(replies.TIMEOUT)

    def stop(self) -> None:
        """The server stops: now if nothing is on its way, else after it."""
        self._stopping = True
        if self._mode is Mode.COMMAND:
            self._hang_up(replies.SHUTTING_DOWN)

    @property
    def in_data(self) -> bool:
        """Whether a message is on its way."""
        return self._arrival is not None

    def close(self) -> None:
        """End once what was said has left."""
        if not self._gone:
            self._pipe.close()

    def abort(self) -> None:
        """End at once, in the middle of whatever it is."""
        (self._original_transport or self._pipe).abort()

    def _refuse(self, answer: Answer) -> None:
        """Nothing more is taken from this connection; it is counted, and the client is told."""
        self._house.terms.refused(self.address, answer, "")
        self._hang_up(answer)

    def _hang_up(self, answer: Answer) -> None:
        self._mode, self._input = Mode.ENDED, b""
        if self._arrival is not None:
            self._abandon(self._arrival)
        self._patience.linger(self.loop.time())
        self._pipe.hang_up(answer.line)
