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
STYLES = {
    "up": "green",
    "down": "bold red",
    "unknown": "yellow",
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
    """Never broken into two lines, however narrow the terminal is."""


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
            console.print(table(columns, batch))
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


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> "Table":
    """For a terminal."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(column.head, justify="right" if column.number else "left", no_wrap=column.whole, overflow="fold")
    for row in rows:
        # a Text is taken as it is: no markup in it is obeyed
        drawn.add_row(*(Text(plain(cell), style=STYLES.get(cell, "")) for cell in row))
    return drawn
