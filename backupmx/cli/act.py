"""`backupmx queue retry|hold|release|bounce|delete` and `flush`: do something to messages, knowing to how many."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice

import rich_click as click
from msgspec import structs

from backupmx.cli.options import asker, begun, config_option, server
from backupmx.cli.queue import show_list
from backupmx.cli.selection import Meant, meaning
from backupmx.cli.terminal import say
from backupmx.control.answers import Counted, Done, Refused, Row
from backupmx.control.client import ControlClient
from backupmx.control.requests import MOVES, Act, ActMatching, CountMatching, ListQueue, ShowMessage, Verb
from backupmx.core import notation, words
from backupmx.core.message import Message
from backupmx.core.queue import Filter
from backupmx.errors import ControlUnavailable

AT_ONCE = 1000
"""Ids in one request."""
LOOK_S = 5.0
"""How long is counted before a person is asked; what is beyond that is said to be more."""


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


@click.command("bounce")
@meaning
@click.option("--why", default="", help="The reason, for the sender and the log.")
@config_option
def bounce(meant: Meant, why: str) -> None:
    """Send messages back: their senders are told that they were not delivered.

    Only a sender that was authenticated when the message came in is told anything; other messages stay where they are.
    """
    _act(Verb.BOUNCE, meant, why)


@click.command("delete")
@meaning
@config_option
def delete(meant: Meant) -> None:
    """Remove messages for ever."""
    _act(Verb.DELETE, meant)


@click.command("flush")
@click.argument("domain", required=False, shell_complete=begun)
@config_option
def flush(domain: str | None) -> None:
    """Try everything that waits now, of one domain or of all."""
    try:
        wanted = Filter(domain=notation.domain(domain) if domain else None)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="DOMAIN") from error
    client = server()
    found = counted(client, Verb.RETRY, wanted)
    say(f"{Verb.RETRY}: {words.messages(_ask_for_all(client, Verb.RETRY, wanted, found))}")


def _act(verb: Verb, meant: Meant, why: str = "") -> None:
    client = server()
    if meant.dry_run:
        count = show_list(iter(named(client, meant.ids)) if meant.ids else _matching(client, verb, meant.wanted))
        say(f"would {verb} {words.messages(count)}")
    elif meant.ids:
        _act_on_named(client, verb, meant, why)
    else:
        found = counted(client, verb, meant.wanted)
        if found.messages or not found.all:
            _confirm(f"{verb} {'' if found.all else 'more than '}{words.messages(found.messages)}?", meant)
        say(f"{verb}: {words.messages(_ask_for_all(client, verb, meant.wanted, found, why))}")


def _act_on_named(client: ControlClient, verb: Verb, meant: Meant, why: str) -> None:
    those = {row.message.id: row.message for row in named(client, meant.ids)}
    if verb in (Verb.BOUNCE, Verb.DELETE):
        _confirm(f"{verb} {words.messages(len(those))}?", meant)
    changed = _ask(client, verb, those, why)
    say(f"{verb}: {words.messages(len(changed))}")
    unmoved = [id for id in those if id not in changed]
    for id in unmoved:
        say(f"{id}: not changed: {_why_not(verb, those[id])}")
    sys.exit(1 if unmoved else 0)


def _confirm(question: str, meant: Meant) -> None:
    if not meant.yes:
        click.confirm(question, abort=True, err=True)


def _why_not(verb: Verb, message: Message) -> str:
    if verb is Verb.BOUNCE and not message.envelope.proof:
        return "its sender was not authenticated, so that nobody may be told; delete removes it"
    return f"it was {message.state()}"


def named(client: ControlClient, ids: Iterable[str]) -> list[Row]:
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
    return (row for row in client.listing(ListQueue(wanted)) if row.message.state(wanted.domain) in MOVES[verb])


def counted(client: ControlClient, verb: Verb, wanted: Filter) -> Counted:
    """How many a verb would move, or how many at least. Raises ControlUnavailable."""
    answer = client.ask(CountMatching(verb, wanted, LOOK_S))
    if not isinstance(answer, Counted):
        raise ControlUnavailable("; ".join(getattr(answer, "problems", ("an answer that is no number",))))
    return answer


def _ask_for_all(client: ControlClient, verb: Verb, wanted: Filter, found: Counted, why: str = "") -> int:
    """Have it done to all that match and were there when they were counted; returns how many changed."""
    assert found.upto is not None
    request, changed = ActMatching(verb, wanted, asker(), found.upto, why), 0
    while True:
        done = _done(client, request, verb, changed)
        changed += len(done.ids)
        if done.after is None:
            return changed
        request = structs.replace(request, after=done.after)


def _ask(client: ControlClient, verb: Verb, ids: Iterable[str], why: str = "") -> set[str]:
    """Have it done, a thousand at a time; returns the ids that changed."""
    left = iter(ids)
    changed: set[str] = set()
    while batch := tuple(islice(left, AT_ONCE)):
        changed.update(_done(client, Act(verb, batch, asker(), why), verb, len(changed)).ids)
    return changed


def _done(client: ControlClient, request: Act | ActMatching, verb: Verb, before: int) -> Done:
    answer = client.ask(request)
    if not isinstance(answer, Done):
        say(*getattr(answer, "problems", ()), f"{verb}: {words.messages(before)} before that")
        sys.exit(1)
    return answer
