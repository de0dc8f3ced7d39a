"""How history grows: a sample a minute, what is news written down, the books held against themselves.

Knows: where the numbers come from, and when.
Does not know: what is made of them, and who asks.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from backupmx.config import Settings
from backupmx.control.balance import Balance
from backupmx.control.metrics import sums
from backupmx.courier.courier import Chore
from backupmx.ports import Clock, Spool
from backupmx.watch import log
from backupmx.watch.history import History

FILE = "history.sqlite"
"""In the spool's directory."""
SAMPLE_MINUTES = 1
BALANCE_MINUTES = 60
WRITE_S = 1.0
"""How often it is looked whether there is something to write: a primary that comes and goes costs one write a second at most."""
PAUSE_S = 60.0
"""After trouble."""


class Annals:
    """One for each instance, in the courier's process."""

    def __init__(self, settings: Settings, spool: Spool, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self.past = History(Path(settings.spool) / FILE, settings.domains, clock())
        self.balance = Balance(spool)

    @property
    def chores(self) -> Sequence[tuple[Chore, int]]:
        """To be done every so many minutes."""
        return (self._sample, SAMPLE_MINUTES), (self.balance.look, BALANCE_MINUTES)

    async def _sample(self) -> None:
        try:
            self.past.sample(self._clock(), self._spool.census(), self._spool.room(), sums())
        except Exception as error:  # noqa: BLE001 - a minute without a point is no harm to mail
            log.trouble("history", error)

    async def keep(self) -> None:
        """Write down what is news, until cancelled."""
        while True:
            pause = WRITE_S if await self._write() else PAUSE_S
            await asyncio.sleep(pause)

    async def _write(self) -> bool:
        try:
            # history gets nothing of what is left for mail
            if self.past.news and self._spool.room():
                return await asyncio.to_thread(self.past.write, self._clock())
        except Exception as error:  # noqa: BLE001 - the next time will do
            log.trouble("history", error)
            return False
        return True

    def close(self) -> None:
        """The last of it; after the courier has stopped."""
        self.past.close(self._clock())
