"""Is the spool what it should be? Every digest, every index entry both ways, every counter.

Knows: the layout.
Does not know: how to mend anything; it only reads, with or without a running server.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import lmdb
import msgspec
from msgspec import Struct
from xxhash import xxh3_128

from backupmx.core import books, ids
from backupmx.core.books import DAMAGED, HELD, QUARANTINED, WAITING, Line
from backupmx.core.message import Message
from backupmx.spool import keys, layout
from backupmx.spool.transaction import Tables, decode, decode_line, decode_record

HERE = (WAITING, HELD, QUARANTINED, DAMAGED)
"""The columns of who is still here."""


class Finding(Struct, frozen=True):
    """One thing looked at: a message, or the indexes as a whole when `id` is None; `problem` is None when it is sound."""

    id: str | None
    problem: str | None


def verify(path: Path) -> Iterator[Finding]:
    """Look at everything once. Raises SpoolUnusable, SpoolTooNew. Contents are read in short transactions, the indexes in one."""
    env = layout.open_environment(path, None)
    try:
        tables = layout.tables(env)
        for id in _all_ids(env, tables):
            found = _content(env, tables, id)
            if found:
                yield found
        yield from _indexes(env, tables)
    finally:
        env.close()


def _all_ids(env: lmdb.Environment, tables: Tables) -> list[bytes]:
    with env.begin() as txn, txn.cursor(tables.message) as cursor:
        return [bytes(key) for key in cursor.iternext(values=False)]


def _content(env: lmdb.Environment, tables: Tables, id: bytes) -> Finding | None:
    """None when the message has gone meanwhile."""
    name = ids.encode(id)
    with env.begin() as txn:
        raw = txn.get(id, db=tables.message)
        if raw is None:
            return None
        try:
            message = decode(raw)
        except msgspec.MsgspecError as error:
            return Finding(name, f"the record cannot be read: {error}")
        if message.damage:
            return Finding(name, f"set aside: {message.damage}")
        digest, size = xxh3_128(), 0
        for number in range(message.chunks):
            chunk = txn.get(keys.chunk(id, number), db=tables.chunk)
            if chunk is None:
                return Finding(name, f"chunk {number} of {message.chunks} is missing")
            digest.update(chunk)
            size += len(chunk)
    if (size, digest.digest()) != (message.size, message.digest):
        return Finding(name, "the content does not match its digest")
    return Finding(name, None)


def _indexes(env: lmdb.Environment, tables: Tables) -> Iterator[Finding]:
    expected = _Expected()
    with env.begin() as txn:
        with txn.cursor(tables.message) as cursor:
            for id, raw in cursor:
                try:
                    expected.add(bytes(id), decode(raw))
                except msgspec.MsgspecError:
                    continue  # already told
        for name, table, wanted in (
            ("due", tables.due, expected.dues),
            ("lane", tables.lane, expected.lanes),
            ("lease", tables.lease, expected.leases),
        ):
            with txn.cursor(table) as cursor:
                there = {bytes(key): bytes(value) for key, value in cursor}
            yield from _difference(name, wanted, there)
        with txn.cursor(tables.count) as cursor:
            counts = {bytes(key): tuple(msgspec.msgpack.decode(raw)) for key, raw in cursor if key != b"pages"}
        for key in counts.keys() | expected.counts.keys():
            stored, real = counts.get(key, (0, 0)), tuple(expected.counts.get(key, (0, 0)))
            if stored != real:
                yield Finding(None, f"count {key!r}: stored {stored}, counted {real}")
        with txn.cursor(tables.book) as cursor:
            lines = {bytes(key): decode_line(raw) for key, raw in cursor}
        yield from _books(lines, expected.lines)
        yield from _track(txn, tables)
    yield Finding(None, None)


def _books(stored: Mapping[bytes, Line], counted: Mapping[bytes, Sequence[int]]) -> Iterator[Finding]:
    """What is still here must stand in the books, and they must balance (I11)."""
    for key in stored.keys() | counted.keys():
        line, real = stored.get(key, Line()), counted.get(key, [0] * len(Line.__struct_fields__))
        here = tuple(real[column] for column in HERE)
        if tuple(line.columns()[column] for column in HERE) != here:
            yield Finding(None, f"books {key!r}: stored {line}, counted {here}")
        if line.difference:
            yield Finding(None, f"books {key!r}: a difference of {line.difference}")


def _track(txn: lmdb.Transaction, tables: Tables) -> Iterator[Finding]:
    """A record's message is either gone or there."""
    with txn.cursor(tables.track) as cursor:
        for id, raw in cursor:
            try:
                gone = decode_record(raw).gone is not None
            except msgspec.MsgspecError as error:
                yield Finding(keys.id_of(bytes(id)), f"track: the record cannot be read: {error}")
                continue
            there = txn.get(id, db=tables.message) is not None
            if gone is there:
                problem = "the message is here, and was to be gone" if there else "the message is gone, and nothing says how"
                yield Finding(keys.id_of(bytes(id)), f"track: {problem}")


class _Expected:
    """What the indexes and counters must hold, from the records alone."""

    def __init__(self) -> None:
        self.dues: dict[bytes, bytes] = {}
        self.lanes: dict[bytes, bytes] = {}
        self.leases: dict[bytes, bytes] = {}
        self.counts: dict[bytes, list[int]] = {}
        self.lines: dict[bytes, list[int]] = {}

    def add(self, id: bytes, message: Message) -> None:
        entries = keys.Entries(message, id)
        self.dues |= entries.dues
        self.leases |= dict.fromkeys(entries.leases, b"")
        for lane in entries.lanes:
            self.lanes[lane + id] = b""
            sums = self.counts.setdefault(lane, [0, 0])
            sums[0] += 1
            sums[1] += message.size
        for domain, columns in books.places(message).items():
            line = self.lines.setdefault(keys.line(domain, books.day(message.arrived)), [0] * len(Line.__struct_fields__))
            for column, number in columns.items():
                line[column] += number


def _difference(name: str, wanted: Mapping[bytes, bytes], there: Mapping[bytes, bytes]) -> Iterator[Finding]:
    for key in wanted.keys() - there.keys():
        yield Finding(keys.id_of(key), f"{name}: entry is missing")
    for key in there.keys() - wanted.keys():
        yield Finding(keys.id_of(key), f"{name}: entry has no reason")
    for key in wanted.keys() & there.keys():
        if wanted[key] != there[key]:
            yield Finding(keys.id_of(key), f"{name}: entry differs")
