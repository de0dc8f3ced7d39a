"""`backupmx status`: what the page says, in a terminal."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import rich_click as click

from backupmx.cli.options import config_option, json_option, server
from backupmx.cli.terminal import Column, plain, say, show, show_json, show_table, table
from backupmx.errors import ControlUnavailable

if TYPE_CHECKING:
    from backupmx.control.client import ControlClient
    from backupmx.core.status import Status

EVERY_S = 2.0
COLUMNS = (
    Column("DOMAIN"),
    Column("PRIMARY"),
    Column("SINCE"),
    Column("WAITING", number=True),
    Column("SIZE", number=True),
    Column("OLDEST"),
    Column("NEXT"),
    Column("HELD", number=True),
    Column("QUARANTINED", number=True),
)


@click.command()
@json_option
@click.option("--watch", is_flag=True, help="Draw anew every two seconds, until Ctrl-C.")
@config_option
def status(as_json: bool, watch: bool) -> None:
    """Tell how much waits, for whom, since when, and when it will go."""
    client = server()
    if watch:
        try:
            _watch(client, as_json)
        except KeyboardInterrupt:
            return
    found = _ask(client)
    _show(found, as_json)


def _ask(client: "ControlClient") -> "Status":
    from backupmx.control.answers import StatusAnswer  # noqa: PLC0415
    from backupmx.control.requests import GetStatus  # noqa: PLC0415

    answer = client.ask(GetStatus())
    if not isinstance(answer, StatusAnswer):
        raise ControlUnavailable("; ".join(getattr(answer, "problems", ("no status",))))
    return answer.status


def _watch(client: "ControlClient", as_json: bool) -> None:
    """Never returns; a server that is restarted is waited for."""
    if sys.stdout.isatty() and not as_json:
        _live(client)
    while True:
        try:
            _show(_ask(client), as_json)
            if not as_json:
                show()
            sys.stdout.flush()
        except ControlUnavailable as error:
            say(str(error))
        time.sleep(EVERY_S)


def _live(client: "ControlClient") -> None:
    from rich.console import Group  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from backupmx.core import words  # noqa: PLC0415

    with Live(auto_refresh=False) as live:
        while True:
            try:
                found = _ask(client)
                rest = [Text(plain(line)) for line in _rest(found)]
                live.update(
                    Group(Text(words.sentence(found)), table(COLUMNS, _rows(found), live.console.width), *rest), refresh=True
                )
            except ControlUnavailable as error:
                live.update(Text(plain(str(error)), style="bold red"), refresh=True)
            time.sleep(EVERY_S)


def _show(found: "Status", as_json: bool) -> None:
    if as_json:
        from backupmx.core.status import document  # noqa: PLC0415

        show_json(document(found))
        return
    from backupmx.core import words  # noqa: PLC0415

    show(words.sentence(found))
    show()
    show_table(COLUMNS, _rows(found))
    for line in _rest(found):
        show(line)


def _rows(found: "Status") -> Iterator[Sequence[str]]:
    from backupmx.core.words import age, size, span  # noqa: PLC0415

    for domain in found.domains:
        due = domain.next_attempt
        yield (
            domain.domain,
            domain.primary.state,
            age(domain.primary.since, found.time) if domain.primary.since else "-",
            str(domain.messages),
            size(domain.bytes),
            age(domain.oldest, found.time) if domain.oldest else "-",
            ("now" if due <= found.time else f"in {span(due - found.time)}") if due else "-",
            str(domain.held),
            str(domain.quarantined),
        )


def _rest(found: "Status") -> Iterator[str]:
    """What has no room in the table, each with its domain, and at the end what is to be decided."""
    from backupmx.core import words  # noqa: PLC0415
    from backupmx.core.decisions import decisions  # noqa: PLC0415

    for domain in found.domains:
        if domain.primary.last_error:
            yield f"{domain.domain}: {domain.primary.last_error}"
        if domain.acquaintance:
            yield f"{domain.domain}: recipients: {words.acquaintance(domain.acquaintance)}"
        if domain.split:
            yield f"{domain.domain}: {words.split(domain.split)}"
    for decision in decisions(found):
        yield f"{decision.said} {decision.command}"
