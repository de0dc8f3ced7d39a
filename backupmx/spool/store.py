"""The LMDB store: what `ports.Spool` promises, on one environment.

Knows: databases, cursors, the writer thread.
Does not know: the clock, SMTP, what an outcome means.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from backupmx.core import events, ids
from backupmx.core.events import AnyEvent, Bounced, Damaged, Held, Released, Removed
from backupmx.core.ids import MessageId
from backupmx.core.message import Lease, Message, Notice
from backupmx.core.outcome import Outcome
from backupmx.spool import keys, layout, states
from backupmx.spool.fallow import Fallow
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
        self._fallow = Fallow(self._env, self._writer)

    def close(self) -> None:
        """Finish what was asked; nothing works afterwards."""
        self._writer.close()
        self._fallow.end()
        self._env.close()

    async def tend(self) -> None:
        """Every second, in one process of an instance: keep what is written in one piece, as long as there is room for it."""
        try:
            used = self._used()
            await self._fallow.tend(used, self._free(used), self._measure())
        except BaseException:
            self._fallow.end()
            raise

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

    async def settle(
        self, lease: Lease, outcomes: Mapping[str, Outcome], now: datetime, due: datetime, notices: Sequence[Notice] = ()
    ) -> Sequence[Notice]:
        """See `ports.Spool`."""
        id = ids.decode(lease.message.id)

        def command(work: Transaction) -> Sequence[Notice]:
            old = work.get(id)
            if old is None:
                return ()
            told, true = states.returned(old, notices)
            new = states.settled(old, lease, outcomes, now, due, told)
            work.move(id, old, new, [*events.tried(old, outcomes, now), *events.told(old, true, now)])
            work.accept_notices(true, now)
            return true

        return await self._writer.do(command)

    async def set_aside(self, id: MessageId, damage: str, now: datetime) -> None:
        """See `ports.Spool`."""
        event = Damaged(now, events.cut(damage))
        await self._change([id], lambda message: replace(message, damage=damage), event)

    async def expire(
        self, domain: str, late: Mapping[MessageId, Sequence[Notice]], upto: datetime, now: datetime
    ) -> Mapping[MessageId, Sequence[Notice]]:
        """See `ports.Spool`."""

        def command(work: Transaction) -> Mapping[MessageId, Sequence[Notice]]:
            done = {}
            for id, notices in late.items():
                raw = ids.decode(id)
                old = work.get(raw)
                if old is None or not states.late(old, domain, upto, now):
                    continue
                told, true = states.returned(old, notices)
                new = states.expired(old, domain, now, told)
                work.move(raw, old, new, [*events.expired(old, domain, now), *events.told(old, true, now)])
                work.accept_notices(true, now)
                done[id] = true
            return done

        return await self._writer.do(command)

    async def warn(self, domain: str, upto: MessageId, notices: Mapping[MessageId, Notice], now: datetime) -> None:
        """See `ports.Spool`."""

        def command(work: Transaction) -> None:
            for id, notice in notices.items():
                raw = ids.decode(id)
                old = work.get(raw)
                if old is not None:
                    work.move(raw, old, old, events.told(old, (notice,), now))
                    work.accept_notices((notice,), now)
            work.txn.put(keys.warned(domain), ids.decode(upto), db=work.tables.meta)

        await self._writer.do(command)

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

    async def hurry(self, domain: str, after: datetime, now: datetime, limit: int) -> int:
        """See `ports.Spool`."""

        def command(work: Transaction) -> int:
            found = _later_ids(work, domain, after, limit)
            for id in found:
                old = work.get(id)
                assert old is not None
                if (new := states.hurried(old, now, domain)) is not None:
                    work.move(id, old, new)
            return len(found)

        return await self._writer.do(command)

    # An admin's wishes

    async def hold(self, ids_: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        event = Held(now, events.cut(by), events.cut(why))
        return await self._change(ids_, lambda message: states.held(message, by, why, now), event)

    async def release(self, ids_: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        event = Released(now, events.cut(by), events.cut(why))
        return await self._change(ids_, lambda message: states.released(message, now), event)

    async def retry(self, ids_: Sequence[MessageId], now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        return await self._change(ids_, lambda message: states.hurried(message, now))

    async def remove(self, ids_: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        event = Removed(now, events.cut(by), events.cut(why))

        def command(work: Transaction) -> tuple[MessageId, ...]:
            removed = []
            for id in ids_:
                raw = ids.decode(id)
                old = work.get(raw)
                if old is not None:
                    work.remove(raw, old, event)
                    removed.append(id)
            return tuple(removed)

        return await self._writer.do(command)

    async def bounce(self, notice: Notice, id: MessageId, by: str, why: str, now: datetime) -> bool:
        """See `ports.Spool`."""
        raw, event = ids.decode(id), Bounced(now, events.cut(by), events.cut(why))

        def command(work: Transaction) -> bool:
            old = work.get(raw)
            new = states.bounced(old, notice, why, now) if old is not None else None
            if old is None or new is None:
                return False
            work.move(raw, old, new, (event, *events.told(old, (notice,), now)))
            work.accept_notices((notice,), now)
            return True

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
                if old is not None and new is not None:
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


def _later_ids(work: Transaction, domain: str, after: datetime, limit: int) -> list[bytes]:
    """Due later, and leased by nobody: of those the due key is the end of the lease."""
    prefix = domain.encode() + b"\0"
    found: list[bytes] = []
    with work.txn.cursor(work.tables.due) as cursor:
        there = cursor.set_range(keys.due(domain, after, keys.LAST))
        while there and len(found) < limit and key_of(cursor).startswith(prefix):
            if not cursor.value():
                found.append(key_of(cursor)[-keys.ID :])
            there = cursor.next()
    return found
