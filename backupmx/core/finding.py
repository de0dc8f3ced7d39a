"""What was found when somebody looked whether all is as it should be.

Knows: how grave a finding is, and that each which is not good says how to mend it.
Does not know: who looks, and where.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

NAMES = {"addresses", "ptr", "spf", "tlsa"}
"""Topics about the names of this machine in DNS."""


class Level(StrEnum):
    """How grave it is."""

    GOOD = "good"
    ODD = "odd"
    """It works, and somebody should look."""
    BAD = "bad"
    """Mail is lost, refused or late for it, or will be."""
    UNKNOWN = "unknown"
    """It could not be looked at."""


class InDns(Struct, frozen=True):
    """What DNS should have and what it has, in lines of a zone file, which somebody may copy."""

    wanted: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    """Untrusted text."""


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    topic: str
    """In a word. Of this machine: `clock`, `disk`, `room`, `spool`, `certificate`, `addresses`, `ptr`, `spf`, `tlsa`, `port25`,
    `inward`; of a domain: `mx`, `mta-sts`, `primary`, `tls`, `size`, `trust`, `postmaster`, `recipients`; at set-up
    also `alerts`, `network`."""
    subject: str
    """Whose: a domain, a host, or empty for this machine."""
    level: Level
    said: str
    """What was found, in a sentence; may hold untrusted text."""
    mend: str = ""
    """How to mend it; empty when there is nothing to mend. May repeat untrusted text."""
    dns: InDns | None = None
    """Where it is about those."""


class About(NamedTuple):
    """What is looked at; says what was found there."""

    topic: str
    subject: str = ""

    def good(self, said: str, dns: InDns | None = None) -> Finding:
        """Nothing is to be mended."""
        return Finding(*self, Level.GOOD, said, dns=dns)

    def odd(self, said: str, mend: str, dns: InDns | None = None) -> Finding:
        """It works, and somebody should look."""
        return Finding(*self, Level.ODD, said, mend, dns)

    def bad(self, said: str, mend: str, dns: InDns | None = None) -> Finding:
        """Mail suffers from it."""
        return Finding(*self, Level.BAD, said, mend, dns)

    def unknown(self, said: str, mend: str) -> Finding:
        """It cannot be told, and why; `mend` says how to find out."""
        return Finding(*self, Level.UNKNOWN, said, mend)


class Report(Struct, frozen=True):
    """All findings of one look, and when it ended; None before the first."""

    findings: tuple[Finding, ...] = ()
    at: datetime | None = None
    again: Mapping[str, datetime] = {}
    """The domains that were looked at since, each alone."""

    def of(self, domain: str) -> tuple[Finding, ...]:
        """What a domain's owner wants to know: its own findings, and those of the names of this machine."""
        return tuple(finding for finding in self.findings if finding.subject == domain or finding.topic in NAMES)

    def seen(self, domain: str) -> datetime | None:
        """When a domain was looked at."""
        return self.again.get(domain, self.at)

    def renewed(self, domain: str, findings: tuple[Finding, ...], at: datetime) -> "Report":
        """With what was found of one domain, and of the names that lead here, in the place of what was."""
        places = {(finding.topic, finding.subject) for finding in findings}
        kept = [each for each in self.findings if each.subject != domain and (each.topic, each.subject) not in places]
        return Report((*kept, *findings), self.at, {**self.again, domain: at})
