"""One client's session: commands answered, content passed on, in turn.

Knows: whose turn it is, and what a turn asks for.
Does not know: transports and TLS (`connection`), the rules of the conversation (`dialogue`), the way into the spool (`arrival`).

Commands are answered inside `data_received`: no task, no timer and no reader belongs to a connection that is idle. Replies to a
pipelined batch leave in one write. Only content that goes to the spool needs a task.
"""

from backupmx.core import replies
from backupmx.core.data import ChunkReader, DataReader
from backupmx.edge.arrival import Arrival, Swallowed
from backupmx.edge.batch import hear
from backupmx.edge.connection import INPUT_LIMIT, Connection, Mode
from backupmx.edge.terms import Turn
from backupmx.watch import log


class Session(Connection):
    """A strict and fast conversation of our own."""

    # The conversation

    def _converse(self) -> None:
        """Answer what is there, and do what the last reply promised."""
        turn = None
        while self._input and turn is None and not self._pipe.choked:
            heard = hear(self._dialogue, self._input)
            if heard is None:
                break
            self._patience.command(self.loop.time())
            self._input, turn = heard.rest, heard.turn
            self._pipe.write(heard.out + self._open() if turn is Turn.DATA and not heard.offence else heard.out)
            if heard.offence is not None:
                self._refuse(heard.offence)
                return
        if self._arrival is not None and self._mode is Mode.COMMAND and self._dialogue.chunked != self._chunks_of:
            self._abandon(self._arrival)  # RSET, or another command that ends a transaction, came between its chunks
        if turn is not None:
            self._do(turn)

    def _do(self, turn: Turn) -> None:
        if turn is Turn.TLS:
            self._mode, self._input = Mode.BUSY, b""
            self._house.begin(self._start_tls())
        elif turn is Turn.QUIT:
            self._mode = Mode.ENDED
            if self._arrival is not None:
                self._abandon(self._arrival)
            self._pipe.close()
        elif turn is Turn.OVER:
            self._hang_up(b"")
        elif turn is Turn.CLIENT:
            self._introduced()
        elif turn is Turn.CHUNK:
            self._open_chunk()
        elif turn is Turn.ASK:
            self._mode = Mode.BUSY
            self._house.begin(self._ask())

    async def _ask(self) -> None:
        """Somebody is asked about a recipient; what comes meanwhile waits."""
        began = self.loop.time()
        reply = await self._dialogue.answer()
        self._patience.waited(self.loop.time() - began)
        if self._mode is Mode.ENDED:
            self._dialogue.reset()
        else:
            self._patience.command(self.loop.time())
            self._go_on(reply)

    def _introduced(self) -> None:
        client = self._dialogue.new_client
        assert client is not None
        if not self._renamed(client.address):
            self._dialogue.introduce(client.helo)
            self._pipe.write(self._house.greeting)

    # Content

    def _open(self) -> bytes:
        """DATA: the way into the spool is there before we say so."""
        if self._arrival is not None:
            self._abandon(self._arrival)  # of an earlier transaction, by chunks
        try:
            self._arrival = Arrival(self._house.dock, self._dialogue.envelope(), DataReader(), self._dialogue.handover())
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender is told to come again (I9)
            log.trouble("data", error)
            self._dialogue.reset()
            return replies.TROUBLE.line
        self._patience.message(self.loop.time())
        self._expect_content()
        return replies.GO_AHEAD.line

    def _open_chunk(self) -> None:
        """BDAT: the octets come unasked, and are swallowed when they cannot be taken."""
        chunk = self._dialogue.chunk
        if chunk.refusal:
            self._arrival = Swallowed(self._house.dock, chunk.refusal)
        elif self._arrival is None:
            try:
                envelope, handover = self._dialogue.envelope(), self._dialogue.handover()
                self._arrival = Arrival(self._house.dock, envelope, ChunkReader(), handover)
                self._chunks_of = self._dialogue.chunked
            except Exception as error:  # noqa: BLE001 - as above
                log.trouble("bdat", error)
                self._arrival = Swallowed(self._house.dock, replies.TROUBLE)
        reader = self._arrival.reader
        assert isinstance(reader, ChunkReader)
        reader.begin(chunk.octets, chunk.last)
        # no progress by itself: empty chunks could be sent for ever
        self._expect_content()
        rest, self._input = self._input, b""
        self._content(rest)

    def _expect_content(self) -> None:
        self._mode = Mode.CONTENT
        self._patience.content(self.loop.time(), 0)

    def _content(self, data: bytes) -> None:
        arrival = self._arrival
        assert arrival is not None
        self._patience.content(self.loop.time(), len(data))
        full = arrival.feed(data)
        reader = arrival.reader
        if reader.ambiguous or arrival.endless:
            self._refuse(replies.AMBIGUOUS_END if reader.ambiguous else replies.TOO_BIG)
        elif reader.ended:
            self._mode = Mode.BUSY
            self._input = reader.rest
            if len(self._input) > INPUT_LIMIT:
                self._pipe.listen(False)
            self._house.begin(self._finish(arrival) if reader.last else self._next_chunk(arrival, full))
        elif full:
            self._mode = Mode.BUSY
            self._pipe.listen(False)
            self._house.begin(self._store(arrival))

    async def _store(self, arrival: Arrival | Swallowed) -> None:
        await arrival.store()
        if self._mode is Mode.ENDED:
            self._abandon(arrival)
            return
        self._mode = Mode.CONTENT
        self._pipe.listen(not self._pipe.choked)
        data, self._input = self._input, b""
        self._content(data)
        if self._eof and self._mode is Mode.CONTENT:
            self._pipe.close()

    async def _next_chunk(self, arrival: Arrival | Swallowed, full: bool) -> None:
        if full:
            await arrival.store()
        if self._mode is Mode.ENDED:
            self._abandon(arrival)
            return
        refusal = arrival.refusal
        if refusal is not None:
            self._abandon(arrival)
        self._go_on(self._dialogue.refuse_chunk(refusal) if refusal else replies.CHUNK_OK.line)

    async def _finish(self, arrival: Arrival | Swallowed) -> None:
        answer = await arrival.finish()
        self._arrival = None
        reply = self._dialogue.finished(answer, arrival.id)
        if answer.code < 400:
            self._house.remember(self)
        self._house.settled()
        if self._mode is not Mode.ENDED:
            self._patience.message(self.loop.time())
            self._go_on(reply)

    def _go_on(self, reply: bytes) -> None:
        """Say what became of the content, and listen to commands again."""
        self._pipe.write(reply)
        self._mode = Mode.COMMAND
        if self._eof:
            self._pipe.close()
        elif self._stopping:
            self.stop()
        elif self._dialogue.exhausted:
            self._refuse(replies.TOO_MANY_ERRORS)
        else:
            self._pipe.listen(not self._pipe.choked)
            self._converse()
