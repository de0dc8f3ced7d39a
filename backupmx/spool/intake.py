"""One message coming in: small content waits in memory, large content goes to the store as it arrives.

Knows: chunks, digests.
Does not know: SMTP.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from xxhash import xxh3_128

from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.core.message import Envelope, Message, Schedule
from backupmx.errors import SpoolFull
from backupmx.spool.transaction import CHUNK, Transaction
from backupmx.spool.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable


class LmdbIntake:
    """Invisible until `commit` returns."""

    __slots__ = ("_chunks", "_digest", "_id", "_owner", "_parts", "_pending", "_room", "_size", "_writer", "id")

    def __init__(self, id: MessageId, writer: Writer, room: "Callable[[], int]", owner: str) -> None:
        self.id = id
        self._id = ids.decode(id)
        self._writer = writer
        self._room = room
        self._owner = owner.encode()
        self._parts: list[bytes] = []
        self._pending = 0
        self._chunks = 0
        self._size = 0
        self._digest = xxh3_128()

    async def write(self, chunk: bytes) -> None:
        """See `ports.Intake`."""
        self._parts.append(chunk)
        self._pending += len(chunk)
        if self._pending > CHUNK:
            await self._store(self._whole_chunks())

    def _whole_chunks(self) -> list[memoryview]:
        """All that fills a chunk; a rest is kept, so that there is always a last chunk to commit."""
        content = b"".join(self._parts)
        cut = (len(content) - 1) // CHUNK * CHUNK
        self._parts = [content[cut:]]
        self._pending = len(content) - cut
        view = memoryview(content)
        return [view[start : start + CHUNK] for start in range(0, cut, CHUNK)]

    async def _store(self, chunks: Sequence[memoryview]) -> None:
        octets = sum(map(len, chunks))
        self._check_room(octets)
        first = self._chunks
        self._note(chunks)

        def command(work: Transaction) -> None:
            if first == 0:
                work.txn.put(self._id, self._owner, db=work.tables.unfinished)
            for number, chunk in enumerate(chunks, first):
                work.put_chunk(self._id, number, chunk)

        await self._writer.do(command)

    def _note(self, chunks: Sequence[memoryview]) -> None:
        for chunk in chunks:
            self._digest.update(chunk)
            self._size += len(chunk)
        self._chunks += len(chunks)

    def _check_room(self, octets: int) -> None:
        if self._room() < octets:
            raise SpoolFull("no room in the spool above the reserve")

    async def commit(self, envelope: Envelope, arrived: datetime, subject: str = "") -> None:
        """See `ports.Intake`."""
        content = b"".join(self._parts)
        self._check_room(len(content))
        first, digest, size = self._chunks, self._digest, self._size + len(content)
        digest.update(content)
        id = self._id

        def command(work: Transaction) -> None:
            if first:
                work.txn.delete(id, db=work.tables.unfinished)
            schedule = {recipient.domain: Schedule(due=arrived) for recipient in envelope.recipients}
            chunks = first + bool(content)
            message = Message(self.id, arrived, size, chunks, digest.digest(), envelope, schedule, subject=subject)
            work.accept(message, content, first)

        self._parts, self._pending, self._chunks = [], 0, 0
        await self._writer.do(command)

    async def abandon(self) -> None:
        """See `ports.Intake`."""
        chunks, self._parts, self._chunks = self._chunks, [], 0
        if chunks:
            id = self._id

            def command(work: Transaction) -> None:
                if work.txn.delete(id, db=work.tables.unfinished):
                    work.drop_chunks(id)

            await self._writer.do(command)
