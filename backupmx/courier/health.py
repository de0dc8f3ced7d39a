"""What we know of a primary: its state, since when, and when to look again.

Knows: the probe interval. Does not know: how a probe is made, and what time it is.
"""

from datetime import datetime, timedelta

from backupmx.core.status import Primary, PrimaryState


class Health:
    """One route's health; unknown until it first answers or fails to."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self.primary = Primary(PrimaryState.UNKNOWN)
        self.next_probe: datetime | None = None
        """None: at once."""
        self.answered_at: datetime | None = None

    @property
    def up(self) -> bool:
        """Whether mail may be sent."""
        return self.primary.state is PrimaryState.UP

    def due(self, now: datetime) -> bool:
        """Whether it is time for a probe; a clock that was set back does not put it off."""
        return self.next_probe is None or not now < self.next_probe <= now + self._interval

    def probing(self, now: datetime) -> None:
        """A probe begins: the next one is an interval away, whatever comes of this one."""
        self.next_probe = now + self._interval

    def hurry(self) -> None:
        """Somebody says that it is back."""
        self.next_probe = None

    def answered(self, now: datetime) -> bool:
        """The primary did its work just now; returns whether this is news. No probe is needed for a while."""
        self.next_probe = now + self._interval
        self.answered_at = now
        if self.up:
            return False
        self.primary = Primary(PrimaryState.UP, since=now)
        return True

    def failed(self, now: datetime, error: str) -> bool:
        """The primary cannot be reached; returns whether this is news."""
        news = self.primary.state is not PrimaryState.DOWN
        self.primary = Primary(PrimaryState.DOWN, since=now if news else self.primary.since, last_error=error)
        if news:
            self.next_probe = now + self._interval
        return news
