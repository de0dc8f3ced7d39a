"""What was learned of a recipient, and how long to believe it.

Knows: the lives of a yes and of a no, counted on the primary's own clock, which stands still while it is down.
Does not know: where it is kept, who asked, and what time it is.

An outage makes nobody who was known unknown, however long it lasts; and only a no that is fresh while the primary is up is a no.
"""

from enum import Enum, StrEnum, auto

from msgspec import Struct

DAY = 24 * 3600
KNOWN_FOR = 31 * DAY
REFRESH_AFTER = 7 * DAY
"""From then on a yes is asked again in the background."""
GONE_FOR = 2 * 3600
CATCH_ALL_FOR = 7 * DAY
EVERYBODY = ""
"""The local part under which it is kept that a primary takes whatever is before its domain."""
ALWAYS = frozenset({"postmaster", "abuse"})
"""RFC 5321 section 4.5.1, RFC 2142 section 4."""
ENOUGH_ASKED = 20
ENOUGH_KNOWN = 0.9
"""Of the last month's recipients: then those who are not known are told to come again (`when_unknown = "auto"`)."""


class Word(StrEnum):
    """What a primary said of an address."""

    KNOWN = "known"
    GONE = "gone"


class Learned(Struct, frozen=True, omit_defaults=True):
    """The last that was learned of one address."""

    word: Word
    at: int
    """Seconds on the primary's clock."""
    said: str = ""
    """Its words for a no; untrusted."""
    when: int = 0
    """Seconds since 1970, of a no: it grows old while the primary is down, too."""


class Belief(Enum):
    """What to make of an address."""

    KNOWN = auto()
    REFRESH = auto()
    """Known, and to be asked again when there is time."""
    GONE = auto()
    """A fresh no."""
    STALE_GONE = auto()
    """A no that may be over."""
    UNKNOWN = auto()


def of(learned: Learned | None, everybody: Learned | None, clock: int, now: int) -> Belief:
    """What follows from what is kept of an address and of its whole domain; `now` in seconds since 1970."""
    if learned is not None and learned.word is Word.KNOWN and clock - learned.at < KNOWN_FOR:
        return Belief.KNOWN if clock - learned.at < REFRESH_AFTER else Belief.REFRESH
    gone = learned is not None and learned.word is Word.GONE
    if gone and learned is not None and clock - learned.at < GONE_FOR and 0 <= now - learned.when < GONE_FOR:
        return Belief.GONE
    if everybody is not None and everybody.word is Word.KNOWN and clock - everybody.at < CATCH_ALL_FOR:
        return Belief.KNOWN
    return Belief.STALE_GONE if gone else Belief.UNKNOWN


def worth_learning(old: Learned | None, new: Learned) -> bool:
    """Whether what is kept would change by more than a day: the same yes comes with every message."""
    return old is None or old.word is not new.word or new.at - old.at >= (DAY if new.word is Word.KNOWN else GONE_FOR // 2)


def warm(asked: int, known: int) -> bool:
    """Whether so many of those who were asked for could be answered that the others are likely to be nobody."""
    return asked >= ENOUGH_ASKED and known >= ENOUGH_KNOWN * asked


class Acquaintance(Struct, frozen=True):
    """How well a domain's recipients are known: for people, and for `when_unknown = "auto"`."""

    known: int = 0
    """Addresses that are believed to exist."""
    listed: int = 0
    """Entries of the list in the spool."""
    waiting: int | None = None
    """Entries of a list that waits for approval."""
    lost: int = 0
    """How many of today's entries that list has not."""
    asked: int = 0
    """Recipients named by senders in the last days."""
    answered: int = 0
    """Of these, how many could have been answered with the primary gone."""
