"""`backupmx track`: what became of a message, gone or still here."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice

import rich_click as click

from backupmx.cli.options import config_option, json_option, server
from backupmx.cli.selection import parsed
from backupmx.cli.terminal import Column, say, show, show_json, show_table
from backupmx.control.listing import as_life, outcome
from backupmx.control.requests import TrackMessages
from backupmx.core import ids, notation, words
from backupmx.core.events import AnyEvent, Bounced, Damaged, Expired, Held, Released, Removed, Result, Told, Tried
from backupmx.core.track import Life, Standing, Wanted

COLUMNS = (
    Column("ID"),
    Column("ARRIVED (UTC)"),
    Column("STATE"),
    Column("FROM", whole=False),
    Column("TO", whole=False),
    Column("HOST", whole=False),
    Column("LAST REPLY", whole=False),
)
_DONE = {Bounced: "sent back", Held: "held", Released: "released", Removed: "removed"}
FEW = 3
"""Recipients named in one line."""
WHEN = 'Like "2026-11-23", "2026-11-23 14:00" (UTC) or "2026-11-23T15:00+01:00"; or so long ago: "30m", "5h", "2d".'


def moment(text: str) -> datetime:
    """A date, a time, or a length of time before now. Raises ValueError."""
    try:
        return datetime.now(UTC) - notation.duration(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError('must be a time like "2026-11-23 14:00", or a length of time before now like "5h"') from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def an_id(text: str) -> str:
    """An id or its beginning. Raises ValueError."""
    ids.abbreviation_range(text)
    return text


@click.command("track")
@click.argument("id", required=False, callback=parsed(an_id))
@click.option("--sender", help="The sender's address, or a part of it.")
@click.option("--recipient", help="A recipient's address, or a part of it.")
@click.option("--host", help="The client that handed it in, or a server that it was offered to, or a part of either.")
@click.option("--since", metavar="TIME", callback=parsed(moment), help=f"Arrived then or later. {WHEN}")
@click.option("--until", metavar="TIME", callback=parsed(moment), help="Arrived before then.")
@click.option("--limit", type=click.IntRange(min=1), help="Show so many at most.")
@json_option
@config_option
def track(
    id: str | None,
    sender: str | None,
    recipient: str | None,
    host: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Tell what became of messages, newest first; an id may be abbreviated (exit 1: nothing is known of such a message).

    It is known of messages that are here, and for 30 days of those that are gone.
    """
    found = server().lives(TrackMessages(Wanted(id, sender, recipient, host, since, until), limit or 0))
    first = list(islice(found, 2))
    if not first:
        say("nothing is known of such a message")
        sys.exit(1)
    lives = chain(first, found)
    if as_json:
        for life in lives:
            show_json(as_life(life))
    elif id is not None or (len(first) == 1 and sys.stdout.isatty()):
        for number, life in enumerate(lives):
            if number:
                show()
            for line in as_lines(life):
                show(line)
    else:
        show_table(COLUMNS, map(_cells, lives))


def as_lines(life: Life) -> Iterator[str]:
    """A life, line by line."""
    yield f"id: {life.id}"
    yield f"from: {life.sender or '<>'}"
    for place, last in enumerate(life.latest()):
        yield f"to: {life.recipients[place]}: {outcome(life, place, last)}"
    came = f"from {life.client.address} ({life.client.helo}), {words.size(life.size)}"
    if life.standing is not Standing.RELAYED:
        yield f"{_time(life.arrived)}  accepted {came}"
    for number, event in enumerate(life.events):
        yield f"{_time(event.at)}  {_said(life, event, came)}"
        if number == 0 and life.dropped:
            yield f"… {life.dropped} more of the like"
    if life.ended is None:
        yield f"still here: {life.standing.value}"


def _said(life: Life, event: AnyEvent, came: str) -> str:
    match event:
        case Tried():
            return _tried(life, event, came)
        case Expired():
            return f"the holding window ended for {_named(life, event.whom)}"
        case Damaged():
            return f"set aside, damaged: {event.why}"
        case Told():
            return f"the sender was told ({event.kind.value}) of {_named(life, event.whom)}, in message {event.notice}"
        case _:
            return f"{_DONE[type(event)]} by {event.by}{_why(event.why)}"


def _tried(life: Life, event: Tried, came: str) -> str:
    match event.result:
        case Result.RELAYED:
            did = f"passed on at once, {came}, to"
        case Result.DELIVERED:
            did = "delivered to"
        case Result.DEFERRED:
            did = "put off for"
        case Result.FAILED:
            did = "refused for"
    answer = f"{event.host} answered {event.reply}" if event.host else event.reply
    tls = f" ({event.tls})" if event.tls else ""
    often = f" ({event.times} times since {_time(event.since)})" if event.since else ""
    return f"{did} {_named(life, event.whom)}: {answer}{tls}{often}"


def _named(life: Life, whom: Sequence[int]) -> str:
    named = ", ".join(life.recipients[place] for place in whom[:FEW])
    return named + (f" and {len(whom) - FEW} more" if len(whom) > FEW else "")


def _why(why: str) -> str:
    return f": {why}" if why else ""


def _cells(life: Life) -> Sequence[str]:
    tried = [event for event in life.events if isinstance(event, Tried)]
    return (
        life.id,
        _time(life.arrived).removesuffix(" UTC"),
        life.standing.value,
        life.sender or "<>",
        life.recipients[0] + (f" (+{len(life.recipients) - 1})" if len(life.recipients) > 1 else ""),
        (tried[-1].host if tried else "") or "-",
        tried[-1].reply if tried else "-",
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
