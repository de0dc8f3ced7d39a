"""`backupmx report`: how a month went, on one page."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import rich_click as click

from backupmx.cli.options import config_option, json_option, server
from backupmx.cli.terminal import Column, say, show, show_json, show_table
from backupmx.control.answers import Refused, ReportAnswer
from backupmx.control.listing import as_month
from backupmx.control.requests import GetReport
from backupmx.core import words
from backupmx.core.history import Month
from backupmx.errors import ControlUnavailable

COLUMNS = (
    Column("DOMAIN"),
    Column("OUTAGES", number=True),
    Column("AWAY"),
    Column("LONGEST WAIT"),
    Column("KEPT", number=True),
    Column("DELIVERED", number=True),
    Column("RETURNED", number=True),
    Column("REMOVED", number=True),
    Column("WAITING", number=True),
    Column("HELD", number=True),
    Column("QUARANTINED", number=True),
    Column("DAMAGED", number=True),
    Column("LOST", number=True),
)


@click.command()
@click.argument("month", required=False)
@json_option
@config_option
def report(month: str | None, as_json: bool) -> None:
    """Tell how a month went, like 2026-11, or this one: outages, what was kept, and what became of it.

    A message counts once for each of its recipients. Months are those of UTC. What is lost is the difference in the books: 0.
    """
    answer = server().ask(GetReport(month or f"{datetime.now(UTC):%Y-%m}"))
    if isinstance(answer, Refused):
        say(*answer.problems)
        sys.exit(1)
    if not isinstance(answer, ReportAnswer):
        raise ControlUnavailable("an answer that is no report")
    if as_json:
        for each in answer.months:
            show_json(as_month(each))
        return
    for line in _lines(answer):
        show(line)
    show_table(COLUMNS, map(_cells, answer.months))


def _lines(answer: ReportAnswer) -> Iterator[str]:
    whole = answer.months[0]
    yield f"{whole.first:%B %Y}: {words.month(whole)}"
    if answer.since is not None:
        yield f"What is known of outages and waits begins on {answer.since:%Y-%m-%d}."
    yield ""


def _cells(month: Month) -> Sequence[str]:
    return (
        month.domain or "all",
        str(month.outages),
        words.span(month.away) if month.outages else "-",
        words.span(month.longest_wait) if month.longest_wait else "-",
        *map(str, month.line.columns()),
        str(month.lost),
    )
