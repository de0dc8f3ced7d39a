"""The books held against themselves (I11): the difference is 0, and everybody is told if it is not.

Knows: the spool's books.
Does not know: what could be wrong; `spool verify` finds that.
"""

from backupmx.core import books
from backupmx.ports import Spool
from backupmx.watch import log


class Balance:
    """What was found the last time."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.difference = 0
        """Recipients that the books cannot account for, or account for twice, in all."""

    async def look(self) -> None:
        """Once an hour is enough for what must never be."""
        found = books.differences(self._spool.books(0))
        for (domain, day), difference in found.items():
            log.books_differ(domain, books.date_of(day).isoformat(), difference)
        self.difference = sum(map(abs, found.values()))
