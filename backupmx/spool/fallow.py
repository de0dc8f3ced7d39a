"""Free pages lie fallow for a while, so that what is written next is new ground, in one piece.

Knows: what keeps LMDB from using a page again, and what puts free pages in order.
Does not know: who frees pages, and who writes.

Each commit frees a dozen pages: of each table the way down to what has changed. LMDB would take them for the next commit but one,
and write a dozen pages that lie apart, each a request of its own to a card that can do a hundred in a second. New pages come from
the end of the file one behind the other, and go there in one request. An older reader keeps freed pages from being used (LMDB's
"Caveats": long-lived transactions), so there is one here, within bounds.
"""

from contextlib import suppress

import lmdb

from backupmx.errors import SpoolFull
from backupmx.spool.transaction import Transaction
from backupmx.spool.writer import Writer

LIMIT = 64 * 2**20
"""Octets in free pages, beyond which none lies fallow."""
MOST = 2 * LIMIT
"""Octets in free pages, beyond which they are left in the order in which they are: to sort many keeps writers waiting."""
TURN = 256
"""Commits, after which it is worth while to put free pages in order."""
PIECE = 16 * 2**20
"""Octets in a row that are free at the least when that has been done."""


class Fallow:
    """In one process of an instance, which is replaced when it does not answer: who comes after it clears its reader away."""

    def __init__(self, env: lmdb.Environment, writer: Writer) -> None:
        self._env = env
        self._writer = writer
        self._reader: lmdb.Transaction | None = None
        self._used = 0
        self._latest = 0
        self._ploughed = 0

    async def tend(self, used: int, free: int, room: int) -> None:
        """Every now and then, with the octets in the file that are used and that are free, and those that new mail may take."""
        latest = self._env.info()["last_txnid"]
        quiet, self._latest = latest == self._latest, latest
        ample = room >= 2 * LIMIT
        if ample and quiet and used < free < MOST and latest - self._ploughed >= TURN:
            self.end()
            with suppress(SpoolFull):
                await self._writer.do(put_in_order)
            self._ploughed = self._env.info()["last_txnid"]
        # what drains has the pieces that mail leaves; new ground would only make the file larger, which costs requests, too
        drains, self._used = used < self._used, used
        if not ample or drains or free >= LIMIT:
            self.end()
        elif self._reader is None:
            self._reader = self._env.begin()

    def end(self) -> None:
        """All free pages may be used."""
        if self._reader is not None:
            self._reader.abort()
            self._reader = None


def put_in_order(work: Transaction) -> None:
    """Asked for a large piece, LMDB goes through free pages until it has one, and puts back sorted what it saw.

    Nothing of the piece is written, as it is given back before the commit.
    """
    work.txn.put(b"piece", bytes(PIECE), db=work.tables.meta)
    work.txn.delete(b"piece", db=work.tables.meta)
