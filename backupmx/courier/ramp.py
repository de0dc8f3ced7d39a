"""How many connections a route may have: one at first, one more with each success, half as many on trouble.

Knows: arithmetic. Does not know: connections.
"""

from datetime import datetime

STRIKES = 5
"""Troubles in a row, without one success between them, after which a route counts as down."""


class Ramp:
    """The drain's width."""

    def __init__(self, widest: int) -> None:
        self.widest = widest
        self.limit = 1
        self._strikes = 0
        self._slowed: datetime | None = None

    def success(self) -> None:
        """The primary took a message."""
        self._strikes = 0
        if self.limit < self.widest:
            self.limit += 1

    def trouble(self) -> None:
        """A connection was refused, lost, or fell silent."""
        self._strikes += 1
        self._narrow()

    def slow(self, began: datetime, now: datetime) -> None:
        """The primary answered, and took its time: it has too much to do. Of several that waited at once, one counts."""
        self._strikes = 0
        if self._slowed is None or began >= self._slowed:
            self._slowed = now
            self._narrow()

    def _narrow(self) -> None:
        self.limit = max(1, self.limit // 2)

    @property
    def exhausted(self) -> bool:
        """Nothing but trouble: it is no use to go on."""
        return self._strikes >= STRIKES

    def reset(self) -> None:
        """The primary is back: begin anew."""
        self.limit = 1
        self._strikes = 0
        self._slowed = None
