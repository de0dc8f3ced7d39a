"""What was found when somebody looked whether all is as it should be.

Knows: how grave a finding is, and that each which is not good says how to mend it.
Does not know: who looks, and where.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class Level(StrEnum):
    """How grave it is."""

    GOOD = "good"
    ODD = "odd"
    """It works, and somebody should look."""
    BAD = "bad"
    """Mail is lost, refused or late for it, or will be."""
    UNKNOWN = "unknown"
    """It could not be looked at."""


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    topic: str
    """In a word. Of this machine: `clock`, `disk`, `room`, `spool`, `certificate`, `addresses`, `ptr`, `spf`, `tlsa`, `port25`,
    `inward`; of a domain: `mx`, `mta-sts`, `primary`, `tls`, `size`, `trust`, `postmaster`, `recipients`."""
    subject: str
    """Whose: a domain, a host, or empty for this machine."""
    level: Level
    said: str
    """What was found, in a sentence; may hold untrusted text."""
    mend: str = ""
    """How to mend it; empty when there is nothing to mend. May repeat untrusted text."""


class About(NamedTuple):
    """What is looked at; says what was found there."""

    topic: str
    subject: str = ""

    def good(self, said: str) -> Finding:
        """Nothing is to be mended."""
        return Finding(*self, Level.GOOD, said)

    def odd(self, said: str, mend: str) -> Finding:
        """It works, and somebody should look."""
        return Finding(*self, Level.ODD, said, mend)

    def bad(self, said: str, mend: str) -> Finding:
        """Mail suffers from it."""
        return Finding(*self, Level.BAD, said, mend)

    def unknown(self, said: str, mend: str) -> Finding:
        """It cannot be told, and why; `mend` says how to find out."""
        return Finding(*self, Level.UNKNOWN, said, mend)


class Report(Struct, frozen=True):
    """All findings of one look, and when it ended; None before the first."""

    findings: tuple[Finding, ...] = ()
    at: datetime | None = None
