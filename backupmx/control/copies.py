"""What the control socket answers on backups: one that is taken, and one that is to be restored.

Knows: requests and answers, who is written down for what.
Does not know: what a backup is, how everything begins anew.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from backupmx.control.answers import AnyAnswer, Done, Piece, RestoreAnswer, RestoreNumber
from backupmx.control.requests import AddToRestore, BeginRestore, GetBackup, LookAtRestore, Restore, RestoreRequest
from backupmx.ports import Copies
from backupmx.watch import log

LONGEST_S = 5.0
"""Until everything begins anew after something was restored, whether or not anybody heard of it."""


class CopiesDesk:
    """Takes the questions."""

    def __init__(self, copies: Copies, begin_anew: Callable[[], None]) -> None:
        self._copies = copies
        self._begin_anew = begin_anew
        self._due = False

    async def copy(self, request: GetBackup) -> AsyncGenerator[AnyAnswer, None]:
        """Everything but the mail."""
        log.backup_taken(request.by, len(request.keys))
        async with contextlib.aclosing(self._copies.copy(request.keys)) as pieces:
            async for octets in pieces:
                yield Piece(octets)
        yield Done()

    async def answer(self, request: RestoreRequest) -> AnyAnswer:
        """One request."""
        match request:
            case BeginRestore():
                return RestoreNumber(await asyncio.to_thread(self._copies.begin))
            case AddToRestore():
                await asyncio.to_thread(self._copies.add, request.number, request.octets)
                return Done()
            case LookAtRestore():
                label, problems = await asyncio.to_thread(self._copies.look, request.number, request.identity)
                return RestoreAnswer(label, problems)
            case Restore():
                await asyncio.shield(asyncio.create_task(self._decide(request)))
                return Done()

    async def _decide(self, request: Restore) -> None:
        label = await asyncio.to_thread(self._copies.restore, request.number)
        log.restore_decided(request.by, label.taken)
        self._due = True
        # whoever asked may be gone before there is an answer
        asyncio.get_running_loop().call_later(LONGEST_S, self._begin_anew)

    def begin_anew_if_due(self) -> None:
        """After something was restored, and whoever asked for it knows."""
        if self._due:
            self._begin_anew()
