"""What happens to messages, as their track has it.

Knows: the kinds of events, and how an attempt, the end of a window or a notification makes some.
Does not know: where they are kept, and what is asked about them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from backupmx.core.ids import MessageId
from backupmx.core.message import Kind, Message, Notice
from backupmx.core.outcome import Deferred, Delivered, Failed, Outcome

CUT = 200
"""Characters of a reply, or of an admin's reason."""


class Result(StrEnum):
    """What became of recipients in one attempt."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"
    RELAYED = "relayed"
    """The primary took it while its sender was still there."""


_RESULTS = {Delivered: Result.DELIVERED, Deferred: Result.DEFERRED, Failed: Result.FAILED}


class Event(Struct, frozen=True, array_like=True, tag_field="what"):
    """Something that happened to a message."""

    at: datetime


class Tried(Event, frozen=True, array_like=True, tag="tried"):
    """Recipients for which an attempt ended in the same way."""

    result: Result
    whom: tuple[int, ...]
    """By their places in the envelope."""
    reply: str
    """The primary's words, or our own trouble; untrusted, and cut short."""
    host: str
    """Who said it; empty when nobody was asked."""
    tls: str | None
    times: int = 1
    """How often the same came of it; `at` is the last time."""
    since: datetime | None = None
    """The first time, when it was more than once."""


class Expired(Event, frozen=True, array_like=True, tag="expired"):
    """The holding window was over for these recipients."""

    whom: tuple[int, ...]


class Told(Event, frozen=True, array_like=True, tag="told"):
    """The sender was written to."""

    kind: Kind
    whom: tuple[int, ...]
    """The recipients of whom the notification tells."""
    notice: MessageId
    """The notification, a message of its own."""


class Bounced(Event, frozen=True, array_like=True, tag="bounced"):
    """An admin sent it back."""

    by: str
    why: str


class Held(Event, frozen=True, array_like=True, tag="held"):
    """An admin stopped attempts."""

    by: str
    why: str


class Released(Event, frozen=True, array_like=True, tag="released"):
    """An admin let it go on."""

    by: str
    why: str


class Removed(Event, frozen=True, array_like=True, tag="removed"):
    """An admin deleted it."""

    by: str
    why: str


class Damaged(Event, frozen=True, array_like=True, tag="damaged"):
    """Its content did not match its digest."""

    why: str


AnyEvent = Tried | Expired | Told | Bounced | Held | Released | Removed | Damaged


def cut(text: str) -> str:
    """As much of a text as is kept."""
    return text if len(text) <= CUT else f"{text[: CUT - 1]}…"


def tried(message: Message, outcomes: Mapping[str, Outcome], now: datetime) -> Sequence[Tried]:
    """An attempt: one event for all recipients that fared alike."""
    if len(outcomes) == 1:
        # most have one recipient, and are delivered at once
        ((address, outcome),) = outcomes.items()
        for place, recipient in enumerate(message.envelope.recipients):
            if recipient.address == address:
                return (Tried(now, _RESULTS[type(outcome)], (place,), cut(str(outcome.reply)), outcome.host, outcome.tls),)
        return ()
    places = _places(message)
    alike: dict[tuple[Result, str, str, str | None], list[int]] = {}
    for address, outcome in outcomes.items():
        if address in places:
            key = (_RESULTS[type(outcome)], cut(str(outcome.reply)), outcome.host, outcome.tls)
            alike.setdefault(key, []).append(places[address])
    return [Tried(now, key[0], tuple(whom), *key[1:]) for key, whom in alike.items()]


def expired(message: Message, domain: str, now: datetime) -> Sequence[Expired]:
    """The end of the holding window for what is pending in a domain."""
    places = _places(message)
    return [Expired(now, tuple(places[address] for address in message.pending(domain)))]


def told(message: Message, notices: Sequence[Notice], now: datetime) -> Sequence[Told]:
    """What the sender is told."""
    places = _places(message) if notices else {}
    return [
        Told(now, notice.kind, tuple(places[address] for address in notice.about if address in places), notice.id)
        for notice in notices
    ]


def _places(message: Message) -> Mapping[str, int]:
    places: dict[str, int] = {}
    for place, recipient in enumerate(message.envelope.recipients):
        places.setdefault(recipient.address, place)
    return places
