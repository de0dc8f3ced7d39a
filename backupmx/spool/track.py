"""What became of messages, in the LMDB store: one record for each id, beside the mail.

Knows: databases, cursors, the writer thread, that ids begin with the time of arrival.
Does not know: what happens to messages; the transaction that moves one writes its record.

There is no index but the id, so that a record costs no more than its one entry. What is asked for by other things is searched for
from the newest back: a record that does not even hold the text is passed by without being read.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import datetime

import lmdb

from backupmx.core import ids, track
from backupmx.core.ids import MessageId
from backupmx.core.track import Life, Lives, Passed, Record, Wanted
from backupmx.spool.search import LOOK_S, SLACK, first_id, may_hold, octets
from backupmx.spool.transaction import Tables, Transaction, decode, decode_record, encode
from backupmx.spool.view import key_of
from backupmx.spool.writer import Writer

BATCH = 500
"""Records that are written in one go: mail waits for the writer meanwhile."""
SWEEP = 1000
"""Records that are looked at, or deleted, in one go."""


class LmdbTrack:
    """See `ports.Track`."""

    def __init__(self, env: lmdb.Environment, tables: Tables, writer: Writer) -> None:
        self._env = env
        self._tables = tables
        self._writer = writer

    def find(self, id: MessageId) -> Life | None:
        """See `ports.Track`."""
        raw = ids.decode(id)
        with self._env.begin() as txn:
            return _life(raw, txn.get(raw, db=self._tables.message), txn.get(raw, db=self._tables.track))

    def page(self, wanted: Wanted, after: MessageId | None = None, limit: int = 50) -> Lives:
        """See `ports.Track`."""
        search = _Search(wanted)
        below = ids.decode(after) if after else search.below
        found: list[Life] = []
        last: bytes | None = None
        until = time.perf_counter() + LOOK_S
        with self._env.begin() as txn:
            for id, message, record in self._newest_first(txn, min(below, search.below), search.lowest):
                if last is not None and (len(found) >= limit or time.perf_counter() > until):
                    return Lives(tuple(found), ids.encode(last))
                last = id
                early = id < search.early
                if not early and not search.may_hold(message, record):
                    continue
                life = _life(id, message, record)
                if life is None:
                    continue
                if early and search.is_over(life):
                    break
                if track.matches(wanted, life):
                    found.append(life)
        return Lives(tuple(found), None)

    def _newest_first(
        self, txn: lmdb.Transaction, below: bytes, lowest: bytes
    ) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
        """Ids below the one and not below the other, each with its message, its record, or both."""
        with txn.cursor(self._tables.message) as messages, txn.cursor(self._tables.track) as records:
            m, r = _down_to(messages, below), _down_to(records, below)
            while (id := max(m, r)) and id >= lowest:
                yield id, (bytes(messages.value()) if m == id else None), (bytes(records.value()) if r == id else None)
                m, r = (_before(messages) if m == id else m), (_before(records) if r == id else r)

    async def note(self, passed: Sequence[Passed]) -> None:
        """See `ports.Track`."""
        for start in range(0, len(passed), BATCH):
            records = [(ids.decode(note.id), encode(track.passed(note))) for note in passed[start : start + BATCH]]

            def command(work: Transaction, records: Sequence[tuple[bytes, bytes]] = records) -> None:
                for id, record in records:
                    work.txn.put(id, record, db=work.tables.track)

            await self._writer.do(command)

    async def sweep(self, before: datetime) -> int:
        """See `ports.Track`."""
        swept, first = 0, b""
        while True:
            old, first = self._ended(before, first)
            if old:
                await self._delete(old)
            swept += len(old)
            if not first:
                return swept
            await asyncio.sleep(0)

    def _ended(self, before: datetime, first: bytes) -> tuple[list[bytes], bytes]:
        """Which records of one batch go, and where the next batch begins: empty behind those that arrived later than that."""
        found: list[bytes] = []
        with self._env.begin() as txn, txn.cursor(self._tables.track) as records:
            there = records.set_range(first) if first else records.first()
            for _ in range(SWEEP):
                if not there:
                    return found, b""
                # of those in the spool the record stays; of those that are gone it changes no more
                record = decode_record(records.value())
                if record.gone is not None and record.gone.arrived >= before + SLACK:
                    return found, b""
                if _last(record) < before and (record.gone or txn.get(records.key(), db=self._tables.message) is None):
                    found.append(key_of(records))
                there = records.next()
            return found, key_of(records) if there else b""

    async def _delete(self, old: Sequence[bytes]) -> None:
        def command(work: Transaction) -> None:
            for id in old:
                work.txn.delete(id, db=work.tables.track)

        await self._writer.do(command)


class _Search:
    """A question, as far as it can be answered by ids and octets alone."""

    def __init__(self, wanted: Wanted) -> None:
        self._since = wanted.since
        low, high = ids.abbreviation_range(wanted.id or "")
        self.lowest = low
        self.below = high + b"\0"
        """Above all ids that are meant."""
        if wanted.until is not None:
            self.below = min(self.below, first_id(wanted.until + SLACK))
        self.early = b"" if wanted.since is None else first_id(wanted.since - SLACK)
        """An id that is lower says that its message came before the time that is meant; the message itself has the last word."""
        self._parts = octets((wanted.sender, wanted.recipient, wanted.host))

    def may_hold(self, message: bytes | None, record: bytes | None) -> bool:
        """Whether it is worth the reading."""
        return not self._parts or may_hold(b"\0".join((message or b"", record or b"")), self._parts)

    def is_over(self, life: Life) -> bool:
        """Whether everything from here on came before the time that is meant."""
        return self._since is not None and life.arrived < self._since - SLACK


def _last(record: Record) -> datetime:
    """When the message went, or when something happened to it last: an older program may have let it go without a word."""
    return record.gone.ended if record.gone else record.events[-1].at


def _life(id: bytes, message: bytes | None, record: bytes | None) -> Life | None:
    return track.life(ids.encode(id), decode(message) if message else None, decode_record(record) if record else None)


def _down_to(cursor: lmdb.Cursor, below: bytes) -> bytes:
    """The highest key below this one; empty when there is none."""
    there = cursor.prev() if cursor.set_range(below) else cursor.last()
    return key_of(cursor) if there else b""


def _before(cursor: lmdb.Cursor) -> bytes:
    return key_of(cursor) if cursor.prev() else b""
