"""The LMDB store: what `ports.Spool` promises, on one environment.

Knows: databases, cursors, the writer thread.
Does not know: the clock, SMTP, what an outcome means.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from backupmx.core import ids, track
from backupmx.core.ids import MessageId
from backupmx.core.message import Lease, Message
from backupmx.core.outcome import Outcome
from backupmx.core.track import AnyEvent, Damaged, Held, Released, Removed
from backupmx.spool import keys, layout, states
from backupmx.spool.intake import LmdbIntake
from backupmx.spool.roll import LmdbRoll
from backupmx.spool.track import LmdbTrack
from backupmx.spool.transaction import Transaction
from backupmx.spool.view import View, key_of
from backupmx.spool.writer import Writer


class LmdbSpool(View):
    """Holds mail in LMDB; one for each process, opened after the fork."""

    def __init__(
        self,
        path: Path,
        *,
        owner: str,
        reserve: int,
        map_size: int | None = None,
        on_commit: Callable[[float], None] | None = None,
    ) -> None:
        super().__init__(path, layout.open_environment(path, map_size), reserve)
        self._owner = owner
        self._writer = Writer(self._env, self._tables, on_commit)
        self.roll = LmdbRoll(self._env, self._tables, self._writer)
        """What is known of recipients."""
        self.track = LmdbTrack(self._env, self._tables, self._writer)
        """What became of messages."""

    def close(self) -> None:
        """Finish what was asked; nothing works afterwards."""
        self._writer.close()
        self._env.close()

    # What comes in

    def intake(self, id: MessageId) -> LmdbIntake:
        """See `ports.Spool`."""
        return LmdbIntake(id, self._writer, self.room, self._owner)

    def sweep(self, owner: str | None = None) -> int:
        """Remove what never got its `250`, of one owner or of all; before any intake begins. Returns how many messages."""
        with self._env.begin(write=True) as txn:
            work = Transaction(txn, self._tables)
            with txn.cursor(self._tables.unfinished) as cursor:
                found = [bytes(id) for id, who in cursor if owner is None or who == owner.encode()]
            for id in found:
                txn.delete(id, db=self._tables.unfinished)
                work.drop_chunks(id)
            work.finish()
        return len(found)

    @property
    def broken(self) -> str | None:
        """Why this environment can no longer be used, or None: the process must end, and be started anew."""
        return self._writer.broken

    # What goes out

    async def lease(self, domain: str, owner: str, now: datetime, until: datetime, limit: int) -> tuple[Lease, ...]:
        """See `ports.Spool`."""
        if (first := self.next_due(domain)) is None or first > now:
            return ()

        def command(work: Transaction) -> tuple[Lease, ...]:
            leases = []
            for id in _due_ids(work, domain, now, limit):
                old = work.get(id)
                assert old is not None
                new = states.leased(old, domain, owner, until)
                work.move(id, old, new)
                leases.append(Lease(new, domain, new.pending(domain), owner, until))
            return tuple(leases)

        return await self._writer.do(command)

    async def settle(self, lease: Lease, outcomes: Mapping[str, Outcome], now: datetime, due: datetime) -> None:
        """See `ports.Spool`."""
        id = ids.decode(lease.message.id)

        def command(work: Transaction) -> None:
            old = work.get(id)
            if old is not None:
                new = states.settled(old, lease.domain, outcomes, now, due)
                work.move(id, old, new, track.tried(old, outcomes, now))

        await self._writer.do(command)

    async def set_aside(self, id: MessageId, damage: str, now: datetime) -> None:
        """See `ports.Spool`."""
        event = Damaged(now, track.cut(damage))
        await self._change([id], lambda message: replace(message, damage=damage), event)

    async def expire(self, domain: str, before: datetime, now: datetime, limit: int) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        prefix = keys.lane(b"w", domain)

        def command(work: Transaction) -> tuple[MessageId, ...]:
            late = []
            for id in _lane_ids(work, prefix, limit):
                old = work.get(id)
                assert old is not None
                if old.arrived >= before:
                    break
                work.move(id, old, states.expired(old, domain, now), track.expired(old, domain, now))
                late.append(old.id)
            return tuple(late)

        return await self._writer.do(command)

    async def reclaim(self, owner: str, now: datetime) -> int:
        """See `ports.Spool`."""
        prefix = owner.encode() + b"\0"

        def command(work: Transaction) -> int:
            with work.txn.cursor(work.tables.lease) as cursor:
                found = []
                if cursor.set_range(prefix):
                    for key in cursor.iternext(values=False):
                        if not bytes(key).startswith(prefix):
                            break
                        found.append(bytes(key))
            for key in found:
                domain = key[len(prefix) : -keys.ID - 1].decode()
                old = work.get(key[-keys.ID :])
                assert old is not None
                work.move(key[-keys.ID :], old, states.reclaimed(old, domain, now))
            return len(found)

        return await self._writer.do(command)

    async def hurry(self, domain: str, now: datetime, limit: int) -> int:
        """See `ports.Spool`."""

        def command(work: Transaction) -> int:
            found = _later_ids(work, domain, now, limit)
            for id in found:
                old = work.get(id)
                assert old is not None
                work.move(id, old, states.hurried(old, now, domain))
            return len(found)

        return await self._writer.do(command)

    # An admin's wishes

    async def hold(self, ids_: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        event = Held(now, track.cut(by), track.cut(why))
        return await self._change(ids_, lambda message: states.held(message, by, why, now), event)

    async def release(self, ids_: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        event = Released(now, track.cut(by), track.cut(why))
        return await self._change(ids_, lambda message: states.released(message, now), event)

    async def retry(self, ids_: Sequence[MessageId], now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        return await self._change(ids_, lambda message: states.hurried(message, now))

    async def remove(self, ids_: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        event = Removed(now, track.cut(by), track.cut(why))

        def command(work: Transaction) -> tuple[MessageId, ...]:
            removed = []
            for id in ids_:
                raw = ids.decode(id)
                old = work.get(raw)
                if old is not None:
                    work.move(raw, old, None, (event,))
                    removed.append(id)
            return tuple(removed)

        return await self._writer.do(command)

    async def _change(
        self, ids_: Sequence[MessageId], step: Callable[[Message], Message | None], event: AnyEvent | None = None
    ) -> tuple[MessageId, ...]:
        events = () if event is None else (event,)

        def command(work: Transaction) -> tuple[MessageId, ...]:
            changed = []
            for id in ids_:
                raw = ids.decode(id)
                old = work.get(raw)
                new = step(old) if old is not None else None
                if new is not None:
                    work.move(raw, old, new, events)
                    changed.append(id)
            return tuple(changed)

        return await self._writer.do(command)


def _due_ids(work: Transaction, domain: str, now: datetime, limit: int) -> list[bytes]:
    prefix = domain.encode() + b"\0"
    until = keys.due(domain, now, keys.LAST)
    found: list[bytes] = []
    with work.txn.cursor(work.tables.due) as cursor:
        there = cursor.set_range(prefix)
        while there and len(found) < limit and key_of(cursor) <= until and key_of(cursor).startswith(prefix):
            found.append(key_of(cursor)[-keys.ID :])
            there = cursor.next()
    return found


def _later_ids(work: Transaction, domain: str, now: datetime, limit: int) -> list[bytes]:
    """Due after `now`, and leased by nobody: of those the due key is the end of the lease."""
    prefix = domain.encode() + b"\0"
    found: list[bytes] = []
    with work.txn.cursor(work.tables.due) as cursor:
        there = cursor.set_range(keys.due(domain, now, keys.LAST))
        while there and len(found) < limit and key_of(cursor).startswith(prefix):
            if not cursor.value():
                found.append(key_of(cursor)[-keys.ID :])
            there = cursor.next()
    return found


def _lane_ids(work: Transaction, prefix: bytes, limit: int) -> list[bytes]:
    """Oldest first."""
    found: list[bytes] = []
    with work.txn.cursor(work.tables.lane) as cursor:
        there = cursor.set_range(prefix)
        while there and len(found) < limit and key_of(cursor).startswith(prefix):
            found.append(key_of(cursor)[-keys.ID :])
            there = cursor.next()
    return found
