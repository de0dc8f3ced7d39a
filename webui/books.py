"""The books as the page shows them: one line for all, and what waits by the day it came.

Knows: sums of lines, and how days are put together.
Does not know: HTML, where the books are kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

from backupmx.core.books import Line
from backupmx.core.message import NOTICES
from webui.tongue import lazy_gettext as _l

AGES = (
    (0, _l("today")),
    (1, _l("yesterday")),
    (2, _l("2 days ago")),
    (3, _l("3 days ago")),
    (4, _l("4 to 6 days")),
    (7, _l("7 to 13 days")),
    (14, _l("older")),
)
"""From which day back, and its name."""
SHADES = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """Recipients whose mail came in such a time and waits; darker where more do."""

    count: int
    shade: int


@dataclass(frozen=True, slots=True)
class Grid:
    """What waits, by domain and by the day of its arrival."""

    columns: tuple[str, ...]
    rows: Mapping[str, tuple[Cell, ...]]


def total(books: Mapping[str, Mapping[int, Line]]) -> Line:
    """All of them in one; what we wrote ourselves is nobody's mail."""
    return reduce(add, (line for name, days in books.items() if name != NOTICES for line in days.values()), Line())


def ages(books: Mapping[str, Mapping[int, Line]], today: int) -> Grid:
    """Domains where mail waits, the most at the top."""
    counts: dict[str, list[int]] = {}
    for name, days in books.items():
        row = [0] * len(AGES)
        for day, line in days.items():
            row[_column(today - day)] += line.waiting
        if any(row):
            counts[name] = row
    most = max((max(row) for row in counts.values()), default=0)
    used = max((column for row in counts.values() for column, count in enumerate(row) if count), default=0)
    shown = max(2, used + 1)
    return Grid(
        tuple(str(name) for _, name in AGES[:shown]),
        {
            name: tuple(Cell(count, -(-count * SHADES // most)) for count in row[:shown])
            for name, row in sorted(counts.items(), key=lambda item: -sum(item[1]))
        },
    )


def _column(days: int) -> int:
    return max((column for column, (first, _) in enumerate(AGES) if first <= days), default=0)
