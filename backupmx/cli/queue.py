"""`backupmx queue`: look at what waits."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import rich_click as click

from backupmx.cli import rows
from backupmx.cli.lazy import LazyGroup
from backupmx.cli.options import config_option, json_option, server
from backupmx.cli.selection import filters
from backupmx.cli.terminal import say, show, show_json, show_table
from backupmx.control.answers import Refused, Row
from backupmx.control.listing import as_object
from backupmx.control.requests import ListQueue, ShowMessage
from backupmx.core.queue import Filter


class Queue(LazyGroup):
    """Looking is here, acting and copying are in modules of their own."""

    places = {
        "list": "backupmx.cli.queue:listing",
        "show": "backupmx.cli.queue:show_messages",
        "retry": "backupmx.cli.act:retry",
        "hold": "backupmx.cli.act:hold",
        "release": "backupmx.cli.act:release",
        "bounce": "backupmx.cli.act:bounce",
        "delete": "backupmx.cli.act:delete",
        "export": "backupmx.cli.export:export",
    }


@click.group(cls=Queue)
@config_option
def queue() -> None:
    """See and steer what waits."""


@click.command("list")
@filters
@click.option("--limit", type=click.IntRange(min=1), help="Show so many at most.")
@json_option
@config_option
def listing(wanted: Filter, limit: int | None, as_json: bool) -> None:
    """List messages, newest first."""
    show_queue(wanted, limit or 0, as_json)


def show_queue(wanted: Filter, limit: int, as_json: bool) -> None:
    """Print what matches as they come: as a table, or one object a line."""
    found = server().listing(ListQueue(wanted, limit))
    if as_json:
        for row in found:
            show_json(as_object(row))
        return
    if show_list(found) == 0:
        say("no message matches" if wanted != Filter() else "the queue is empty")


@click.command("show")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
@config_option
def show_messages(ids: tuple[str, ...], as_json: bool) -> None:
    """Show all that is known of messages; an id may be abbreviated."""
    client = server()
    trouble = False
    for number, id in enumerate(ids):
        answer = client.ask(ShowMessage(id))
        if isinstance(answer, Row) and as_json:
            show_json(as_object(answer))
        elif isinstance(answer, Row):
            if number:
                show()
            for line in rows.as_page(answer):
                show(line)
        else:
            trouble = True
            say(*(answer.problems if isinstance(answer, Refused) else ()))
    sys.exit(1 if trouble else 0)


def show_list(found: Iterator[Row]) -> int:
    """Print a table of messages as they come; returns how many there were."""
    count = 0

    def cells() -> Iterator[tuple[str, ...]]:
        nonlocal count
        for row in found:
            count += 1
            yield tuple(rows.as_cells(row, datetime.now(UTC)))

    show_table(rows.COLUMNS, cells())
    return count
