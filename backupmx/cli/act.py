"""`backupmx queue retry|hold|release|delete` and `flush`: do something to messages, knowing to how many."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice

import rich_click as click

from backupmx.cli.options import asker, config_option, server
from backupmx.cli.queue import show_list
from backupmx.cli.selection import Meant, meaning
from backupmx.cli.terminal import say
from backupmx.control.client import ControlClient
from backupmx.control.protocol import Act, Done, ListQueue, Refused, Row, ShowMessage, Verb
from backupmx.core import notation, words
from backupmx.core.message import State
from backupmx.core.queue import Filter

AT_ONCE = 1000
"""Ids in one request."""
MOVES = {
    Verb.RETRY: {State.WAITING, State.LEASED},
    Verb.HOLD: {State.WAITING, State.LEASED},
    Verb.RELEASE: {State.HELD, State.QUARANTINED, State.DAMAGED},
    Verb.DELETE: set(State),
}
"""Which states a verb moves: a filter means messages in those alone."""


@click.command("retry")
@meaning
@config_option
def retry(meant: Meant) -> None:
    """Try messages now that would wait longer."""
    _act(Verb.RETRY, meant)


@click.command("hold")
@meaning
@click.option("--why", default="", help="The reason, for the log and the page.")
@config_option
def hold(meant: Meant, why: str) -> None:
    """Keep messages where they are, until they are released."""
    _act(Verb.HOLD, meant, why)


@click.command("release")
@meaning
@config_option
def release(meant: Meant) -> None:
    """Let messages go that are held, quarantined or damaged."""
    _act(Verb.RELEASE, meant)


@click.command("delete")
@meaning
@config_option
def delete(meant: Meant) -> None:
    """Remove messages for ever."""
    _act(Verb.DELETE, meant)


@click.command("flush")
@click.argument("domain", required=False)
@config_option
def flush(domain: str | None) -> None:
    """Try everything that waits now, of one domain or of all."""
    try:
        wanted = Filter(domain=notation.domain(domain) if domain else None)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="DOMAIN") from error
    client = server()
    changed = _ask(client, Verb.RETRY, [row.message.id for row in _matching(client, Verb.RETRY, wanted)])
    say(f"{Verb.RETRY}: {words.messages(len(changed))}")


def _act(verb: Verb, meant: Meant, why: str = "") -> None:
    client = server()
    if meant.dry_run:
        count = show_list(iter(_named(client, meant.ids)) if meant.ids else _matching(client, verb, meant.wanted))
        say(f"would {verb} {words.messages(count)}")
        return
    named = {row.message.id: row.message.state() for row in _named(client, meant.ids)}
    ids = list(named) or [row.message.id for row in _matching(client, verb, meant.wanted)]
    asking = not meant.ids or verb is Verb.DELETE
    if ids and asking and not meant.yes:
        click.confirm(f"{verb} {words.messages(len(ids))}?", abort=True, err=True)
    changed = _ask(client, verb, ids, why)
    say(f"{verb}: {words.messages(len(changed))}")
    unmoved = [id for id in named if id not in changed]
    for id in unmoved:
        say(f"{id}: not changed: it was {named[id]}")
    sys.exit(1 if unmoved else 0)


def _named(client: ControlClient, ids: Iterable[str]) -> list[Row]:
    """The messages of these ids; all that are unclear are told, and then nothing is done."""
    found: list[Row] = []
    problems: list[str] = []
    for id in dict.fromkeys(ids):
        answer = client.ask(ShowMessage(id))
        if isinstance(answer, Row):
            found.append(answer)
        elif isinstance(answer, Refused):
            problems += answer.problems
    if problems:
        say(*problems)
        sys.exit(1)
    return found


def _matching(client: ControlClient, verb: Verb, wanted: Filter) -> Iterator[Row]:
    return (row for row in client.listing(ListQueue(wanted)) if row.message.state() in MOVES[verb])


def _ask(client: ControlClient, verb: Verb, ids: Iterable[str], why: str = "") -> set[str]:
    """Have it done, a thousand at a time; returns the ids that changed."""
    left = iter(ids)
    changed: set[str] = set()
    while batch := tuple(islice(left, AT_ONCE)):
        answer = client.ask(Act(verb, batch, asker(), why))
        if not isinstance(answer, Done):
            say(*getattr(answer, "problems", ()), f"{verb}: {words.messages(len(changed))} before that")
            sys.exit(1)
        changed.update(answer.ids)
    return changed
