"""One write transaction: a message's record, its index entries and the counters always move together.

Knows: the databases and their keys.
Does not know: why a message moves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import lmdb
import msgspec
from xxhash import xxh3_128

from backupmx.core import books, ids, subject, track
from backupmx.core.books import Line
from backupmx.core.events import AnyEvent
from backupmx.core.message import Message, Notice, Schedule
from backupmx.core.track import Record
from backupmx.spool import keys

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Message).decode
decode_line = msgspec.msgpack.Decoder(Line).decode
decode_record = msgspec.msgpack.Decoder(Record).decode
_NO_ENTRIES = keys.Entries(None, b"")
PAGE = 4096
HEADER = 16
CHUNK = 64 * PAGE - HEADER
"""Octets of content in one entry: whole pages with LMDB's own header."""
Places = Mapping[str, Mapping[int, int]]
_NOWHERE: Places = {}


def pages(length: int) -> int:
    """Pages that one chunk takes in the map."""
    return (length + HEADER + PAGE - 1) // PAGE


@dataclass(frozen=True, slots=True)
class Tables:
    """The databases of one environment."""

    meta: lmdb._Database
    message: lmdb._Database
    chunk: lmdb._Database
    due: lmdb._Database
    lease: lmdb._Database
    lane: lmdb._Database
    count: lmdb._Database
    unfinished: lmdb._Database
    recipient: lmdb._Database
    listed: lmdb._Database
    roll: lmdb._Database
    track: lmdb._Database
    book: lmdb._Database


class Transaction:
    """A write transaction, with its counters summed up until the end."""

    def __init__(self, txn: lmdb.Transaction, tables: Tables) -> None:
        self.txn = txn
        self.tables = tables
        self._counts: dict[bytes, list[int]] = {}
        self._lines: dict[bytes, list[int]] = {}
        self._pages = 0

    def get(self, id: bytes) -> Message | None:
        """One record."""
        raw = self.txn.get(id, db=self.tables.message)
        return None if raw is None else decode(raw)

    def accept(self, message: Message, content: bytes | memoryview, number: int = 0) -> None:
        """A message comes in, with the last piece of its content, which has this number."""
        id = ids.decode(message.id)
        if content:
            self.put_chunk(id, number, content)
        self._shift(id, None, message)
        self.enter(message)

    def enter(self, message: Message) -> None:
        """Into the books, where it has not been before."""
        places = books.places(message)
        self._book(message, _NOWHERE, places)
        for domain, columns in places.items():
            self._line(domain, message)[books.ACCEPTED] += sum(columns.values())

    def accept_notices(self, notices: Sequence[Notice], now: datetime) -> None:
        """Notifications come in; they are due at once."""
        for notice in notices:
            content, id = notice.content, ids.decode(notice.id)
            chunks = [content[start : start + CHUNK] for start in range(0, len(content), CHUNK)]
            for number, chunk in enumerate(chunks[:-1]):
                self.put_chunk(id, number, chunk)
            schedule = {recipient.domain: Schedule(due=now) for recipient in notice.envelope.recipients}
            digest = xxh3_128(content).digest()
            about = subject.found(content)
            message = Message(notice.id, now, len(content), len(chunks), digest, notice.envelope, schedule, subject=about)
            self.accept(message, chunks[-1], len(chunks) - 1)

    def move(self, id: bytes, old: Message, new: Message, events: Sequence[AnyEvent] = ()) -> None:
        """Bring a message from one state to the next, and write down what happened; one that is finished leaves the spool."""
        if not (new.progress is old.progress and new.hold is old.hold and new.damage is old.damage):
            self._book(new, books.places(old), books.places(new))
        self._shift(id, old, None if new.finished else new)
        if events:
            self._note(id, old, events, gone=new.finished)

    def remove(self, id: bytes, old: Message, event: AnyEvent) -> None:
        """A message leaves the spool unfinished."""
        self._book(old, books.places(old), books.removed(old))
        self._shift(id, old, None)
        self._note(id, old, (event,), gone=True)

    def _shift(self, id: bytes, old: Message | None, new: Message | None) -> None:
        """Record, indexes and counters."""
        before = keys.Entries(old, id) if old else _NO_ENTRIES
        after = keys.Entries(new, id) if new else _NO_ENTRIES
        put, delete, tables = self.txn.put, self.txn.delete, self.tables
        for key in before.dues.keys() - after.dues.keys():
            delete(key, db=tables.due)
        for key, owner in after.dues.items():
            if before.dues.get(key) != owner:
                put(key, owner, db=tables.due)
        for key in before.leases - after.leases:
            delete(key, db=tables.lease)
        for key in after.leases - before.leases:
            put(key, b"", db=tables.lease)
        size = (old or new).size  # type: ignore[union-attr]
        for key in before.lanes - after.lanes:
            delete(key + id, db=tables.lane)
            self._count(key, -1, -size)
        for key in after.lanes - before.lanes:
            put(key + id, b"", db=tables.lane)
            self._count(key, 1, size)
        if new is not None:
            put(id, encode(new), db=tables.message)
        else:
            delete(id, db=tables.message)
            self.drop_chunks(id)

    def _book(self, message: Message, before: Places, after: Places) -> None:
        for places, sign in ((before, -1), (after, 1)):
            for domain, columns in places.items():
                line = self._line(domain, message)
                for column, number in columns.items():
                    line[column] += sign * number

    def _line(self, domain: str, message: Message) -> list[int]:
        return self._lines.setdefault(keys.line(domain, books.day(message.arrived)), [0] * len(Line.__struct_fields__))

    def _note(self, id: bytes, message: Message, events: Sequence[AnyEvent], *, gone: bool) -> None:
        def add(raw: bytes | memoryview | None) -> bytes:
            record = track.noted(decode_record(raw) if raw else track.NOTHING, events)
            return encode(track.closed(record, message, events[-1].at) if gone else record)

        # most messages have no record before they go: one way down the tree for them, not two
        if not self.txn.put(id, add(None), overwrite=False, db=self.tables.track):
            self.txn.put(id, add(self.txn.get(id, db=self.tables.track)), db=self.tables.track)

    def put_chunk(self, id: bytes, number: int, content: bytes | memoryview) -> None:
        """Store one piece of content."""
        self.txn.put(keys.chunk(id, number), content, db=self.tables.chunk)
        self._pages += pages(len(content))

    def drop_chunks(self, id: bytes) -> None:
        """Delete all content of a message."""
        with self.txn.cursor(self.tables.chunk) as cursor:
            found = cursor.set_range(id)
            while found and cursor.key()[: keys.ID] == id:
                self._pages -= pages(len(cursor.value()))
                found = cursor.delete()

    def _count(self, key: bytes, messages: int, octets: int) -> None:
        sums = self._counts.setdefault(key, [0, 0])
        sums[0] += messages
        sums[1] += octets

    def finish(self) -> None:
        """Write the counters: once for the whole batch."""
        if self._pages:
            self._counts[b"pages"] = [self._pages, 0]
        for key, (messages, octets) in self._counts.items():
            raw = self.txn.get(key, db=self.tables.count)
            m, o = msgspec.msgpack.decode(raw) if raw else (0, 0)
            self.txn.put(key, msgspec.msgpack.encode((m + messages, o + octets)), db=self.tables.count)
        for key, columns in self._lines.items():
            if any(columns):
                raw = self.txn.get(key, db=self.tables.book)
                line = Line(*columns)
                self.txn.put(key, encode(decode_line(raw) + line if raw else line), db=self.tables.book)
