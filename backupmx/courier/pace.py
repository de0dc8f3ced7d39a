"""At most so many messages a minute: evenly, not all of them at the minute's beginning.

Knows: arithmetic on the times that it is given.
Does not know: what time it is, and messages.
"""

from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


class Pace:
    """One domain's: a bucket that is full when as many are in it as may go in one second, or one."""

    def __init__(self, a_minute: int) -> None:
        self._each = MINUTE / a_minute
        self._most = max(1, a_minute // 60)
        self._full: datetime | None = None
        """When the bucket is full again; None: it is."""

    def allowed(self, now: datetime) -> int:
        """How many may go at once."""
        return self._most - -(-self._missing(now) // self._each)

    def spend(self, messages: int, now: datetime) -> None:
        """So many go."""
        self._full = now + self._missing(now) + messages * self._each

    def next(self, now: datetime) -> datetime:
        """When one may go; not before now."""
        return now + max(timedelta(0), self._missing(now) - (self._most - 1) * self._each)

    def _missing(self, now: datetime) -> timedelta:
        """How long it takes until the bucket is full; a clock that was set back makes nobody wait for longer than that."""
        if self._full is None:
            return timedelta(0)
        return min(max(timedelta(0), self._full - now), self._most * self._each)
