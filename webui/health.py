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
from webui import tongue
from webui.tongue import gettext as _
from webui.tongue import ngettext

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
        said = _("None: new mail is put off (452 4.3.1) until there is some. What is held stays safe.")
        mend = _("Give the spool's disk more space, or remove what is not mail from it.")
        return Finding("room", "", Level.BAD, said, mend)
    lasts, size = room_lasts(points), words.size(stats.room, tongue)
    if lasts:
        time = words.span(lasts, tongue)
        said = _("%(size)s more can be taken; it lasts %(time)s at the present rate.", size=size, time=time)
    else:
        said = _("%(size)s more can be taken; it does not become less at present.", size=size)
    level = Level.ODD if stats.room < LITTLE or (lasts and lasts < SOON_FULL) else Level.GOOD
    return Finding("room", "", level, said)


def _books(books: Line) -> Finding:
    if books.difference:
        said = ngettext(
            "%(num)s recipient cannot be accounted for: a fault of ours.",
            "%(num)s recipients cannot be accounted for: a fault of ours.",
            abs(books.difference),
        )
        return Finding("books", "", Level.BAD, said, _("Please report it, with the log."))
    return Finding("books", "", Level.GOOD, _("Every recipient that was accepted is accounted for."))
