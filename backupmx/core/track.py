"""What became of a message: the record of its life, and what can be asked about it.

Knows: how a life is told, how its record stays bounded, which lives are meant by a question.
Does not know: where records are kept, and what time it is.

While a message is in the spool its record holds events alone: all else is told by the message itself. A message to which nothing
has happened yet has no record, so that taking mail costs nothing more.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from backupmx.core.events import AnyEvent, Expired, Removed, Result, Told, Tried, cut
from backupmx.core.ids import MessageId
from backupmx.core.message import Client, Envelope, Kind, Message
from backupmx.core.outcome import Reply

KEPT = timedelta(days=30)
"""How long the record of a message is kept after its end."""
MOST = 50
"""Events of one record; beyond that only the latest word on each recipient is safe."""
NEWEST = 10
"""Events at the end that always stay."""


class Standing(StrEnum):
    """Where a message is: in one of the spool's states, or gone for one of three reasons."""

    WAITING = "waiting"
    LEASED = "leased"
    HELD = "held"
    QUARANTINED = "quarantined"
    DAMAGED = "damaged"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    RETURNED = "returned"
    """Its sender was told that somebody did not get it."""
    REMOVED = "removed"


class Gone(Struct, frozen=True, array_like=True):
    """What is still known of a message that is no longer in the spool. Not its subject: what people wrote about goes with it."""

    arrived: datetime
    ended: datetime
    size: int
    sender: str
    recipients: tuple[str, ...]
    client: Client


class Record(Struct, frozen=True, array_like=True):
    """What is kept of one message's life."""

    events: tuple[AnyEvent, ...] = ()
    dropped: int = 0
    """Events that were left out behind the first."""
    gone: Gone | None = None


NOTHING = Record()


class Passed(Struct, frozen=True):
    """A message that the primary took in the session: it was never in the spool."""

    id: MessageId
    arrived: datetime
    size: int
    envelope: Envelope
    reply: Reply
    host: str
    tls: str | None


class Life(Struct, frozen=True):
    """All that is known of what became of one message."""

    id: MessageId
    arrived: datetime
    size: int
    sender: str
    recipients: tuple[str, ...]
    client: Client
    standing: Standing
    events: tuple[AnyEvent, ...]
    dropped: int = 0
    """Events that were left out behind the first: only so many are kept."""
    ended: datetime | None = None
    """When it left the spool; None while it is there."""

    def returned(self) -> frozenset[int]:
        """The recipients of whom the sender was told that they will not get it."""
        return frozenset(place for event in self.events if _is_return(event) for place in event.whom)  # type: ignore[union-attr]

    def latest(self) -> Sequence[Tried | Expired | None]:
        """The last that happened to each recipient, in the envelope's order."""
        owner = _owners(self.events)
        return [self.events[owner[place]] if place in owner else None for place in range(len(self.recipients))]  # type: ignore[misc]


class Wanted(Struct, frozen=True):
    """Which lives are meant; every part that is set must match. Text is compared without case, whole or in part."""

    id: str | None = None
    """The beginning of an id."""
    sender: str | None = None
    recipient: str | None = None
    host: str | None = None
    """At either end: the client that handed it in (address or name), or a server that it was offered to."""
    since: datetime | None = None
    """Arrived at this moment or later."""
    until: datetime | None = None
    """Arrived before this moment."""


class Lives(Struct, frozen=True):
    """Some lives, newest arrival first, and where the next page begins."""

    lives: tuple[Life, ...]
    after: MessageId | None
    """Hand this back for the next page; None when there is no more. A page may be empty and not the last."""


# The record


def noted(record: Record, events: Sequence[AnyEvent]) -> Record:
    """A record with more events in it: a deferral in the same words as before is counted, and old ones make room for new ones."""
    if len(events) == 1 and not record.events:
        return Record((events[0],))
    kept = list(record.events)
    owner = _owners(kept)
    # what an admin did stands between: no deferral is counted across it
    barrier = max((place for place, event in enumerate(kept) if not isinstance(event, Tried)), default=-1)
    for event in events:
        if isinstance(event, Tried):
            place = _same(kept, owner, event)
            if place is not None and place > barrier:
                old = kept[place]
                assert isinstance(old, Tried)
                kept[place] = replace(event, times=old.times + 1, since=old.since or old.at)
                continue
            owner.update(dict.fromkeys(event.whom, len(kept)))
        else:
            barrier = len(kept)
        kept.append(event)
    left = _bounded(kept)
    return Record(tuple(left), record.dropped + len(kept) - len(left), record.gone)


def _is_return(event: AnyEvent) -> bool:
    return isinstance(event, Told) and event.kind is Kind.FAILED


def _owners(events: Iterable[AnyEvent]) -> dict[int, int]:
    """Which event is the last word on each recipient."""
    owner: dict[int, int] = {}
    for place, event in enumerate(events):
        if isinstance(event, Tried | Expired):
            for recipient in event.whom:
                owner[recipient] = place
    return owner


def _same(events: Sequence[AnyEvent], owner: Mapping[int, int], event: Tried) -> int | None:
    """The event that this one repeats: the last word on the same recipients was the same deferral."""
    place = owner.get(event.whom[0]) if event.whom else None
    if place is None or event.result is not Result.DEFERRED:
        return None
    old = events[place]
    if not isinstance(old, Tried) or replace(old, at=event.at, times=1, since=None) != event:
        return None
    return place if all(owner[recipient] == place for recipient in event.whom) else None


def _bounded(events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
    surplus = len(events) - MOST
    if surplus <= 0:
        return events
    returns = [place for place, event in enumerate(events) if _is_return(event)]
    safe = {0, *returns, *_owners(events).values(), *range(len(events) - NEWEST, len(events))}
    less = set([place for place in range(len(events)) if place not in safe][:surplus])
    return [event for place, event in enumerate(events) if place not in less]


def closed(record: Record, message: Message, now: datetime) -> Record:
    """The record of a message that leaves the spool."""
    envelope = message.envelope
    return replace(record, gone=_gone(envelope, message.arrived, now, message.size))


def passed(note: Passed) -> Record:
    """The record of a message that never was in the spool."""
    everybody = tuple(range(len(note.envelope.recipients)))
    event = Tried(note.arrived, Result.RELAYED, everybody, cut(str(note.reply)), note.host, note.tls)
    return Record((event,), 0, _gone(note.envelope, note.arrived, note.arrived, note.size))


def _gone(envelope: Envelope, arrived: datetime, ended: datetime, size: int) -> Gone:
    addresses = tuple(recipient.address for recipient in envelope.recipients)
    return Gone(arrived, ended, size, envelope.sender, addresses, envelope.client)


# Looking it up


def life(id: MessageId, message: Message | None, record: Record | None) -> Life | None:
    """What is known of a message, from what is in the spool of it and from its record."""
    events, dropped = (record.events, record.dropped) if record else ((), 0)
    if message is not None:
        addresses = tuple(recipient.address for recipient in message.envelope.recipients)
        sender, client = message.envelope.sender, message.envelope.client
        standing = Standing(message.state().value)
        return Life(id, message.arrived, message.size, sender, addresses, client, standing, events, dropped)
    if record is None or record.gone is None:
        return None
    gone = record.gone
    return Life(id, gone.arrived, gone.size, gone.sender, gone.recipients, gone.client, _end(events), events, dropped, gone.ended)


def _end(events: Sequence[AnyEvent]) -> Standing:
    last = events[-1] if events else None
    if isinstance(last, Removed):
        return Standing.REMOVED
    if any(map(_is_return, events)):
        return Standing.RETURNED
    return Standing.RELAYED if isinstance(last, Tried) and last.result is Result.RELAYED else Standing.DELIVERED


def matches(wanted: Wanted, life: Life) -> bool:
    """Whether a life is meant."""
    if wanted.id is not None and not life.id.startswith(wanted.id.upper()):
        return False
    if wanted.since is not None and life.arrived < wanted.since:
        return False
    if wanted.until is not None and life.arrived >= wanted.until:
        return False
    return (
        _holds(wanted.sender, (life.sender,))
        and _holds(wanted.recipient, life.recipients)
        and _holds(wanted.host, _hosts(life) if wanted.host is not None else ())
    )


def _hosts(life: Life) -> Iterable[str]:
    yield life.client.address
    yield life.client.helo
    yield from (event.host for event in life.events if isinstance(event, Tried))


def _holds(part: str | None, texts: Iterable[str]) -> bool:
    return part is None or any(part.lower() in text.lower() for text in texts)
