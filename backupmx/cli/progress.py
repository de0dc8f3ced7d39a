"""A bar for a person who waits: on standard error, where that is a terminal, and gone when the work is done."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Step = Callable[[int], None]
"""So much more is done."""


@contextmanager
def progress(what: str, total: int | None, *, octets: bool = False) -> Iterator[Step]:
    """Gives what is to be told of each step; nothing is drawn for less than two of them. None: nobody knows how many."""
    if (total is not None and total < 2) or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import DownloadColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    count = DownloadColumn(binary_units=True) if octets else MofNCompleteColumn()
    columns = (*Progress.get_default_columns()[:2], count, TimeRemainingColumn())
    # what is printed goes above the bar where both are on one terminal, and is left alone where it goes to a pipe
    beside = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=beside) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
