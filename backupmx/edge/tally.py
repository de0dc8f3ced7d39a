"""Connections counted over all workers, in memory that they share.

Knows: how many connections there are, in all and of each client, and which clients ever sent mail.
Does not know: sockets, and what the limits are for.

Each worker writes its own row alone and reads the sum over all rows, so there is no lock. A client is counted by a keyed hash of
its network; two clients that fall together in one of 65,536 cells share a limit, which a stranger cannot bring about on purpose.
"""

import mmap
import os
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address, ip_network

CELLS = 65_536
_TOTAL = 0
"""The first cell counts all connections; clients fall into the others."""


class Tally:
    """Made before the workers are; each takes its row."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._key = os.urandom(16)
        self._memory = mmap.mmap(-1, rows * CELLS * 4)
        self._cells = memoryview(self._memory).cast("I")
        self._known = mmap.mmap(-1, CELLS)
        """One octet a client, written by any worker, never taken back."""
        self.cell = lru_cache(maxsize=4096)(self._cell)

    @classmethod
    def make(cls, workers: int) -> "Tally":
        """One row for each worker."""
        return cls(workers)

    def row(self, worker: int) -> "Row":
        """A worker's own row, empty: what it held went with its predecessor."""
        start = worker * CELLS
        self._cells[start : start + CELLS] = memoryview(bytes(CELLS * 4)).cast("I")
        return Row(self, start)

    def _cell(self, address: str) -> int:
        """Where a client is counted; an IPv6 client by its /64 (RFC 4291 section 2.5.1)."""
        parsed = ip_address(address)
        if isinstance(parsed, IPv6Address):
            parsed = parsed.ipv4_mapped or ip_network((parsed, 64), strict=False).network_address
        digest = blake2b(parsed.packed, digest_size=4, key=self._key).digest()
        return 1 + int.from_bytes(digest) % (CELLS - 1)

    def sum(self, cell: int) -> int:
        """Over all workers."""
        return sum(self._cells[start + cell] for start in range(0, self._rows * CELLS, CELLS))

    def remember(self, cell: int) -> None:
        """A message of this client was accepted."""
        self._known[cell] = 1

    def knows(self, cell: int) -> bool:
        """Whether one ever was, since the server started."""
        return self._known[cell] == 1

    def add(self, row: int, cell: int, number: int) -> None:
        """To one row, by its owner."""
        self._cells[row + cell] += number


class Row:
    """One worker's part of the tally."""

    def __init__(self, tally: Tally, start: int) -> None:
        self._tally = tally
        self._start = start

    def enter(self, address: str) -> tuple[int, int, int]:
        """Count a connection; returns its cell, how many there are in all now, and how many of this client."""
        cell = self._tally.cell(address)
        self._tally.add(self._start, _TOTAL, 1)
        self._tally.add(self._start, cell, 1)
        return cell, self._tally.sum(_TOTAL), self._tally.sum(cell)

    def in_all(self) -> int:
        """Connections over all workers."""
        return self._tally.sum(_TOTAL)

    def remember(self, cell: int) -> None:
        """A message of this client was accepted."""
        self._tally.remember(cell)

    def knows(self, cell: int) -> bool:
        """Whether one ever was, by any worker."""
        return self._tally.knows(cell)

    def leave(self, cell: int) -> None:
        """The connection is gone."""
        self._tally.add(self._start, _TOTAL, -1)
        self._tally.add(self._start, cell, -1)
