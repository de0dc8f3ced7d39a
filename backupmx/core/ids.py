"""Message ids: sixteen time-ordered bytes, shown as 26 characters.

Knows: the alphabet (Crockford's base 32: no I, L, O, U; one case, safe in file names and URLs) and its order; UUID version 7.
Does not know: the clock and chance.
"""

from datetime import UTC, datetime, timedelta
from typing import NewType

MessageId = NewType("MessageId", str)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
CHANCE = 62
"""Random bits in an id."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# two letters at a time: every accepted message is given an id
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_DIGITS = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")


def encode(raw: bytes) -> MessageId:
    """Spell sixteen bytes; ids sort as their bytes do."""
    if len(raw) != 16:
        raise ValueError("a message id is made of sixteen bytes")
    number = int.from_bytes(raw)
    return MessageId("".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)]))


def made(moment: datetime, chance: int) -> MessageId:
    """The id of what came at this moment; `chance` are 62 bits that nobody else has.

    Thousandths of its millisecond keep those in order that come in the same one (RFC 9562 sections 5.7 and 6.2 method 3).
    However many come at once, none is ahead of the clock: whoever looks for a time goes by ids.
    """
    milliseconds, rest = divmod((moment - _EPOCH) // _MICROSECOND, 1000)
    number = milliseconds << 80 | 7 << 76 | (rest * 4096 // 1000) << 64 | 2 << 62 | chance
    return encode(number.to_bytes(16))


def decode(text: str) -> bytes:
    """Read an id back; raises ValueError for anything that `encode` could not have written."""
    if len(text) != LENGTH:
        raise ValueError(f"a message id has {LENGTH} characters")
    if text.strip(ALPHABET):
        raise ValueError(f"no message id holds {text.strip(ALPHABET)[0]!r}")
    # the alphabet of `int` in base 32: a quarter of the time of a loop, several times for each message
    number = int(text.translate(_DIGITS), 32)
    if number >> 128:
        raise ValueError("a message id begins with 0 to 7")
    return number.to_bytes(16)


def abbreviation_range(prefix: str) -> tuple[bytes, bytes]:
    """The first and last sixteen bytes whose id begins with `prefix`; raises ValueError as `decode` does."""
    prefix = prefix.upper()
    low = prefix + "0" * (LENGTH - len(prefix))
    high = prefix + "Z" * (LENGTH - len(prefix))
    return decode(low), (decode(high) if prefix else b"\xff" * 16)
