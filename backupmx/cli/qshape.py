"""`backupmx qshape`: what waits by domain and age, as Postfix's qshape(1) draws it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import rich_click as click

from backupmx.cli.options import config_option, json_option, server
from backupmx.cli.progress import Step, progress
from backupmx.cli.selection import filters
from backupmx.cli.terminal import Column, say, show_json, show_table
from backupmx.control.requests import ListQueue
from backupmx.core.message import NOTICES, NULL_SENDER, Message, State
from backupmx.core.queue import Filter

MINUTES = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""Where one column ends and the next begins; what is older is in a last one."""
HEADS = (*map(str, MINUTES), f"{MINUTES[-1]}+")
COLUMNS = (Column(""), Column("T", number=True), *(Column(head, number=True) for head in HEADS))
TOTAL = "TOTAL"
NOBODY = "MAILER-DAEMON"
"""The null sender's place, as with Postfix."""
NOTIFICATIONS = "notifications"
"""What is on its way to senders is of none of the protected domains."""
WAITING = (State.WAITING, State.LEASED)
Shape = dict[str, list[int]]
"""For each domain how many messages are in each column."""


@click.command("qshape")
@filters
@click.option("-s", "--senders", is_flag=True, help="By the senders' domains.")
@json_option
@config_option
def qshape(wanted: Filter, senders: bool, as_json: bool) -> None:
    """Count what waits by domain and age: in each column messages that are younger than so many minutes.

    Held and quarantined messages are counted with `--state` alone. One for two domains counts in both, and once in the total.
    """
    found = server().listing(ListQueue(wanted))
    with progress("counting", None) as step:
        messages = (row.message for row in found if wanted.state or row.message.state(wanted.domain) in WAITING)
        shape = shaped(messages, datetime.now(UTC), wanted, senders, step)
    lines = [(TOTAL, shape.pop(TOTAL)), *sorted(shape.items(), key=lambda line: (-sum(line[1]), line[0]))]
    if as_json:
        for name, counts in lines:
            known = None if name == TOTAL else name
            show_json({"domain": known, "total": sum(counts), "minutes": dict(zip(HEADS, counts, strict=True))})
    elif not sum(lines[0][1]):
        say("nothing waits")
    else:
        show_table(COLUMNS, map(_cells, lines))


def shaped(messages: Iterable[Message], now: datetime, wanted: Filter, senders: bool, step: Step) -> Shape:
    """The whole table; the total is in it even when nothing waits."""
    shape: Shape = {TOTAL: [0] * len(HEADS)}
    for message in messages:
        column = _column(now - message.arrived)
        for name in (TOTAL, *_names(message, wanted, senders)):
            shape.setdefault(name, [0] * len(HEADS))[column] += 1
        step(1)
    return shape


def _column(age: timedelta) -> int:
    minutes = age / timedelta(minutes=1)
    return next((number for number, end in enumerate(MINUTES) if minutes < end), len(MINUTES))


def _names(message: Message, wanted: Filter, senders: bool) -> Iterator[str]:
    if senders:
        sender = message.envelope.sender
        yield NOBODY if sender == NULL_SENDER else sender.rpartition("@")[2].lower()
        return
    for domain in message.domains():
        if wanted.domain in (None, domain) and (message.pending(domain) or wanted.state):
            yield NOTIFICATIONS if domain == NOTICES else domain


def _cells(line: tuple[str, Sequence[int]]) -> Sequence[str]:
    name, counts = line
    return name, str(sum(counts)), *map(str, counts)
