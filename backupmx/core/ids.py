"""Message ids: sixteen time-ordered bytes, shown as 26 characters.

Knows: the alphabet (Crockford's base 32: no I, L, O, U; one case, safe in file names and URLs) and its order.
Does not know: where the sixteen bytes come from; the edge makes them (UUID version 7).
"""

from typing import NewType

MessageId = NewType("MessageId", str)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
# two letters at a time: every accepted message is given an id
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_DIGITS = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")


def encode(raw: bytes) -> MessageId:
    """Spell sixteen bytes; ids sort as their bytes do."""
    if len(raw) != 16:
        raise ValueError("a message id is made of sixteen bytes")
    number = int.from_bytes(raw)
    return MessageId("".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)]))


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
