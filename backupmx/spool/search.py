"""What can be told of a record without reading it: a search among a million messages reads few of them.

Knows: that ids begin with the time of arrival, that texts stand in a record as they are.
Does not know: what is searched for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from backupmx.spool import keys

LOOK_S = 0.01
"""For how long one page may look for what is meant: a read that is open pins the pages of what leaves meanwhile."""
MOMENT = 6
"""The first octets of an id: milliseconds since 1970 (RFC 9562 section 5.7)."""
SLACK = timedelta(minutes=1)
"""Ids and times of arrival are taken one after the other."""


def first_id(moment: datetime) -> bytes:
    """The lowest id of a moment."""
    milliseconds = max(0, min(keys.milliseconds(moment), (1 << 8 * MOMENT) - 1))
    return milliseconds.to_bytes(MOMENT) + bytes(keys.ID - MOMENT)


def octets(parts: Iterable[str | None]) -> Sequence[bytes]:
    """Parts of texts as `may_hold` looks for them: octets know the two cases of ASCII alone."""
    return [part.lower().encode() for part in parts if part is not None and part.isascii()]


def may_hold(record: bytes, parts: Sequence[bytes]) -> bool:
    """Whether it is worth the reading."""
    if not parts:
        return True
    record = record.lower()
    return all(part in record for part in parts)
