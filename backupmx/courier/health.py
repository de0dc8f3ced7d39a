"""What we know of a primary: its state, since when, and when to look again.

Knows: the probe interval, what one failure and what many mean.
Does not know: how a probe is made, and what time it is.
"""

from datetime import datetime, timedelta

from msgspec import structs

from backupmx.core.status import Primary, PrimaryState

FAILURES = 2
"""In a row, before a primary that was up counts as down: one lost packet changes nothing."""


class Health:
    """One route's health; unknown until it first answers or fails to."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self._failures = 0
        self.primary = Primary(PrimaryState.UNKNOWN)
        self.next_probe: datetime | None = None
        """None: at once."""
        self.answers = 0
        """How often it did its work: who waited for it can see whether somebody else had more luck meanwhile."""
        self.deferring: str | None = None
        """What it says while it answers 4xx to everything: then it is tried, but others must not rely on it."""

        self.suspect: str | None = None
        """What it says to mail that it used to take: then nothing is given to it, and nothing it says is believed (I10)."""

    @property
    def up(self) -> bool:
        """Whether mail may be sent."""
        return self.primary.state is PrimaryState.UP

    @property
    def shown(self) -> Primary:
        """For people: what is wrong stands in it, also while it answers."""
        if self.suspect is None:
            return self.primary
        return structs.replace(self.primary, last_error=f"it refuses mail that it used to accept: {self.suspect}")

    @property
    def accepting(self) -> PrimaryState:
        """Its state for whoever wants its word at once."""
        return PrimaryState.DOWN if self.up and (self.deferring or self.suspect) else self.primary.state

    def due(self, now: datetime) -> bool:
        """Whether it is time for a probe; a clock that was set back does not put it off."""
        return self.next_probe is None or not now < self.next_probe <= now + self._interval

    def probing(self, now: datetime) -> None:
        """A probe begins: the next one is an interval away, whatever comes of this one."""
        self.next_probe = now + self._interval

    def hurry(self) -> None:
        """Somebody says that it is back, or that it is gone: look at once."""
        self.next_probe = None

    def answered(self, now: datetime) -> bool:
        """The primary did its work just now; returns whether this is news. No probe is needed for a while."""
        self.next_probe = now + self._interval
        self.answers += 1
        self._failures = 0
        if self.up:
            return False
        self.primary = Primary(PrimaryState.UP, since=now)
        self.deferring = None
        return True

    def failed(self, now: datetime, error: str, *, certain: bool = False) -> bool:
        """The primary cannot be reached; returns whether this makes it down. After the first time it is asked again at once.

        `certain`: there were failures enough that nobody told us of.
        """
        self._failures += 1
        if self.up and self._failures < FAILURES and not certain:
            self.next_probe = None
            return False
        news = self.primary.state is not PrimaryState.DOWN
        self.primary = Primary(PrimaryState.DOWN, since=now if news else self.primary.since, last_error=error)
        self.deferring = self.suspect = None
        if news:
            self.next_probe = now + self._interval
        return news

    def doubted(self, words: str) -> bool:
        """It refuses mail that it used to take; returns whether this is news."""
        news = self.suspect is None
        self.suspect = words
        return news

    def trusted(self) -> bool:
        """It is as it was; returns whether this is news."""
        news = self.suspect is not None
        self.suspect = None
        return news

    def deferred(self, words: str) -> bool:
        """It answers 4xx to everything; returns whether this is news."""
        news = self.deferring is None
        self.deferring = words
        return news

    def relented(self) -> bool:
        """It said something else than 4xx; returns whether this is news."""
        news = self.deferring is not None
        self.deferring = None
        return news
