"""How things are shown: data on standard output, talk on standard error; untrusted text never as it is (I7)."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

BATCH = 500
"""Rows laid out together: what a listing holds in memory."""
GAP = 2
NARROW = 20
"""Characters that are left of a column that may be cut short."""
STYLES = {
    "up": "green",
    "down": "bold red",
    "unknown": "yellow",
    "good": "green",
    "odd": "yellow",
    "bad": "bold red",
    "leased": "green",
    "held": "yellow",
    "quarantined": "red",
    "damaged": "bold red",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head, and how it is laid out."""

    head: str
    number: bool = False
    whole: bool = True
    """Never cut short, however narrow the terminal is; `queue show` and `--json` have the rest of the others."""


def plain(text: str) -> str:
    """Untrusted text without anything that a terminal would obey: controls, ANSI escapes, directions, surrogates."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def say(*lines: str) -> None:
    """Talk to the person, not to the pipe."""
    for line in lines:
        print(f"backupmx: {plain(line)}", file=sys.stderr)


def show(line: str = "") -> None:
    """One line of data."""
    print(plain(line))


def show_json(value: object) -> None:
    """One object on one line, in ASCII alone, so that a terminal has nothing to obey."""
    import msgspec  # noqa: PLC0415

    print(json.dumps(msgspec.to_builtins(value)).replace("\x7f", "\\u007f"))


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """A table on a terminal, aligned columns in a pipe; any number of rows, in bounded memory."""
    left = iter(rows)
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415

        console = Console(highlight=False, markup=False, emoji=False)
        while batch := list(islice(left, BATCH)):
            drawn = table(columns, batch, console.width)
            # where even that is too wide the terminal breaks the lines: better than a row of ellipses
            console.print(drawn, width=max(console.width, drawn.width or 0), crop=False)
        return
    first = list(islice(left, BATCH))
    heads = [column.head for column in columns]
    widths = [max(len(plain(line[n])) for line in [heads, *first]) for n in range(len(columns))]
    for row in chain([heads] if first else [], first, left):
        cells = (
            plain(cell).rjust(width) if column.number else plain(cell).ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        )
        print("  ".join(cells).rstrip())


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], room: int) -> "Table":
    """For a terminal of `room` characters: one line a row; what may be cut short shares what the rest leaves."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    # a Text is taken as it is: no markup in it is obeyed
    cells = [[Text(plain(cell), style=STYLES.get(cell, ""), overflow="ellipsis") for cell in row] for row in rows]
    widths = [max([len(column.head), *(row[n].cell_len for row in cells)]) for n, column in enumerate(columns)]
    taken = sum(width + GAP if column.whole else GAP for width, column in zip(widths, columns, strict=True))
    share = (room - taken) // max(1, sum(not column.whole for column in columns))
    drawn = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
    for width, column in zip(widths, columns, strict=True):
        fitting = width if column.whole else min(width, max(NARROW, share))
        drawn.add_column(column.head, justify="right" if column.number else "left", no_wrap=True, width=fitting)
    for row in cells:
        drawn.add_row(*row)
    drawn.width = sum((column.width or 0) + GAP for column in drawn.columns) - GAP
    return drawn
