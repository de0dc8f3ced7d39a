"""How often a message has been received: loops show in its header.

Knows: trace fields (RFC 5321 sections 4.4 and 6.3).
Does not know: where the content comes from.
"""

from collections.abc import Iterator
from itertools import chain

LIMIT = 50
"""Received fields that are too many, as in Postfix."""
HEADER_LIMIT = 2**20
"""Octets that are searched for the end of the header."""


def count(content: Iterator[bytes]) -> tuple[int, Iterator[bytes]]:
    """The number of Received fields, and the whole content once more; reads no further than the header's end."""
    header = next(content, b"")
    first = header
    if _end(header) < 0:
        # rare: a header longer than a chunk; to join it each time is cheap beside the reading
        while len(header) < HEADER_LIMIT and (piece := next(content, b"")):
            header += piece
            if _end(header) >= 0:
                break
        first = header
    end = _end(header)
    fields = b"\n" + (header if end < 0 else header[:end]).lower()
    found = sum(fields.count(b"\nreceived" + after) for after in (b":", b" ", b"\t"))
    return found, chain((first,), content)


def _end(header: bytes) -> int:
    """Where the header ends; -1 if it does not end here."""
    return 0 if header.startswith(b"\r\n") else header.find(b"\r\n\r\n")
