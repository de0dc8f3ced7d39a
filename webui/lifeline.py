"""The life of a message as lines that a person reads: each event, with the primary's own words beside it.

Knows: the kinds of events, and what a message's end is called.
Does not know: HTML, where lives are kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from backupmx.control.listing import outcome
from backupmx.core import words
from backupmx.core.events import AnyEvent, Bounced, Damaged, Expired, Held, Released, Removed, Result, Told, Tried
from backupmx.core.message import Kind
from backupmx.core.track import Life, Standing

FEW = 3
"""Recipients named in one line."""
RECIPIENTS = 200
"""Recipients on a page."""
_TRIED = {
    Result.DELIVERED: ("good", "Delivered to {}."),
    Result.DEFERRED: ("later", "Put off for {}."),
    Result.FAILED: ("bad", "Refused for {}."),
    Result.RELAYED: ("good", "Passed on at once, while its sender waited, to {}."),
}
_TOLD = {
    Kind.FAILED: "The sender was told that {} will not get it.",
    Kind.DELAYED: "The sender was told that it waits for {}.",
    Kind.RELAYED: "The sender was told that it was delivered to {}.",
    Kind.DELIVERED: "The sender was told that it was delivered to {}.",
}
_DONE = {Bounced: "sent it back", Held: "held it", Released: "released it", Removed: "deleted it"}
_ENDS = {
    Standing.DELIVERED: "It was delivered, and is no longer here.",
    Standing.RELAYED: "It was passed on at once, and never waited here.",
    Standing.RETURNED: "It was sent back: somebody did not get it, and its sender was told.",
    Standing.REMOVED: "It was deleted by an admin.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened. All text may hold a stranger's words."""

    at: datetime
    mood: str
    """How it looks: good, later, bad, or plain."""
    said: str
    quoted: str = ""
    """The primary's own words, or an admin's reason."""
    where: str = ""
    """Who said it, and in which way the line was secured."""
    times: int = 1
    since: datetime | None = None
    notice: str = ""
    """The notification that was written, a message of its own."""


@dataclass(frozen=True, slots=True)
class Fared:
    """One recipient, and the last that is known of it."""

    address: str
    outcome: str
    quoted: str
    where: str
    at: datetime | None


def lines(life: Life) -> Iterator[Line]:
    """From arrival to the end, in order."""
    client = life.client
    tls = f" ({client.tls})" if client.tls else ", without encryption"
    came = f"Came from {client.address}, which calls itself {client.helo}, {words.size(life.size)}{tls}."
    yield Line(life.arrived, "plain", came)
    for number, event in enumerate(life.events):
        yield _line(life, event)
        if number == 0 and life.dropped:
            yield Line(event.at, "plain", f"{life.dropped:,} more of the like are left out.")


def end(life: Life) -> str:
    """How it ended, in a sentence; empty while it is here."""
    return _ENDS.get(life.standing, "") if life.ended else ""


def fared(life: Life) -> tuple[Fared, ...]:
    """The first of the recipients, with what became of each."""
    found = []
    for place, last in enumerate(life.latest()[:RECIPIENTS]):
        tried = last if isinstance(last, Tried) else None
        found.append(
            Fared(
                life.recipients[place],
                outcome(life, place, last),
                tried.reply if tried else "",
                _where(tried) if tried else "",
                last.at if last else None,
            )
        )
    return tuple(found)


def _line(life: Life, event: AnyEvent) -> Line:
    match event:
        case Tried():
            mood, said = _TRIED[event.result]
            whom = _named(life, event.whom)
            return Line(event.at, mood, said.format(whom), event.reply, _where(event), event.times, event.since)
        case Expired():
            return Line(event.at, "bad", f"The holding window ended for {_named(life, event.whom)}.")
        case Told():
            return Line(event.at, "plain", _TOLD[event.kind].format(_named(life, event.whom)), notice=event.notice)
        case Damaged():
            return Line(event.at, "bad", "Set aside: its content does not match its digest.", event.why)
        case _:
            return Line(event.at, "plain", f"{event.by} {_DONE[type(event)]}.", event.why)


def _where(event: Tried) -> str:
    return f"{event.host}{f', {event.tls}' if event.tls else ''}"


def _named(life: Life, whom: Sequence[int]) -> str:
    named = ", ".join(life.recipients[place] for place in whom[:FEW])
    return named + (f" and {len(whom) - FEW} more" if len(whom) > FEW else "")
