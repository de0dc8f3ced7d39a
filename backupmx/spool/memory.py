"""The in-memory fake: the same promises as the LMDB store, but that of surviving a crash.

Knows: the same steps between states.
Does not know: disks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace
from xxhash import xxh3_128

from backupmx.core import books, events, ids, subject
from backupmx.core.books import Line
from backupmx.core.events import AnyEvent, Bounced, Damaged, Held, Released, Removed
from backupmx.core.ids import MessageId
from backupmx.core.message import Envelope, Lease, Message, Notice, Schedule, State
from backupmx.core.outcome import Outcome
from backupmx.core.queue import Census, Count, Filter, Page, SpoolStats
from backupmx.errors import MessageDamaged, SpoolFull
from backupmx.spool import keys, states
from backupmx.spool.memory_books import MemoryBooks
from backupmx.spool.memory_roll import MemoryRoll
from backupmx.spool.memory_track import MemoryTrack
from backupmx.spool.transaction import CHUNK


class MemoryIntake:
    """Invisible until `commit` returns."""

    def __init__(self, spool: "MemorySpool", id: MessageId) -> None:
        self.id = id
        self._spool = spool
        self._parts: list[bytes] = []

    async def write(self, chunk: bytes) -> None:
        """See `ports.Intake`."""
        self._parts.append(chunk)
        if sum(map(len, self._parts)) > self._spool.room():
            raise SpoolFull("no room in the spool")

    async def commit(self, envelope: Envelope, arrived: datetime, subject: str = "") -> None:
        """See `ports.Intake`."""
        content = b"".join(self._parts)
        if len(content) > self._spool.room():
            raise SpoolFull("no room in the spool")
        self._spool.accept(self.id, arrived, content, envelope, subject)

    async def abandon(self) -> None:
        """See `ports.Intake`."""
        self._parts = []


class MemorySpool:
    """Holds mail until the process ends; see `ports.Spool`."""

    def __init__(self, capacity: int = 2**40) -> None:
        self.messages: dict[MessageId, Message] = {}
        self.contents: dict[MessageId, bytes] = {}
        self.capacity = capacity
        self.roll = MemoryRoll()
        self.track = MemoryTrack(self.messages)
        self._warned: dict[str, MessageId] = {}
        self._books = MemoryBooks()

    def room(self) -> int:
        """See `ports.Spool`."""
        return max(0, self.capacity - sum(map(len, self.contents.values())))

    def intake(self, id: MessageId) -> MemoryIntake:
        """See `ports.Spool`."""
        return MemoryIntake(self, id)

    def accept(self, id: MessageId, arrived: datetime, content: bytes, envelope: Envelope, about: str) -> None:
        """A message comes in."""
        message = Message(
            id=id,
            arrived=arrived,
            size=len(content),
            chunks=-(-len(content) // CHUNK),
            digest=xxh3_128(content).digest(),
            envelope=envelope,
            schedule={recipient.domain: Schedule(due=arrived) for recipient in envelope.recipients},
            subject=about,
        )
        self.contents[id] = content
        self.messages[id] = message
        self._books.enter(message)

    def _put(self, id: MessageId, new: Message, events: Sequence[AnyEvent] = ()) -> None:
        old = self.messages[id]
        self._books.shift(old, books.places(new))
        if events:
            self.track.add(old, events, gone=new.finished)
        if new.finished:
            del self.messages[id], self.contents[id]
        else:
            self.messages[id] = new

    def _take(self, notices: Sequence[Notice], now: datetime) -> None:
        for notice in notices:
            self.accept(notice.id, now, notice.content, notice.envelope, subject.found(notice.content))

    def _dues(self, domain: str) -> list[tuple[datetime, MessageId]]:
        return sorted(
            (message.schedule[domain].due, id)
            for id, message in self.messages.items()
            if domain in message.schedule and not message.hold and not message.damage
        )

    async def lease(self, domain: str, owner: str, now: datetime, until: datetime, limit: int) -> tuple[Lease, ...]:
        """See `ports.Spool`."""
        leases = []
        for due, id in self._dues(domain)[:limit]:
            if due <= now:
                new = states.leased(self.messages[id], domain, owner, until)
                self._put(id, new)
                leases.append(Lease(new, domain, new.pending(domain), owner, until))
        return tuple(leases)

    async def settle(
        self, lease: Lease, outcomes: Mapping[str, Outcome], now: datetime, due: datetime, notices: Sequence[Notice] = ()
    ) -> Sequence[Notice]:
        """See `ports.Spool`."""
        old = self.messages.get(lease.message.id)
        if old is None:
            return ()
        told, true = states.returned(old, notices)
        new = states.settled(old, lease, outcomes, now, due, told)
        self._put(old.id, new, [*events.tried(old, outcomes, now), *events.told(old, true, now)])
        self._take(true, now)
        return true

    async def set_aside(self, id: MessageId, damage: str, now: datetime) -> None:
        """See `ports.Spool`."""
        self._change([id], lambda message: replace(message, damage=damage), Damaged(now, events.cut(damage)))

    def content(self, id: MessageId) -> Iterator[bytes]:
        """See `ports.Spool`."""
        message = self.messages.get(id)
        if message is None:
            raise MessageDamaged(f"{id}: no such message")
        content = self.contents[id]
        if xxh3_128(content).digest() != message.digest:
            raise MessageDamaged(f"{id}: the content does not match its digest")
        yield content

    def next_due(self, domain: str) -> datetime | None:
        """See `ports.Spool`."""
        return next((due for due, _ in self._dues(domain)), None)

    def last_due(self, domain: str) -> datetime | None:
        """See `ports.Spool`."""
        return max((due for due, _ in self._dues(domain)), default=None)

    def late(self, domain: str, upto: datetime, now: datetime, limit: int) -> tuple[Message, ...]:
        """See `ports.Spool`."""
        return tuple(message for _, message in sorted(self.messages.items()) if states.late(message, domain, upto, now))[:limit]

    async def expire(
        self, domain: str, late: Mapping[MessageId, Sequence[Notice]], upto: datetime, now: datetime
    ) -> Mapping[MessageId, Sequence[Notice]]:
        """See `ports.Spool`."""
        done = {}
        for id, notices in late.items():
            old = self.messages.get(id)
            if old is None or not states.late(old, domain, upto, now):
                continue
            told, true = states.returned(old, notices)
            self._put(
                id, states.expired(old, domain, now, told), [*events.expired(old, domain, now), *events.told(old, true, now)]
            )
            self._take(true, now)
            done[id] = true
        return done

    def unwarned(self, domain: str, before: datetime, limit: int) -> tuple[Message, ...]:
        """See `ports.Spool`."""
        last = self._warned.get(domain, "")
        return tuple(
            message
            for id, message in sorted(self.messages.items())
            if id > last and message.arrived < before and domain in message.schedule and not (message.hold or message.damage)
        )[:limit]

    async def warn(self, domain: str, upto: MessageId, notices: Mapping[MessageId, Notice], now: datetime) -> None:
        """See `ports.Spool`."""
        for id, notice in notices.items():
            old = self.messages.get(id)
            if old is not None:
                self._put(id, old, events.told(old, (notice,), now))
                self._take((notice,), now)
        self._warned[domain] = upto

    async def bounce(self, notice: Notice, id: MessageId, by: str, why: str, now: datetime) -> bool:
        """See `ports.Spool`."""
        old = self.messages.get(id)
        new = states.bounced(old, notice, why, now) if old is not None else None
        if old is None or new is None:
            return False
        event = Bounced(now, events.cut(by), events.cut(why))
        self._put(id, new, (event, *events.told(old, (notice,), now)))
        self._take((notice,), now)
        return True

    def books(self, since: int) -> Mapping[str, Mapping[int, Line]]:
        """See `ports.Spool`."""
        return self._books.since(since)

    async def reclaim(self, owner: str, now: datetime) -> int:
        """See `ports.Spool`."""
        found = [
            (id, domain)
            for id, message in self.messages.items()
            if not message.hold and not message.damage
            for domain, entry in message.schedule.items()
            if entry.owner == owner
        ]
        for id, domain in found:
            self._put(id, states.reclaimed(self.messages[id], domain, now))
        return len(found)

    async def hold(self, ids_: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        event = Held(now, events.cut(by), events.cut(why))
        return self._change(ids_, lambda message: states.held(message, by, why, now), event)

    async def release(self, ids_: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        event = Released(now, events.cut(by), events.cut(why))
        return self._change(ids_, lambda message: states.released(message, now), event)

    async def hurry(self, domain: str, after: datetime, now: datetime, limit: int) -> int:
        """See `ports.Spool`."""
        later = [id for due, id in self._dues(domain) if due > after and not self.messages[id].schedule[domain].owner][:limit]
        for id in later:
            if (new := states.hurried(self.messages[id], now, domain)) is not None:
                self._put(id, new)
        return len(later)

    async def retry(self, ids_: Sequence[MessageId], now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        return self._change(ids_, lambda message: states.hurried(message, now))

    async def remove(self, ids_: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        found = tuple(id for id in dict.fromkeys(ids_) if id in self.messages)
        for id in found:
            old = self.messages[id]
            self._books.shift(old, books.removed(old))
            self.track.add(old, (Removed(now, events.cut(by), events.cut(why)),), gone=True)
            del self.messages[id], self.contents[id]
        return found

    def _change(
        self, ids_: Sequence[MessageId], step: Callable[[Message], Message | None], event: AnyEvent | None = None
    ) -> tuple[MessageId, ...]:
        changed = []
        for id in ids_:
            old = self.messages.get(id)
            new = step(old) if old else None
            if new is not None:
                self._put(id, new, () if event is None else (event,))
                changed.append(id)
        return tuple(changed)

    def census(self) -> Census:
        """See `ports.Spool`."""
        total: dict[State, Count] = {}
        domains: dict[str, dict[State, Count]] = {}
        for _, message in sorted(self.messages.items()):
            places = [(total, None)] + [(domains.setdefault(name, {}), name) for name in keys.domains(message)]
            for counts, name in places:
                state = keys.BY_LETTER[keys.STATES[message.state(name)]]
                old = counts.get(state, Count(0, 0, message.arrived))
                counts[state] = Count(old.messages + 1, old.bytes + message.size, old.oldest)
        return Census(total, domains)

    def get(self, id: MessageId) -> Message | None:
        """See `ports.Spool`."""
        return self.messages.get(id)

    def page(self, wanted: Filter, after: MessageId | None = None, limit: int = 50) -> Page:
        """See `ports.Spool`."""
        found = [
            message
            for id, message in sorted(self.messages.items(), reverse=True)
            if (after is None or id < after) and states.matches(wanted, message)
        ]
        more = len(found) > limit
        return Page(tuple(found[:limit]), found[limit - 1].id if more else None)

    def matching(self, prefix: str, limit: int = 2) -> tuple[MessageId, ...]:
        """See `ports.Spool`."""
        ids.abbreviation_range(prefix)
        return tuple(id for id in sorted(self.messages) if id.startswith(prefix.upper()))[:limit]

    def stats(self) -> SpoolStats:
        """See `ports.Spool`."""
        used = self.capacity - self.room()
        return SpoolStats(0, self.capacity, used, used, self.room(), 0, self.room(), 0)
