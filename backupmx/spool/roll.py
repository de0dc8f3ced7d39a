"""The roll of recipients in the LMDB store: what was learned, lists that were handed to us, and the primaries' clocks.

Knows: databases, cursors, the writer thread.
Does not know: how long to believe what it keeps, and who said it.

A list comes in parts under a number of its own, and counts once it is adopted; entries with another number are nobody's.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import lmdb
import msgspec

from backupmx.core.belief import EVERYBODY, Learned, Word
from backupmx.core.roll import Adopted, Entry, Lists
from backupmx.spool.transaction import Tables, Transaction
from backupmx.spool.writer import Writer

LONGEST_KEY = 511
"""LMDB's own limit: nobody's address is as long."""
MOST_NETWORKS = 1000
SWEEP = 2000
"""Entries that one transaction looks at: others wait for the writer meanwhile."""
_learned = msgspec.msgpack.Decoder(Learned).decode
_lists = msgspec.msgpack.Decoder(Lists).decode
_encode = msgspec.msgpack.Encoder().encode


def _key(domain: str, local: str) -> bytes:
    return f"{domain}\0{local}".encode()


class LmdbRoll:
    """See `ports.Roll`."""

    def __init__(self, env: lmdb.Environment, tables: Tables, writer: Writer) -> None:
        self._env = env
        self._tables = tables
        self._writer = writer

    # What was learned

    def recall(self, domain: str, local: str) -> Learned | None:
        """See `ports.Roll`."""
        key = _key(domain, local)
        if len(key) > LONGEST_KEY:
            return None
        with self._env.begin() as txn:
            raw = txn.get(key, db=self._tables.recipient)
        return _learned(raw) if raw else None

    async def learn(self, domain: str, learned: Mapping[str, Learned | None]) -> None:
        """See `ports.Roll`."""
        news = [(local, key, what) for local, what in learned.items() if len(key := _key(domain, local)) <= LONGEST_KEY]

        def command(work: Transaction) -> None:
            for local, key, what in news:
                raw = work.txn.get(key, db=work.tables.recipient)
                if local != EVERYBODY:
                    _count_known(work, domain, _known(what) - (_known(_learned(raw)) if raw else 0))
                if what is None:
                    work.txn.delete(key, db=work.tables.recipient)
                else:
                    work.txn.put(key, _encode(what), db=work.tables.recipient)

        if news:
            await self._writer.do(command)

    def known(self, domain: str) -> int:
        """See `ports.Roll`."""
        with self._env.begin() as txn:
            return _number(txn.get(_meta(domain, "known"), db=self._tables.roll))

    async def sweep(self, domain: str, word: Word, before: int) -> int:
        """See `ports.Roll`."""
        swept, after = 0, ""
        while True:

            def command(work: Transaction, after: str = after) -> tuple[int, str | None]:
                found, last = [], None
                for number, (local, raw) in enumerate(_walk(work.txn, work.tables.recipient, domain, after)):
                    if number >= SWEEP:
                        break
                    last = local
                    what = _learned(raw)
                    if what.word is word and what.at < before:
                        found.append(local)
                else:
                    last = None
                for local in found:
                    work.txn.delete(_key(domain, local), db=work.tables.recipient)
                if word is Word.KNOWN:
                    _count_known(work, domain, -len([local for local in found if local != EVERYBODY]))
                return len(found), last

            number, last = await self._writer.do(command)
            swept += number
            if last is None:
                return swept
            after = last

    # Lists

    def lists(self, domain: str) -> Lists:
        """See `ports.Roll`."""
        with self._env.begin() as txn:
            return _read_lists(txn, self._tables, domain)

    def listed(self, domain: str, local: str) -> bool:
        """See `ports.Roll`."""
        key = _key(domain, local)
        if len(key) > LONGEST_KEY:
            return False
        with self._env.begin() as txn:
            raw = txn.get(key, db=self._tables.listed)
            if raw is None:
                return False
            return _is_of(bytes(raw), _read_lists(txn, self._tables, domain).adopted)

    async def begin_list(self, domain: str) -> int:
        """See `ports.Roll`."""

        def command(work: Transaction) -> int:
            lists = _read_lists(work.txn, work.tables, domain)
            number = lists.last + 1
            _write_lists(work, domain, Lists(last=number, adopted=lists.adopted, waiting=None))
            return number

        return await self._writer.do(command)

    async def enlist(self, domain: str, number: int, locals_: Sequence[str]) -> None:
        """See `ports.Roll`."""
        news = [key for local in locals_ if len(key := _key(domain, local)) <= LONGEST_KEY]

        def command(work: Transaction) -> None:
            lists = _read_lists(work.txn, work.tables, domain)
            if number != lists.last:
                return  # another list came meanwhile: what is late must not take its entries away
            mine = number.to_bytes(4)
            for key in news:
                # until it is adopted, an entry of today's list stays one
                raw = work.txn.get(key, db=work.tables.listed)
                now = lists.adopted.number.to_bytes(4) if lists.adopted and raw and _is_of(bytes(raw), lists.adopted) else mine
                work.txn.put(key, now + mine, db=work.tables.listed)

        await self._writer.do(command)

    async def close_list(self, domain: str, number: int, most_lost: float) -> Lists:
        """See `ports.Roll`."""
        # in a thread: a long list takes seconds
        entries, kept = await asyncio.to_thread(self._compare, domain, number)

        def command(work: Transaction) -> Lists:
            lists = _read_lists(work.txn, work.tables, domain)
            if number != lists.last:
                return lists  # another list came meanwhile
            before = lists.adopted.entries if lists.adopted else 0
            new = Adopted(number, entries, lost=before - kept)
            fits = before - kept <= most_lost * before
            lists = Lists(number, new if fits else lists.adopted, None if fits else new)
            _write_lists(work, domain, lists)
            return lists

        lists = await self._writer.do(command)
        if lists.adopted and lists.adopted.number == number:
            await self._drop_others(domain, number)
        return lists

    async def approve_list(self, domain: str) -> Lists:
        """See `ports.Roll`."""

        def command(work: Transaction) -> Lists:
            lists = _read_lists(work.txn, work.tables, domain)
            if lists.waiting is not None:
                lists = Lists(lists.last, lists.waiting, None)
                _write_lists(work, domain, lists)
            return lists

        lists = await self._writer.do(command)
        if lists.adopted:
            await self._drop_others(domain, lists.adopted.number)
        return lists

    def _compare(self, domain: str, number: int) -> tuple[int, int]:
        """Entries of the new list, and how many of them are in today's."""
        mine = number.to_bytes(4)
        entries = kept = 0
        with self._env.begin() as txn:
            adopted = _read_lists(txn, self._tables, domain).adopted
            today = adopted.number.to_bytes(4) if adopted else b""
            for _, raw in _walk(txn, self._tables.listed, domain, ""):
                if raw[4:] == mine:
                    entries += 1
                    kept += raw[:4] == today
        return entries, kept

    async def _drop_others(self, domain: str, number: int) -> None:
        """What is not in the adopted list goes; what is, is written as such. A list that begins meanwhile keeps its entries."""
        after: str | None = ""
        while after is not None:

            def command(work: Transaction, after: str = after) -> str | None:
                adopted = _read_lists(work.txn, work.tables, domain).adopted
                if adopted is None or adopted.number != number:
                    return None  # and whoever adopted another one does this for it
                last = None
                todo = []
                for count, (local, raw) in enumerate(_walk(work.txn, work.tables.listed, domain, after)):
                    if count >= SWEEP:
                        break
                    last = local
                    todo.append((_key(domain, local), raw))
                else:
                    last = None
                for key, raw in todo:
                    _rewrite(work, key, raw, number)
                return last

            after = await self._writer.do(command)

    # For people

    def page(self, domain: str, after: str, limit: int) -> tuple[Entry, ...]:
        """See `ports.Roll`."""
        found: dict[str, Entry] = {}
        with self._env.begin() as txn:
            adopted = _read_lists(txn, self._tables, domain).adopted
            for number, (local, raw) in enumerate(_walk(txn, self._tables.recipient, domain, after)):
                if number >= limit:
                    break
                found[local] = Entry(local, _learned(raw), listed=False)
            today = (local for local, raw in _walk(txn, self._tables.listed, domain, after) if _is_of(raw, adopted))
            for local in islice(today, limit):
                old = found.get(local)
                found[local] = Entry(local, old.learned if old else None, listed=True)
        return tuple(found[local] for local in sorted(found, key=str.encode)[:limit])

    # How often an answer was there

    async def count(self, domain: str, day: int, asked: int, answered: int) -> None:
        """See `ports.Roll`."""

        def command(work: Transaction) -> None:
            key = _meta(domain, f"day{day:08}")
            raw = work.txn.get(key, db=work.tables.roll)
            before = msgspec.msgpack.decode(raw) if raw else [0, 0]
            work.txn.put(key, _encode((before[0] + asked, before[1] + answered)), db=work.tables.roll)
            for old in _days(work.txn, work.tables, domain, 0, day - 60):
                work.txn.delete(_meta(domain, f"day{old[0]:08}"), db=work.tables.roll)

        await self._writer.do(command)

    def counts(self, domain: str, since: int) -> tuple[int, int]:
        """See `ports.Roll`."""
        with self._env.begin() as txn:
            days = _days(txn, self._tables, domain, since, 99_999_999)
        return sum(day[1] for day in days), sum(day[2] for day in days)

    async def count_return(self, domain: str, network: str, times: int) -> None:
        """See `ports.Roll`."""

        def command(work: Transaction) -> None:
            returns = _read_returns(work.txn, work.tables, domain)
            if network in returns or len(returns) < MOST_NETWORKS:
                returns[network] = returns.get(network, 0) + times
                work.txn.put(_meta(domain, "returns"), _encode(returns), db=work.tables.roll)

        await self._writer.do(command)

    def returns(self, domain: str) -> Mapping[str, int]:
        """See `ports.Roll`."""
        with self._env.begin() as txn:
            return _read_returns(txn, self._tables, domain)

    # The primary's clock

    def clock(self, domain: str) -> int:
        """See `ports.Roll`."""
        with self._env.begin() as txn:
            return _number(txn.get(_meta(domain, "clock"), db=self._tables.roll))

    async def set_clocks(self, clocks: Mapping[str, int]) -> None:
        """See `ports.Roll`."""

        def command(work: Transaction) -> None:
            for domain, seconds in clocks.items():
                work.txn.put(_meta(domain, "clock"), _encode(seconds), db=work.tables.roll)

        await self._writer.do(command)


def _meta(domain: str, what: str) -> bytes:
    return f"{domain}\0{what}".encode()


def _number(raw: bytes | memoryview | None) -> int:
    return int(msgspec.msgpack.decode(raw)) if raw else 0


def _read_returns(txn: lmdb.Transaction, tables: Tables, domain: str) -> dict[str, int]:
    raw = txn.get(_meta(domain, "returns"), db=tables.roll)
    return msgspec.msgpack.decode(raw, type=dict[str, int]) if raw else {}


def _known(what: Learned | None) -> int:
    return int(what is not None and what.word is Word.KNOWN)


def _count_known(work: Transaction, domain: str, change: int) -> None:
    if change:
        key = _meta(domain, "known")
        work.txn.put(key, _encode(_number(work.txn.get(key, db=work.tables.roll)) + change), db=work.tables.roll)


def _read_lists(txn: lmdb.Transaction, tables: Tables, domain: str) -> Lists:
    raw = txn.get(_meta(domain, "lists"), db=tables.roll)
    return _lists(raw) if raw else Lists()


def _is_of(entry: bytes, adopted: Adopted | None) -> bool:
    """An entry names two lists: today's, and the one that it came with last."""
    return adopted is not None and adopted.number.to_bytes(4) in (entry[:4], entry[4:])


def _rewrite(work: Transaction, key: bytes, raw: bytes, number: int) -> None:
    """An entry, now that this list is today's: its own half stands first, and a newer list's behind it."""
    mine, newest = number.to_bytes(4), raw[4:]
    if mine not in (raw[:4], newest):
        if int.from_bytes(newest) <= number:
            work.txn.delete(key, db=work.tables.listed)
    elif raw[:4] != mine:
        work.txn.put(key, mine + newest, db=work.tables.listed)


def _write_lists(work: Transaction, domain: str, lists: Lists) -> None:
    work.txn.put(_meta(domain, "lists"), _encode(lists), db=work.tables.roll)


def _walk(txn: lmdb.Transaction, table: "lmdb._Database", domain: str, after: str) -> Iterator[tuple[str, bytes]]:
    """Local parts behind one, in the order of their octets, with what is kept of them."""
    prefix = _key(domain, "")
    with txn.cursor(table) as cursor:
        there = cursor.set_range(prefix + after.encode())
        while there:
            key = bytes(cursor.key())
            if not key.startswith(prefix):
                return
            local = key[len(prefix) :].decode()
            if not after or local != after:
                yield local, bytes(cursor.value())
            there = cursor.next()


def _days(txn: lmdb.Transaction, tables: Tables, domain: str, first: int, last: int) -> list[tuple[int, int, int]]:
    prefix = _meta(domain, "day")
    found = []
    with txn.cursor(tables.roll) as cursor:
        there = cursor.set_range(_meta(domain, f"day{first:08}"))
        while there and bytes(cursor.key()).startswith(prefix):
            day = int(bytes(cursor.key())[len(prefix) :])
            if day > last:
                break
            asked, answered = msgspec.msgpack.decode(cursor.value())
            found.append((day, asked, answered))
            there = cursor.next()
    return found
