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
from webui import tongue
from webui.tongue import gettext as _
from webui.tongue import lazy_gettext as _l
from webui.tongue import ngettext, number

FEW = 3
"""Recipients named in one line."""
RECIPIENTS = 200
"""Recipients on a page."""
_TRIED = {
    Result.DELIVERED: ("good", _l("Delivered to %(whom)s.")),
    Result.DEFERRED: ("later", _l("Put off for %(whom)s.")),
    Result.FAILED: ("bad", _l("Refused for %(whom)s.")),
    Result.RELAYED: ("good", _l("Passed on at once, while its sender waited, to %(whom)s.")),
}
_TOLD = {
    Kind.FAILED: _l("The sender was told that %(whom)s will not get it."),
    Kind.DELAYED: _l("The sender was told that it waits for %(whom)s."),
    Kind.RELAYED: _l("The sender was told that it was delivered to %(whom)s."),
    Kind.DELIVERED: _l("The sender was told that it was delivered to %(whom)s."),
}
_DONE = {
    Bounced: _l("%(name)s sent it back."),
    Held: _l("%(name)s held it."),
    Released: _l("%(name)s released it."),
    Removed: _l("%(name)s deleted it."),
}
_ENDS = {
    Standing.DELIVERED: _l("It was delivered, and is no longer here."),
    Standing.RELAYED: _l("It was passed on at once, and never waited here."),
    Standing.RETURNED: _l("It was sent back: somebody did not get it, and its sender was told."),
    Standing.REMOVED: _l("It was deleted by an admin."),
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
    yield Line(life.arrived, "plain", _came(life))
    for place, event in enumerate(life.events):
        yield _line(life, event)
        if place == 0 and life.dropped:
            left_out = ngettext("%(num)s more of the like is left out.", "%(num)s more of the like are left out.", life.dropped)
            yield Line(event.at, "plain", left_out)


def end(life: Life) -> str:
    """How it ended, in a sentence; empty while it is here."""
    return str(_ENDS.get(life.standing, "")) if life.ended else ""


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


def _came(life: Life) -> str:
    client, size = life.client, words.size(life.size, tongue)
    if client.tls:
        return _(
            "Came from %(address)s, which calls itself %(helo)s, %(size)s (%(tls)s).",
            address=client.address,
            helo=client.helo,
            size=size,
            tls=client.tls,
        )
    return _(
        "Came from %(address)s, which calls itself %(helo)s, %(size)s, without encryption.",
        address=client.address,
        helo=client.helo,
        size=size,
    )


def _line(life: Life, event: AnyEvent) -> Line:
    match event:
        case Tried():
            mood, said = _TRIED[event.result]
            whom = _named(life, event.whom)
            return Line(event.at, mood, str(said) % {"whom": whom}, event.reply, _where(event), event.times, event.since)
        case Expired():
            return Line(event.at, "bad", _("The holding window ended for %(whom)s.", whom=_named(life, event.whom)))
        case Told():
            said = str(_TOLD[event.kind]) % {"whom": _named(life, event.whom)}
            return Line(event.at, "plain", said, notice=event.notice)
        case Damaged():
            return Line(event.at, "bad", _("Set aside: its content does not match its digest."), event.why)
        case _:
            return Line(event.at, "plain", str(_DONE[type(event)]) % {"name": event.by}, event.why)


def _where(event: Tried) -> str:
    return f"{event.host}{f', {event.tls}' if event.tls else ''}"


def _named(life: Life, whom: Sequence[int]) -> str:
    named = ", ".join(life.recipients[place] for place in whom[:FEW])
    if len(whom) <= FEW:
        return named
    return _("%(named)s and %(count)s more", named=named, count=number(len(whom) - FEW))
