"""How the spool's keys are spelt, and which keys a message has.

Knows: the order that each database is read in.
Does not know: transactions, values.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.core.message import FINAL, Message, State

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STATES = {State.WAITING: b"w", State.LEASED: b"w", State.HELD: b"h", State.QUARANTINED: b"q", State.DAMAGED: b"x"}
"""Leased messages count and are listed as waiting: a lease may lapse without anybody writing it down."""
BY_LETTER = {b"w": State.WAITING, b"h": State.HELD, b"q": State.QUARANTINED, b"x": State.DAMAGED}
ID = 16
LAST = b"\xff" * ID
LAST_DAY = 2**32 - 1
"""That a line of the books can have."""


def milliseconds(moment: datetime) -> int:
    """Since 1970, rounded up: nothing is due before its time."""
    return -((EPOCH - moment) // timedelta(milliseconds=1))


def moment(milliseconds_: int) -> datetime:
    """The other way."""
    return EPOCH + timedelta(milliseconds=milliseconds_)


def due(domain: str, at: datetime, id: bytes) -> bytes:
    """By domain, then by time."""
    return b"%b\0%b%b" % (domain.encode(), milliseconds(at).to_bytes(8), id)


def due_at(domain: str, key: bytes) -> datetime:
    """When that is."""
    start = len(domain.encode()) + 1
    return moment(int.from_bytes(key[start : start + 8]))


def chunk(id: bytes, number: int) -> bytes:
    """By message, then in order."""
    return id + number.to_bytes(4)


def line(domain: str, day: int) -> bytes:
    """A line of the books: by domain, then by day since 1970."""
    return b"%b\0%b" % (domain.encode(), day.to_bytes(4))


def lane(letter: bytes, domain: str) -> bytes:
    """The beginning of the keys of one state of one domain; the empty domain is the whole queue."""
    return b"%b%b\0" % (letter, domain.encode())


def warned(domain: str) -> bytes:
    """Up to which message senders were told that a domain's mail waits."""
    return b"warned\0%b" % domain.encode()


def lease(owner: str, domain: str, id: bytes) -> bytes:
    """By owner: a dead courier's leases are found at once."""
    return b"%b\0%b\0%b" % (owner.encode(), domain.encode(), id)


class Entries:
    """Every index entry that one message has."""

    __slots__ = ("dues", "lanes", "leases")

    def __init__(self, message: Message | None, id: bytes) -> None:
        self.dues: dict[bytes, bytes] = {}
        self.leases: set[bytes] = set()
        self.lanes: set[bytes] = set()
        if message is None:
            return
        self.lanes.add(lane(STATES[message.state()], ""))
        for domain in domains(message):
            self.lanes.add(lane(STATES[message.state(domain)], domain))
        if message.hold or message.damage:
            return
        for domain, schedule in message.schedule.items():
            owner = schedule.owner or ""
            self.dues[due(domain, schedule.due, id)] = owner.encode()
            if owner:
                self.leases.add(lease(owner, domain, id))


def domains(message: Message) -> Iterator[str]:
    """The domains that have anything left to do with a message."""
    if not message.progress:
        yield from message.domains()
        return
    yield from dict.fromkeys(r.domain for r in message.envelope.recipients if message.fate(r.address) not in FINAL)


def id_of(key: bytes) -> MessageId:
    """The message that an index entry names: its last sixteen bytes."""
    return ids.encode(key[-ID:])
