"""The board on which the courier writes how the primaries are, for all processes to read.

Knows: memory that is shared by the processes that were forked after it was made.
Does not know: how the state of a primary is found out.

There is one writer, and each value is one aligned word, so that there is no lock; to read costs less than a microsecond.
"""

import mmap
from collections.abc import Sequence

from backupmx.core.status import PrimaryState

_STATES = (PrimaryState.UNKNOWN, PrimaryState.UP, PrimaryState.DOWN)
_WORDS = 2
"""For each domain: its primary's state, and its clock."""


class Board:
    """See `ports.Health`; made before the processes are."""

    def __init__(self, domains: Sequence[str]) -> None:
        self._places = {domain: number * _WORDS for number, domain in enumerate(domains)}
        self._memory = mmap.mmap(-1, max(1, len(domains)) * _WORDS * 8)
        self._words = memoryview(self._memory).cast("q")

    def state(self, domain: str) -> PrimaryState:
        """Whether a domain's primary takes mail."""
        place = self._places.get(domain)
        return PrimaryState.UNKNOWN if place is None else _STATES[self._words[place]]

    def clock(self, domain: str) -> int:
        """Seconds that it was up, since we have known it."""
        place = self._places.get(domain)
        return 0 if place is None else self._words[place + 1]

    def write(self, domain: str, state: PrimaryState, clock: int) -> None:
        """By the courier alone."""
        place = self._places[domain]
        self._words[place] = _STATES.index(state)
        self._words[place + 1] = clock
