"""One client's connection: how it begins, whose turn it is, how it ends.

Knows: aiosmtpd's session class, whose STARTTLS it uses; transports, the header of a proxy, modes.
Does not know: what is said (`session`).
"""

from asyncio.sslproto import SSLProtocol
from enum import Enum, auto
from typing import Any

from aiosmtpd.smtp import SMTP, TLSSetupException

from backupmx.core import replies
from backupmx.core.replies import Answer
from backupmx.edge import proxy
from backupmx.edge.arrival import Arrival, Swallowed
from backupmx.edge.dialogue import Dialogue
from backupmx.edge.house import House
from backupmx.edge.patience import Patience
from backupmx.edge.pipe import OUTPUT_LIMIT, Pipe, spoke_first

SSLProtocol.max_size = 32 * 1024
"""Octets that asyncio's TLS layer sets aside for each connection; left to itself it takes 256 KiB."""
INPUT_LIMIT = 64 * 1024
"""Octets of pipelined input that may wait."""


class Mode(Enum):
    """What the next octets are."""

    PROXY = auto()
    """The header of a trusted proxy."""
    EARLY = auto()
    """Nothing: the greeting is not said yet."""
    COMMAND = auto()
    CONTENT = auto()
    BUSY = auto()
    """Waiting for the spool, or for a TLS handshake."""
    ENDED = auto()


class Connection(SMTP):
    """aiosmtpd's session without its conversation.

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
        self._arrival: Arrival | Swallowed | None = None
        self._chunks_of: int | None = None
        """Which transaction the arrival belongs to, when it comes by chunks."""
        self._stopping = self._eof = self._gone = False
        self._tls: str | None = None
        self._patience = Patience(house.loop.time())
        self.address = ""
        self.cell = -1
        """Where the tally counts this client."""

    # How it begins

    def connection_made(self, transport: Any) -> None:
        """A new connection; or, the second time, its TLS layer, and the conversation begins anew (RFC 3207 section 4.2)."""
        self.transport = transport
        self._pipe = Pipe(transport)
        if self._original_transport is not None:
            transport.set_write_buffer_limits(OUTPUT_LIMIT)
            name, version, _ = transport.get_extra_info("cipher")
            self._tls = f"{version} with cipher {name}"
            self._input, self._mode = b"", Mode.COMMAND
            self._patience.command(self.loop.time())
            self._begin_dialogue()
            return
        peer = transport.get_extra_info("peername") or ("0.0.0.0",)  # noqa: S104 - a client gone already
        self.address = peer[0].partition("%")[0].removeprefix("::ffff:")
        self._begin_dialogue()
        guests = self._house.guests
        proxied, trusted = guests.proxies(self.address), guests.trusts(self.address)
        # who speaks for many is not limited as one of them
        if self._turned_away(limited=not (proxied or trusted)):
            return
        if proxied:
            self._mode = Mode.PROXY
        elif spoke_first(transport):
            self._refuse(replies.TALKED_EARLY)
        elif self._house.greeting_delay and not trusted:
            self._mode = Mode.EARLY
            self.loop.call_later(self._house.greeting_delay, self._greet)
        else:
            self._pipe.write(self._house.greeting)

    def _turned_away(self, *, limited: bool = True) -> bool:
        """Take a place, if there is one."""
        refusal = self._house.entered(self, limited)
        if refusal is not None:
            self._mode = Mode.ENDED
            self._pipe.write(refusal.line)
            self._pipe.close()
        return refusal is not None

    def _greet(self) -> None:
        if self._mode is Mode.EARLY:
            self._mode = Mode.COMMAND
            self._pipe.write(self._house.greeting)

    def _begin_dialogue(self) -> None:
        trusted = self._house.guests.trusts(self.address)
        self._dialogue = Dialogue(self._house.terms, self.address, tls=self._tls, trusted=trusted)

    def _proxied(self) -> None:
        """The header names the client; what it says comes after the header."""
        try:
            length = proxy.length(self._input)
        except proxy.NotProxy:
            self._refuse(replies.BAD_PROXY)
            return
        if length is not None:
            header, self._input = self._input[:length], self._input[length:]
            self._mode = Mode.BUSY
            self._house.begin(self._read_proxy(header))

    async def _read_proxy(self, header: bytes) -> None:
        try:
            address = await proxy.source(header)
        except proxy.NotProxy:
            address, header = None, b""
        if self._mode is Mode.ENDED:
            return
        if not header or self._input:
            self._refuse(replies.TALKED_EARLY if header else replies.BAD_PROXY)
        elif address is None or not self._renamed(address):
            self._mode = Mode.COMMAND
            self._pipe.write(self._house.greeting)

    def _renamed(self, address: str) -> bool:
        """Somebody we trust told who the client is; returns whether it was turned away for that."""
        self._house.left(self)
        self.address = address
        self._begin_dialogue()
        return self._turned_away()

    # What the transport tells

    def data_received(self, data: bytes) -> None:
        """Octets of commands or of content."""
        if self._mode is Mode.CONTENT:
            self._content(data)
            return
        if self._mode is Mode.ENDED:
            return
        self._input = self._input + data if self._input else data
        if self._mode is Mode.COMMAND:
            self._converse()
        elif self._mode is Mode.PROXY:
            self._proxied()
        elif self._mode is Mode.EARLY:
            self._refuse(replies.TALKED_EARLY)
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
        self._dialogue.reset()

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

    def _converse(self) -> None:
        """Answer the commands that came."""
        raise NotImplementedError

    def _content(self, data: bytes) -> None:
        """Take content that came."""
        raise NotImplementedError

    # TLS

    async def _start_tls(self) -> None:
        if self._gone:
            return
        self._pipe.listen(True)
        try:
            await self.smtp_STARTTLS("")
        except (TLSSetupException, OSError):
            pass
        if self._tls is None:
            # the TLS layer tells its protocol nothing of a handshake that failed: without this its place would be taken for ever
            self.abort()
            self.connection_lost(None)

    async def push(self, status: Any) -> None:
        """The base class' STARTTLS replies through this; its words are not ours."""
        assert status.startswith("220")
        self._pipe.write(replies.START_TLS.line)

    def _abandon(self, arrival: Arrival | Swallowed) -> None:
        self._arrival = None
        self._house.begin(arrival.abandon())
        self._house.settled()

    # The end

    def deadline(self, pressed: bool) -> float:
        """When patience ends, by the loop's clock; sooner while places or memory run short."""
        return self._patience.ends(pressed)

    def expire(self) -> None:
        """The deadline has passed. A commit is never cut short."""
        if self._mode is Mode.ENDED or (self._mode is Mode.BUSY and self._arrival is None):
            self.abort()
        elif self._mode is not Mode.BUSY:
            self._refuse(replies.TOO_SLOW if self._mode is Mode.CONTENT else replies.TIMEOUT)

    def stop(self) -> None:
        """The server stops: now if nothing is on its way, else after it."""
        self._stopping = True
        if self._mode in (Mode.COMMAND, Mode.EARLY, Mode.PROXY):
            self._hang_up(replies.SHUTTING_DOWN.line)

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
        self._hang_up(answer.line)

    def _hang_up(self, last_words: bytes) -> None:
        self._mode, self._input = Mode.ENDED, b""
        self._dialogue.reset()
        if self._arrival is not None:
            self._abandon(self._arrival)
        self._patience.linger(self.loop.time())
        self._pipe.hang_up(last_words)
