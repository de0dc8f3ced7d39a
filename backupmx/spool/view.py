"""What can be read of the LMDB store, in short read transactions.

Knows: databases, cursors.
Does not know: how anything is written.
"""

import heapq
import os
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import lmdb
import msgspec
from xxhash import xxh3_128

from backupmx.core import ids
from backupmx.core.books import Line
from backupmx.core.ids import MessageId
from backupmx.core.message import Message, State
from backupmx.core.queue import Census, Count, Filter, Page, SpoolStats
from backupmx.errors import MessageDamaged
from backupmx.spool import keys, layout, states
from backupmx.spool.search import LOOK_S, SLACK, first_id, may_hold, octets
from backupmx.spool.transaction import PAGE, Tables, decode, decode_line

HEADROOM = 0.1
"""Part of the map that new mail may not use: deleting needs free pages too."""
AMPLE = 512 * 2**20
CALLS = 64
ENCODED = b"=?"
"""A subject with this in it may be about anything."""


class View:
    """The reading half of a spool."""

    def __init__(self, path: Path, env: lmdb.Environment, reserve: int) -> None:
        self._path = path
        self._env = env
        self._reserve = reserve
        self._room = 0
        self._calls = 0
        self._map_size = int(env.info()["map_size"])
        self._tables: Tables = layout.tables(env)

    def room(self) -> int:
        """The map keeps room for deleting, the disk keeps its reserve; pages that are free inside the file count.

        Measured anew at every call when it is short, else now and then: to measure costs more than to take a small message.
        """
        self._calls += 1
        if self._room < AMPLE or self._calls >= CALLS:
            self._calls = 0
            self._room = self._measure()
        return self._room

    def _measure(self) -> int:
        used = self._used()
        disk = os.statvfs(self._path)
        on_disk = disk.f_bavail * disk.f_frsize - self._reserve + self._free(used)
        in_map = int(self._map_size * (1 - HEADROOM)) - used
        return max(0, min(on_disk, in_map))

    def _free(self, used: int) -> int:
        return max(0, (self._path / "data.mdb").stat().st_size - used)

    def _used(self) -> int:
        with self._env.begin() as txn:
            raw = txn.get(b"pages", db=self._tables.count)
            pages = msgspec.msgpack.decode(raw)[0] if raw else 0
            for table in (self._tables.message, self._tables.due, self._tables.lane, self._tables.track):
                stat = txn.stat(table)
                pages += stat["leaf_pages"] + stat["branch_pages"] + stat["overflow_pages"]
        return int(pages) * PAGE

    def next_due(self, domain: str) -> datetime | None:
        """See `ports.Spool`."""
        prefix = domain.encode() + b"\0"
        with self._env.begin() as txn, txn.cursor(self._tables.due) as cursor:
            if not cursor.set_range(prefix) or not key_of(cursor).startswith(prefix):
                return None
            return keys.due_at(domain, key_of(cursor))

    def last_due(self, domain: str) -> datetime | None:
        """See `ports.Spool`."""
        prefix = domain.encode() + b"\0"
        with self._env.begin() as txn, txn.cursor(self._tables.due) as cursor:
            behind = cursor.set_range(domain.encode() + b"\1")
            if not (cursor.prev() if behind else cursor.last()) or not key_of(cursor).startswith(prefix):
                return None
            return keys.due_at(domain, key_of(cursor))

    def content(self, id: MessageId) -> Iterator[bytes]:
        """See `ports.Spool`."""
        message = self.get(id)
        if message is None:
            raise MessageDamaged(f"{id}: no such message")
        raw, digest, size = ids.decode(id), xxh3_128(), 0
        for number in range(message.chunks):
            with self._env.begin() as txn:
                chunk = txn.get(keys.chunk(raw, number), db=self._tables.chunk)
            if chunk is None:
                raise MessageDamaged(f"{id}: chunk {number} is missing")
            digest.update(chunk)
            size += len(chunk)
            if number == message.chunks - 1 and (size != message.size or digest.digest() != message.digest):
                raise MessageDamaged(f"{id}: the content does not match its digest")
            yield chunk

    def late(self, domain: str, upto: datetime, now: datetime, limit: int) -> tuple[Message, ...]:
        """See `ports.Spool`."""
        found: list[Message] = []
        with self._env.begin() as txn:
            for message in self._oldest_first(txn, domain, bytes(keys.ID)):
                if message.arrived > upto or len(found) >= limit:
                    break
                if states.late(message, domain, upto, now):
                    found.append(message)
        return tuple(found)

    def unwarned(self, domain: str, before: datetime, limit: int) -> tuple[Message, ...]:
        """See `ports.Spool`."""
        found: list[Message] = []
        with self._env.begin() as txn:
            last = txn.get(keys.warned(domain), bytes(keys.ID), db=self._tables.meta)
            for message in self._oldest_first(txn, domain, last):
                if message.arrived >= before or len(found) >= limit:
                    break
                if ids.decode(message.id) > last:
                    found.append(message)
        return tuple(found)

    def _oldest_first(self, txn: lmdb.Transaction, domain: str, since: bytes) -> Iterator[Message]:
        """What waits for a domain, from this id on."""
        prefix = keys.lane(b"w", domain)
        with txn.cursor(self._tables.lane) as cursor:
            there = cursor.set_range(prefix + since)
            while there and key_of(cursor).startswith(prefix):
                raw = txn.get(key_of(cursor)[-keys.ID :], db=self._tables.message)
                if raw is not None:
                    yield decode(raw)
                there = cursor.next()

    def books(self, since: int) -> Mapping[str, Mapping[int, Line]]:
        """See `ports.Spool`."""
        found: dict[str, dict[int, Line]] = {}
        since = min(since, keys.LAST_DAY)
        with self._env.begin() as txn, txn.cursor(self._tables.book) as cursor:
            there = cursor.first()
            while there:
                domain, _, day = key_of(cursor).partition(b"\0")
                if int.from_bytes(day) < since:
                    there = cursor.set_range(keys.line(domain.decode(), since))
                    continue
                found.setdefault(domain.decode(), {})[int.from_bytes(day)] = decode_line(cursor.value())
                there = cursor.next()
        return found

    def census(self) -> Census:
        """See `ports.Spool`."""
        total: dict[State, Count] = {}
        domains: dict[str, dict[State, Count]] = {}
        with self._env.begin() as txn, txn.cursor(self._tables.count) as counts:
            for key, raw in counts:
                state = keys.BY_LETTER.get(key[:1])
                messages, octets = msgspec.msgpack.decode(raw)
                if state is None or not key.endswith(b"\0") or not messages:
                    continue
                domain = key[1:-1].decode()
                count = Count(messages, octets, self._oldest(txn, key))
                (domains.setdefault(domain, {}) if domain else total)[state] = count
        return Census(total, domains)

    def _oldest(self, txn: lmdb.Transaction, lane: bytes) -> datetime | None:
        with txn.cursor(self._tables.lane) as cursor:
            if not cursor.set_range(lane) or not key_of(cursor).startswith(lane):
                return None
            raw = txn.get(key_of(cursor)[-keys.ID :], db=self._tables.message)
            return decode(raw).arrived if raw else None

    def get(self, id: MessageId) -> Message | None:
        """See `ports.Spool`."""
        with self._env.begin() as txn:
            raw = txn.get(ids.decode(id), db=self._tables.message)
        return None if raw is None else decode(raw)

    def page(self, wanted: Filter, after: MessageId | None = None, limit: int = 50) -> Page:
        """See `ports.Spool`."""
        found: list[Message] = []
        last: bytes | None = None
        parts = octets((wanted.sender, wanted.recipient))
        about = octets(wanted.subject.split()) if wanted.subject else ()
        until = time.perf_counter() + LOOK_S
        with self._env.begin() as txn:
            for id in self._newest_first(txn, wanted, after):
                if last is not None and (len(found) >= limit or time.perf_counter() > until):
                    return Page(tuple(found), ids.encode(last))
                last = id
                raw = txn.get(id, db=self._tables.message)
                if raw is None or not may_hold(raw, parts) or not (may_hold(raw, about) or ENCODED in raw):
                    continue
                message = decode(raw)
                if states.matches(wanted, message):
                    found.append(message)
        return Page(tuple(found), None)

    def _newest_first(self, txn: lmdb.Transaction, wanted: Filter, after: MessageId | None) -> Iterator[bytes]:
        """Ids of what may be meant: the indexes know states, domains and, nearly, times of arrival."""
        start = ids.decode(after) if after else keys.LAST
        if wanted.before is not None:
            start = min(start, first_id(wanted.before + SLACK))
        if wanted.state is None and wanted.domain is None:
            return self._backwards(txn, self._tables.message, b"", start)
        letters = set(keys.BY_LETTER) if wanted.state is None else {keys.STATES[wanted.state]}
        lanes = [keys.lane(letter, wanted.domain or "") for letter in letters]
        return heapq.merge(*(self._backwards(txn, self._tables.lane, lane, start) for lane in lanes), reverse=True)

    def _backwards(self, txn: lmdb.Transaction, table: lmdb._Database, prefix: bytes, start: bytes) -> Iterator[bytes]:
        """Ids before that one, at the ends of keys that begin in this way."""
        with txn.cursor(table) as cursor:
            there = cursor.set_range(prefix + start)
            there = cursor.prev() if there else cursor.last()
            while there and key_of(cursor).startswith(prefix):
                yield key_of(cursor)[-keys.ID :]
                there = cursor.prev()

    def matching(self, prefix: str, limit: int = 2) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        low, high = ids.abbreviation_range(prefix)
        found: list[MessageId] = []
        with self._env.begin() as txn, txn.cursor(self._tables.message) as cursor:
            there = cursor.set_range(low)
            while there and key_of(cursor) <= high and len(found) < limit:
                found.append(ids.encode(key_of(cursor)))
                there = cursor.next()
        return tuple(found)

    def stats(self) -> SpoolStats:
        """See `ports.Spool`."""
        disk = os.statvfs(self._path)
        with self._env.begin() as txn:
            unfinished = txn.stat(self._tables.unfinished)["entries"]
        return SpoolStats(
            layout=layout.VERSION,
            map_size=self._map_size,
            map_used=self._used(),
            file_size=(self._path / "data.mdb").stat().st_size,
            disk_free=disk.f_bavail * disk.f_frsize,
            reserve=self._reserve,
            room=self.room(),
            unfinished=unfinished,
        )


def key_of(cursor: lmdb.Cursor) -> bytes:
    """The library's types leave open whether views are handed out; we never ask for them."""
    key = cursor.key()
    assert isinstance(key, bytes)
    return key
