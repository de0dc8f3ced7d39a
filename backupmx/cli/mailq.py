"""`backupmx mailq`: the queue for Postfix hands, and for scripts that read what Postfix's mailq(1) prints."""

import sys
from collections.abc import Iterator

import rich_click as click

from backupmx.cli.options import config_option, json_option, server
from backupmx.cli.queue import show_queue
from backupmx.cli.terminal import plain, show
from backupmx.control.answers import Row
from backupmx.control.requests import ListQueue
from backupmx.core.message import State
from backupmx.core.queue import Filter

HEAD = "-Queue ID-                  --Size-- ----Arrival Time---- -Sender/Recipient-------"
MARKS = {State.LEASED: "*", State.HELD: "!", State.QUARANTINED: "!", State.DAMAGED: "!"}
"""On its way; kept where it is."""
INDENT = " " * 58
NOBODY = "MAILER-DAEMON"
EMPTY = "Mail queue is empty"


@click.command("mailq")
@json_option
@config_option
def mailq(as_json: bool) -> None:
    """List all messages: as `queue list` does on a terminal, in a pipe as Postfix does.

    Behind an id a `*` means that the message is on its way, and a `!` that it is kept until an admin says something.
    """
    if as_json or sys.stdout.isatty():
        show_queue(Filter(), 0, as_json)
        return
    messages = octets = 0
    for row in server().listing(ListQueue()):
        show(HEAD if not messages else "")
        messages += 1
        octets += row.message.size
        for line in _entry(row):
            show(line)
    if messages:
        show()
    show(f"-- {octets // 1024} Kbytes in {messages} Request{'s' if messages > 1 else ''}." if messages else EMPTY)


def _entry(row: Row) -> Iterator[str]:
    message = row.message
    name = f"{message.id}{MARKS.get(message.state(), ' ')}"
    # Postfix prints the time of the place where it is
    arrived = f"{message.arrived.astimezone():%a %b %e %H:%M:%S}"
    yield f"{name:27} {message.size:>8} {arrived:20} {plain(message.envelope.sender) or NOBODY}"
    reason = None
    for address in message.unfinished():
        known = message.progress.get(address)
        if known and known.said != reason:
            reason = known.said
            yield f"({reason})".rjust(len(INDENT))
        yield INDENT + address
