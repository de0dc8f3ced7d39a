"""One message on its way from a client into the spool.

Knows: the reader of data, the intake, sizes.
Does not know: sockets, replies to other commands.

Content collects in memory up to a share of what the worker allows itself, then goes to the spool piece by piece (I4).
Who the sender is, is found out for what will be held, not for what the primary takes. Of content that is larger than the share no
signature is looked at: DKIM proves nothing of it, the safe side.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backupmx.core import ids, replies, subject
from backupmx.core.data import ChunkReader, DataReader
from backupmx.core.message import Envelope
from backupmx.core.outcome import Reply
from backupmx.core.received import received
from backupmx.core.replies import Answer
from backupmx.core.track import Passed
from backupmx.errors import SpoolFull
from backupmx.ports import Clock, Handover, Prove, Spool
from backupmx.watch import log

SHARE = 256 * 1024
"""Octets of one message that may wait in memory."""
TIGHT_SHARE = 32 * 1024
BUDGET = 32 * 2**20
"""Octets of all messages of this worker that may wait in memory before shares become tight."""
MOST_NOTED = 20_000
"""Recipients whose mail went to the primary in the session, and is not written down yet."""


@dataclass(slots=True)
class Dock:
    """What every arrival of a worker has in common."""

    spool: Spool
    hostname: str
    max_size: int
    clock: Clock
    wake: Callable[[], None]
    prove: Prove
    waiting: int = 0
    """Octets in memory now."""
    accepted: int = 0
    """Messages since the counters were told last: once a second, not once a message."""
    relayed: int = 0
    """Messages that the primary took in the session, counted likewise."""
    accepted_octets: int = 0
    noted: list[Passed] = field(default_factory=list)
    """Messages that the primary took, for the track: written down once a second, so that a crash may cost the last of them."""
    noted_recipients: int = 0

    def note(self, passed: Passed) -> None:
        """One more; beyond what memory is meant for it goes without saying."""
        if self.noted_recipients < MOST_NOTED:
            self.noted_recipients += len(passed.envelope.recipients)
            self.noted.append(passed)

    def take_noted(self) -> Sequence[Passed]:
        """What came since this was asked last."""
        taken, self.noted, self.noted_recipients = self.noted, [], 0
        return taken

    @property
    def share(self) -> int:
        """How much one message may keep in memory at this moment."""
        return SHARE if self.waiting < BUDGET else TIGHT_SHARE


class Arrival:
    """From 354, or the first BDAT, to the reply to the end of the content."""

    __slots__ = (
        "_arrived",
        "_dock",
        "_envelope",
        "_handover",
        "_intake",
        "_parts",
        "_put_in_front",
        "_refusal",
        "_size",
        "_subject",
        "_waiting",
        "_whole",
        "id",
        "reader",
    )

    def __init__(
        self, dock: Dock, envelope: Envelope, reader: DataReader | ChunkReader, handover: Handover | None = None
    ) -> None:
        """With a `handover` the primary gets the content as it comes, and has the last word."""
        self._arrived = dock.clock()
        self.id = ids.made(self._arrived, secrets.randbits(ids.CHANCE))
        self.reader = reader
        self._dock = dock
        self._envelope = envelope
        self._intake = dock.spool.intake(self.id)
        self._handover = handover
        self._parts: list[bytes] = []
        self._waiting = 0
        self._size = 0
        self._refusal: Answer | None = None
        self._whole = True
        """Whether nothing of it has gone to the spool yet."""
        self._subject = ""
        self._keep(received(envelope, dock.hostname, self.id, self._arrived))
        self._put_in_front = self._waiting

    def feed(self, octets: bytes) -> bool:
        """Take what arrived; returns whether `store` must run before more is read."""
        content = self.reader.feed(octets)
        if self._size == 0 and content.startswith((b" ", b"\t")):
            # it would be read as more of the field that we put in front (I7): an empty line ends the header, as Postfix has it
            self._keep(b"\r\n")
        self._size += len(content)
        if self._size > self._dock.max_size and self._refusal is None:
            self._refusal = replies.TOO_BIG
            self._drop()
        if content and self._refusal is None:
            self._keep(content)
        return self._waiting > self._dock.share

    @property
    def endless(self) -> bool:
        """Whether it is so much too big that its end is not waited for."""
        return self._size > 2 * self._dock.max_size + SHARE

    def _keep(self, content: bytes) -> None:
        self._parts.append(content)
        self._waiting += len(content)
        self._dock.waiting += len(content)

    def _drop(self) -> bytes:
        content = b"".join(self._parts)
        self._parts = []
        self._dock.waiting -= self._waiting
        self._waiting = 0
        return content

    async def store(self) -> None:
        """Hand over what waits in memory. Trouble is remembered for the reply."""
        if self._refusal is None:
            content = self._drop()
            if self._whole:
                self._whole = False
                self._subject = subject.found(content)
            await self._pass_on(content)

    async def _pass_on(self, content: bytes) -> None:
        try:
            await self._intake.write(content)
            if self._handover is not None:
                await self._handover.write(content)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender is told to come again (I9)
            self._refusal = _answer_to(error)

    @property
    def refusal(self) -> Answer | None:
        """Why it cannot be taken, as far as that is known by now."""
        return self._refusal

    async def finish(self) -> Answer:
        """Make it durable, and say what to reply; 250 only when it is (I1)."""
        content = b"".join(self._parts)
        self._parts = [content]
        if self._refusal is None:
            await self._pass_on(content)
        if self._handover is not None and self._refusal is None:
            reply = await self._handover.finish()
            if reply is not None:
                return await self._relayed(reply)
        if self._refusal is None:
            if self._whole:
                self._subject = subject.found(content)
            await self._commit(content[self._put_in_front :] if self._whole else None)
        if self._refusal is not None:
            await self.abandon()
            return self._refusal
        answer = replies.queued(self.id)
        try:
            self._tell()
        except Exception as error:  # noqa: BLE001 - it is ours now, whoever could not be told
            log.trouble("accepted", error)
        return answer

    async def _commit(self, content: bytes | None) -> None:
        envelope = await self._proven(content)
        self._drop()  # only now: until then it waits in memory
        try:
            await self._intake.commit(envelope, self._arrived, self._subject)
        except Exception as error:  # noqa: BLE001 - as above
            self._refusal = _answer_to(error)

    async def _proven(self, content: bytes | None) -> Envelope:
        """The envelope, with how the sender is known to be who it says it is."""
        try:
            proof = await self._dock.prove(self._envelope, content)
        except Exception as error:  # noqa: BLE001 - then it is not known: the message is worth more (I9)
            log.trouble("proof", error)
            return self._envelope
        return self._envelope.proven(proof) if proof else self._envelope

    async def _relayed(self, reply: Reply) -> Answer:
        """The primary has spoken: what it took is its own, what it refused is nobody's."""
        handover = self._handover
        assert handover is not None
        await self.abandon()
        answer = replies.of_primary(reply)
        if reply.positive:
            self._dock.relayed += 1
            self._dock.accepted_octets += self._size
            envelope = self._envelope
            self._dock.note(Passed(self.id, self._arrived, self._size, envelope, reply, handover.host, handover.tls))
            try:
                addresses = [recipient.address for recipient in envelope.recipients]
                route = (handover.host, handover.tls, str(reply))
                log.relayed(self.id, envelope.client.address, envelope.sender, addresses, self._size, *route)
            except Exception as error:  # noqa: BLE001 - the primary has it, whoever could not be told
                log.trouble("relayed", error)
        return answer

    def _tell(self) -> None:
        self._dock.wake()
        envelope = self._envelope
        addresses = [recipient.address for recipient in envelope.recipients]
        client = envelope.client
        log.accepted(self.id, client.address, client.helo, envelope.sender, addresses, self._size, client.tls)
        self._dock.accepted += 1
        self._dock.accepted_octets += self._size

    async def abandon(self) -> None:
        """The client is gone, or the message was refused."""
        self._drop()
        if self._handover is not None:
            self._handover.abandon()
        try:
            await self._intake.abandon()
        except Exception as error:  # noqa: BLE001 - what is left over is invisible, and swept at the next start
            log.trouble("abandon", error)


class Swallowed:
    """A chunk that was refused before it came: its octets come all the same, and go nowhere (RFC 3030 section 2)."""

    __slots__ = ("_max_size", "_size", "reader", "refusal")

    id = ""

    def __init__(self, dock: Dock, refusal: Answer) -> None:
        self.reader = ChunkReader()
        self.refusal = refusal
        self._max_size = dock.max_size
        self._size = 0

    def feed(self, octets: bytes) -> bool:
        """Like an arrival's; nothing is ever to be stored."""
        self._size += len(self.reader.feed(octets))
        return False

    @property
    def endless(self) -> bool:
        """As of an arrival."""
        return self._size > 2 * self._max_size + SHARE

    async def store(self) -> None:
        """There is nothing to store."""

    async def finish(self) -> Answer:
        """What there was to say from the start."""
        return self.refusal

    async def abandon(self) -> None:
        """There is nothing to forget."""


def _answer_to(error: Exception) -> Answer:
    if isinstance(error, SpoolFull):
        return replies.NO_SPACE
    log.trouble("accept", error)
    return replies.TROUBLE
