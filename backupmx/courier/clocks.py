"""The primaries' clocks: they run while a primary is up, and stand still while it is down.

Knows: the board that all processes read, the roll that keeps them over a restart.
Does not know: how the state of a primary is found out, and what the clocks are for.
"""

from collections.abc import Callable, Mapping, Sequence

from backupmx.core.status import PrimaryState
from backupmx.courier.board import Board
from backupmx.ports import Roll


class Clocks:
    """One for each domain; the courier's alone."""

    def __init__(self, domains: Sequence[str], roll: Roll, board: Board, seconds: Callable[[], float]) -> None:
        """`seconds` is a clock that is never set: one that jumps would make everybody unknown."""
        self._roll = roll
        self._board = board
        self._clock = seconds
        self._at = seconds()
        self._states = dict.fromkeys(domains, PrimaryState.UNKNOWN)
        self._seconds = {domain: float(roll.clock(domain)) for domain in domains}
        self._kept = dict(self._seconds)
        self._write()

    def tick(self) -> None:
        """Time has passed since the last call."""
        now = self._clock()
        passed, self._at = now - self._at, now
        for domain, state in self._states.items():
            if state is PrimaryState.UP:
                self._seconds[domain] += passed
        self._write()

    def change(self, states: Mapping[str, PrimaryState]) -> None:
        """Primaries are in another state from now on."""
        self.tick()
        self._states |= states
        self._write()

    async def keep(self) -> None:
        """Write down what has changed. What is lost with a crash is a little time."""
        changed = {domain: int(seconds) for domain, seconds in self._seconds.items() if seconds > self._kept[domain]}
        if changed:
            await self._roll.set_clocks(changed)
            self._kept |= changed

    def _write(self) -> None:
        for domain, seconds in self._seconds.items():
            self._board.write(domain, self._states[domain], int(seconds))
