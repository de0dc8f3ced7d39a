"""Senders who come back to us although the primary is up: perhaps they cannot reach it (a split network).

Knows: who came when, in memory that all workers share.
Does not know: what time it is, and what is made of it.

A visitor is a client's network, a sender and a recipient, as one keyed hash: 65,536 cells, each with the last visitor that fell
into it. A stranger who would push another out of its cell does not know the key.
"""

import mmap
import os
from hashlib import blake2b
from ipaddress import ip_address, ip_network

CELLS = 65_536
AFTER_S = 15 * 60
"""Who still comes after this time has tried the primary meanwhile, as every mail server does."""
FORGOTTEN_S = 4 * 24 * 3600
_V4, _V6 = 24, 64


def network(address: str) -> str:
    """A client's network: its servers take turns."""
    parsed = ip_address(address)
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return str(ip_network((parsed, _V4 if parsed.version == 4 else _V6), strict=False))


class Returns:
    """Made before the workers are."""

    def __init__(self) -> None:
        self._key = os.urandom(16)
        self._memory = mmap.mmap(-1, CELLS * 8)
        self._cells = memoryview(self._memory).cast("Q")
        """Each: the second of the first visit, and 32 bits of the hash."""

    def came_back(self, address: str, sender: str, recipient: str, now: float) -> bool:
        """Note a visit at a time since 1970; whether this visitor came before, and long enough ago."""
        visitor = f"{network(address)}\0{sender}\0{recipient}".encode("utf-8", "surrogateescape")
        digest = blake2b(visitor, digest_size=6, key=self._key).digest()
        cell, mark, second = int.from_bytes(digest[:2]), int.from_bytes(digest[2:]), int(now)
        first = self._cells[cell] >> 32
        if self._cells[cell] & 0xFFFFFFFF == mark and 0 <= second - first < FORGOTTEN_S:
            return second - first >= AFTER_S
        self._cells[cell] = second << 32 | mark
        return False
