"""What admins are told: one message for all that is new, and the digest of a day or a week.

Knows: the words, and how many of them fit in a message.
Does not know: whether it is time to tell, who is told, and how.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from backupmx.core import words
from backupmx.core.alerts import Kind, Tiding, Trace, What
from backupmx.core.books import Line
from backupmx.core.conditions import Facts
from backupmx.core.history import Outage

MOST = 20
"""Of one message: more would be read by nobody."""


class Tone(StrEnum):
    """How loud a message is, in Apprise's words."""

    FAILURE = "failure"
    WARNING = "warning"
    SUCCESS = "success"
    INFO = "info"


class Letter(Struct, frozen=True):
    """What is sent to everybody who wants to know."""

    tone: Tone
    title: str
    body: str


def compose(tidings: Sequence[Tiding], facts: Facts) -> Letter:
    """All that is new, the gravest first."""
    ordered = sorted(tidings, key=_rank)
    told = [_told(tiding, facts) for tiding in ordered]
    lines = [said for _, said in told[:MOST]]
    if len(told) > MOST:
        lines.append(f"And {len(told) - MOST} more: backupmx alerts list")
    title = told[0][0] + (f", and {len(told) - 1} more" if len(told) > 1 else "")
    body = "\n\n".join([*lines, _signed(facts.status.hostname, facts.status.time)])
    return Letter(_tone(ordered[0]), f"{facts.status.hostname}: {title}", body)


def _rank(tiding: Tiding) -> tuple[bool, bool]:
    return tiding.condition is None, tiding.condition is not None and not tiding.condition.grave


def _tone(first: Tiding) -> Tone:
    if first.condition is None:
        return Tone.SUCCESS
    return Tone.FAILURE if first.condition.grave else Tone.WARNING


def _told(tiding: Tiding, facts: Facts) -> tuple[str, str]:
    """A title and a few sentences."""
    condition = tiding.condition
    if condition is None:
        return _over(tiding.trace, facts)
    if tiding.what is What.LASTS:
        return f"still: {condition.title}", condition.said
    return condition.title, condition.said


_OVER: Mapping[Kind, tuple[str, str]] = {
    Kind.PRIMARY_SUSPECT: (
        "primary of {name} is believed again",
        "What the primary of {name} says is believed again, after {lasted}.",
    ),
    Kind.WINDOW: (
        "mail for {name} has time again",
        "No message for {name} is near the end of its holding window any more.",
    ),
    Kind.ROOM: ("room for mail again", "There is room for {room} of mail again."),
    Kind.CERTIFICATE: ("certificate is renewed", "The certificate that senders see is good until {until}."),
    Kind.DNS: ("DNS of {name} is right again", "DNS of {name} is right again, after {lasted}."),
    Kind.BOOKS: ("the books balance again", "The books balance again, after {lasted}."),
    Kind.DAMAGED: ("no damaged mail for {name} is left", "No damaged message for {name} is left."),
}


def _over(trace: Trace, facts: Facts) -> tuple[str, str]:
    name = trace.subject or "this machine"
    lasted = words.span((trace.gone or facts.status.time) - trace.since)
    if trace.kind is Kind.PRIMARY_DOWN:
        return f"primary of {name} is up again", _up_again(trace, lasted, facts)
    title, said = _OVER[trace.kind]
    return title.format(name=name), said.format(
        name=name, lasted=lasted, room=words.size(facts.room), until=f"{facts.expires:%Y-%m-%d}"
    )


def _up_again(trace: Trace, lasted: str, facts: Facts) -> str:
    name = trace.subject
    domain = next((each for each in facts.status.domains if each.domain == name), None)
    route = f" ({domain.route})" if domain and domain.route else ""
    served = words.recipients(max(0, facts.delivered.get(name, 0) - trace.delivered))
    left = words.messages(domain.messages if domain else 0)
    return f"The primary of {name}{route} is up again after {lasted}; mail delivered to {served}, {left} left."


def trial(hostname: str, now: datetime) -> Letter:
    """To see whether messages arrive."""
    return Letter(Tone.INFO, f"{hostname}: a test", f"If you can read this, alerts reach you.\n\n{_signed(hostname, now)}")


def _signed(hostname: str, now: datetime) -> str:
    return f"Backup MX on {hostname}, {now:%Y-%m-%d %H:%M} UTC"


class Share(Struct, frozen=True):
    """What a digest tells of one domain."""

    line: Line
    """The books of these days."""
    outages: Sequence[Outage] = ()


def digest(first: datetime, end: datetime, shares: Mapping[str, Share], facts: Facts) -> Letter:
    """How a day or a week went, domain by domain."""
    days = (end - first) // timedelta(days=1)
    when = f"{first:%Y-%m-%d}" if days == 1 else f"{first:%Y-%m-%d} to {end - timedelta(days=1):%Y-%m-%d}"
    kept = sum(share.line.accepted for share in shares.values())
    outages = sum(len(share.outages) for share in shares.values())
    lines = [f"{name}: {_share(share, first, end)}." for name, share in shares.items()]
    difference = facts.status.queue.difference
    lines.append(f"The books do not balance: {words.recipients(difference)}." if difference else "The books balance.")
    lines += [words.sentence(facts.status), _signed(facts.status.hostname, facts.status.time)]
    title = f"{facts.status.hostname}: {when}: {words.messages(kept)} kept, {_outages(outages)}"
    return Letter(Tone.INFO, title, "\n\n".join(lines))


def _share(share: Share, first: datetime, end: datetime) -> str:
    """A message counts once for each of its recipients."""
    line = share.line
    later = [
        f"{count:,} {word}"
        for count, word in (
            (line.returned, "returned"),
            (line.removed, "removed"),
            (line.waiting, "waiting"),
            (line.held, "held"),
            (line.quarantined, "in quarantine"),
            (line.damaged, "damaged"),
        )
        if count
    ]
    away = sum((_within(outage, first, end) for outage in share.outages), timedelta(0))
    lasting = f" ({words.span(away)})" if share.outages else ""
    parts = [f"{words.messages(line.accepted)} kept", f"{line.delivered:,} delivered", *later]
    return f"{', '.join(parts)}; {_outages(len(share.outages))}{lasting}"


def _within(outage: Outage, first: datetime, end: datetime) -> timedelta:
    return max(timedelta(0), min(outage.ended or end, end) - max(outage.began, first))


def _outages(count: int) -> str:
    return f"{count:,} outage{'' if count == 1 else 's'}" if count else "no outage"
