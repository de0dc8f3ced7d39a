"""How many connections a route may have: one at first, one more with each success, half as many on trouble.

Knows: arithmetic. Does not know: connections.
"""

STRIKES = 5
"""Troubles in a row, without one success between them, after which a route counts as down."""


class Ramp:
    """The drain's width."""

    def __init__(self, widest: int) -> None:
        self._widest = widest
        self.limit = 1
        self._strikes = 0

    def success(self) -> None:
        """The primary took a message."""
        self._strikes = 0
        if self.limit < self._widest:
            self.limit += 1

    def trouble(self) -> None:
        """A connection was refused, lost, or fell silent."""
        self._strikes += 1
        self.limit = max(1, self.limit // 2)

    @property
    def exhausted(self) -> bool:
        """Nothing but trouble: it is no use to go on."""
        return self._strikes >= STRIKES

    def reset(self) -> None:
        """The primary is back: begin anew."""
        self.limit = 1
        self._strikes = 0
