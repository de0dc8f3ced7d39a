"""Whether the house itself is well: its room as time, its books, and what the last look at the world around it found.

Knows: from when on somebody should look, and in which order things are told.
Does not know: HTML, who looks, where the figures come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backupmx.core import words
from backupmx.core.books import Line
from backupmx.core.finding import Finding, Level, Report
from backupmx.core.history import Point, room_lasts
from backupmx.core.queue import SpoolStats

SOON_FULL = timedelta(days=3)
LITTLE = 256 * 2**20
"""Octets of room that a few large messages use up."""
GRAVITY = (Level.BAD, Level.ODD, Level.UNKNOWN, Level.GOOD)


@dataclass(frozen=True, slots=True)
class Health:
    """What is to be said, the gravest first. Findings may hold strangers' words."""

    own: tuple[Finding, ...]
    """Of ourselves."""
    troubles: tuple[Finding, ...]
    """What a look around found that is not good."""
    good: tuple[Finding, ...]
    looked: datetime | None
    """When that look ended; None before the first."""


def health(stats: SpoolStats | None, points: Sequence[Point], books: Line | None, report: Report | None) -> Health:
    """Nothing is said of what nothing is known of."""
    own = [_room(stats, points)] if stats else []
    if books:
        own.append(_books(books))
    found = sorted(report.findings if report else (), key=lambda finding: GRAVITY.index(finding.level))
    return Health(
        tuple(own),
        tuple(finding for finding in found if finding.level is not Level.GOOD),
        tuple(finding for finding in found if finding.level is Level.GOOD),
        report.at if report else None,
    )


def _room(stats: SpoolStats, points: Sequence[Point]) -> Finding:
    if stats.room <= 0:
        said = "None: new mail is put off (452 4.3.1) until there is some. What is held stays safe."
        return Finding("room", "", Level.BAD, said, "Give the spool's disk more space, or remove what is not mail from it.")
    lasts = room_lasts(points)
    rate = f"it lasts {words.span(lasts)} at the present rate" if lasts else "it does not become less at present"
    level = Level.ODD if stats.room < LITTLE or (lasts and lasts < SOON_FULL) else Level.GOOD
    return Finding("room", "", level, f"{words.size(stats.room)} more can be taken; {rate}.")


def _books(books: Line) -> Finding:
    if books.difference:
        said = f"{words.recipients(abs(books.difference))} cannot be accounted for: a fault of ours."
        return Finding("books", "", Level.BAD, said, "Please report it, with the log.")
    return Finding("books", "", Level.GOOD, "Every recipient that was accepted is accounted for.")
