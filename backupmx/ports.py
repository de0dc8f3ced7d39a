"""The protocols between rooms. No third-party name stands here.

Knows: what a spool can be asked to do.
Does not know: any implementation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from backupmx.core.ids import MessageId
from backupmx.core.message import Envelope, Lease, Message
from backupmx.core.outcome import Outcome
from backupmx.core.queue import Census, Filter, Page, SpoolStats

Clock = Callable[[], datetime]
"""The time now, aware, in UTC; injected, so that tests need not sleep."""


class Intake(Protocol):
    """One message coming in; invisible until `commit` returns."""

    async def write(self, chunk: bytes) -> None:
        """Take the next octets of content, of any length; waits when the store is behind. Raises SpoolFull, SpoolUnusable."""

    async def commit(self, envelope: Envelope, arrived: datetime) -> None:
        """Return once content, envelope, due keys and counters are durable (I1). Raises SpoolFull, SpoolUnusable.

        Once begun it finishes, also when the caller is cancelled.
        """

    async def abandon(self) -> None:
        """Forget what came in; harmless after `commit`."""


class Spool(Protocol):
    """Holds mail: accept, lease, settle, and an admin's verbs. Each verb is one durable transaction."""

    def room(self) -> int:
        """Octets that may still be accepted; 0 means `452 4.3.1`. Cheap enough for each MAIL."""

    def intake(self, id: MessageId) -> Intake:
        """ACCEPT: begin to take a message."""

    async def lease(self, domain: str, owner: str, now: datetime, until: datetime, limit: int) -> tuple[Lease, ...]:
        """LEASE: lend up to `limit` messages of `domain` that are due at `now`, oldest due first, and count the attempt.

        A lapsed lease is due like any other message.
        """

    async def settle(self, lease: Lease, outcomes: Mapping[str, Outcome], now: datetime, due: datetime) -> None:
        """SETTLE: record one outcome for each recipient address; recipients without one stay pending.

        Delivered recipients are done, failed ones quarantined, deferred ones wait until `due`. A message whose recipients are all
        delivered is gone. One that is held keeps what was learned and stays held. One that was removed meanwhile stays gone.
        """

    async def set_aside(self, id: MessageId, damage: str) -> None:
        """Mark a message as damaged: no due key, only an admin moves it."""

    def content(self, id: MessageId) -> Iterator[bytes]:
        """The content in chunks. Raises MessageDamaged before the last chunk is handed out if anything does not match."""

    def next_due(self, domain: str) -> datetime | None:
        """The earliest due key of a domain."""

    async def expire(self, domain: str, before: datetime, now: datetime, limit: int) -> tuple[MessageId, ...]:
        """Quarantine the domain's pending recipients of up to `limit` unheld messages that arrived before `before`."""

    async def hurry(self, domain: str, now: datetime, limit: int) -> int:
        """Make due at once what waits for a later attempt, up to `limit` messages of a domain; returns how many."""

    async def reclaim(self, owner: str, now: datetime) -> int:
        """Make due at once what a dead courier of this name had leased; returns how many."""

    async def hold(self, ids: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """Stop attempts; returns the ids that changed. Quarantined and damaged messages cannot be held."""

    async def release(self, ids: Sequence[MessageId], now: datetime) -> tuple[MessageId, ...]:
        """Held, quarantined or damaged → waiting, due at once; quarantined recipients become pending again."""

    async def retry(self, ids: Sequence[MessageId], now: datetime) -> tuple[MessageId, ...]:
        """Make waiting messages due at once; leased ones are left to their courier."""

    async def remove(self, ids: Sequence[MessageId]) -> tuple[MessageId, ...]:
        """Delete; only an admin's wish leads here."""

    def census(self) -> Census:
        """All counts, at a cost that does not grow with the queue (I5)."""

    def get(self, id: MessageId) -> Message | None:
        """One message, or None."""

    def page(self, wanted: Filter, after: MessageId | None = None, limit: int = 50) -> Page:
        """Messages that match, newest first, older than `after`; stops early, with `after` set, rather than hold a long read."""

    def matching(self, prefix: str, limit: int = 2) -> tuple[MessageId, ...]:
        """Ids that begin with an abbreviation."""

    def stats(self) -> SpoolStats:
        """How full the store is."""
