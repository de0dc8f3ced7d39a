"""The books (I11): what came in on a day, and what has become of it by now. They count recipients of messages.

Knows: into which column each recipient of a message belongs.
Does not know: where the books are kept, and why a message moves.

Accepted = delivered + returned + removed + waiting + held + quarantined + damaged, for each domain and day of arrival.
Only ACCEPT adds to the first of these; the others follow each recipient from column to column: whoever vanished on the way would
be missing.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

from backupmx.core.message import Fate, Message

_EPOCH = date(1970, 1, 1)


class Line(Struct, frozen=True, array_like=True):
    """Recipients of one domain whose messages came on one day, in UTC; or a sum of such lines."""

    accepted: int = 0
    delivered: int = 0
    returned: int = 0
    removed: int = 0
    waiting: int = 0
    held: int = 0
    quarantined: int = 0
    damaged: int = 0

    @property
    def difference(self) -> int:
        """What the books cannot tell; anything but 0 is a fault of ours."""
        return self.accepted - sum(self.columns()[1:])

    def columns(self) -> tuple[int, ...]:
        """All of them, in order."""
        return tuple(getattr(self, name) for name in self.__struct_fields__)

    def __add__(self, other: "Line") -> "Line":
        return Line(*map(sum, zip(self.columns(), other.columns(), strict=True)))


ACCEPTED, DELIVERED, RETURNED, REMOVED, WAITING, HELD, QUARANTINED, DAMAGED = range(8)
_ENDS = {Fate.DELIVERED: DELIVERED, Fate.RETURNED: RETURNED, Fate.QUARANTINED: QUARANTINED}


def places(message: Message) -> Mapping[str, Mapping[int, int]]:
    """How many recipients stand in which column, by domain."""
    pending = DAMAGED if message.damage else HELD if message.hold else WAITING
    if not message.progress and len(message.envelope.recipients) == 1:
        # most messages, at most times
        return {message.envelope.recipients[0].domain: {pending: 1}}
    found: dict[str, dict[int, int]] = {}
    for recipient in message.envelope.recipients:
        columns = found.setdefault(recipient.domain, {})
        column = _ENDS.get(message.fate(recipient.address), pending)
        columns[column] = columns.get(column, 0) + 1
    return found


def removed(message: Message) -> Mapping[str, Mapping[int, int]]:
    """The same, when whatever is not at its end is removed."""
    found: dict[str, dict[int, int]] = {}
    for domain, columns in places(message).items():
        ends = found[domain] = {}
        for column, number in columns.items():
            end = column if column in (DELIVERED, RETURNED) else REMOVED
            ends[end] = ends.get(end, 0) + number
    return found


def differences(lines: Mapping[str, Mapping[int, Line]]) -> Mapping[tuple[str, int], int]:
    """By domain and day, where the books do not balance; empty when they do."""
    return {(domain, day): line.difference for domain, days in lines.items() for day, line in days.items() if line.difference}


def day(moment: datetime) -> int:
    """Days since 1970, in UTC."""
    return (moment.astimezone(UTC).date() - _EPOCH).days


def date_of(day_: int) -> date:
    """The other way."""
    return _EPOCH + timedelta(days=day_)
