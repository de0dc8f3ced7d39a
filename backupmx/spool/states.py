"""The pure steps that move a message from one state to the next; both stores take them from here.

Knows: the state table (design, section 3).
Does not know: where a message is stored.

| state | leaves by |
|---|---|
| absent | ACCEPT → waiting |
| waiting | `leased` → leased |
| leased | `settled` → waiting, quarantined or finished, which is absent; a lapsed lease is due like any other |
| held | `released` → waiting; `bounced` → absent; removal |
| quarantined | `released` → waiting; `bounced` → absent; removal |
| damaged | `released` → waiting; removal |

Each transaction that returns recipients to their sender takes the notification in as a message of its own, which is waiting.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from backupmx.core import subject
from backupmx.core.message import FINAL, Fate, Hold, Kind, Lease, Message, Notice, Progress, Schedule, State
from backupmx.core.outcome import Deferred, Delivered, Failed, Outcome
from backupmx.core.queue import Filter
from backupmx.spool import keys

FATES = {Delivered: Fate.DELIVERED, Deferred: Fate.PENDING, Failed: Fate.QUARANTINED}
EXPIRED = "the holding window is over"


def leased(message: Message, domain: str, owner: str, until: datetime) -> Message:
    """Count the attempt before anything is dialled."""
    old = message.schedule[domain]
    new = replace(old, due=until, attempts=old.attempts + 1, owner=owner)
    return replace(message, schedule={**message.schedule, domain: new})


def returned(message: Message, notices: Sequence[Notice]) -> tuple[Collection[str], Sequence[Notice]]:
    """Whose failure the sender is told of, and the notifications that are to be sent, now that it is known how all stand.

    One that tells of a failure is true only if nobody of whom it tells came to another end meanwhile.
    """
    if not notices:
        return (), ()
    true = [
        notice
        for notice in notices
        if notice.kind is not Kind.FAILED or all(message.fate(address) is Fate.PENDING for address in notice.about)
    ]
    return {address for notice in true if notice.kind is Kind.FAILED for address in notice.about}, true


def settled(
    message: Message, lease: Lease, outcomes: Mapping[str, Outcome], now: datetime, due: datetime, told: Collection[str] = ()
) -> Message:
    """Record the outcomes; the sender is told of these failures. When it is tried again is for who has the lease to say."""
    domain = lease.domain
    progress = dict(message.progress)
    for address, outcome in outcomes.items():
        # what expired meanwhile stays quarantined, unless it was delivered after all
        fate = message.fate(address)
        if fate is Fate.PENDING or (isinstance(outcome, Delivered) and fate not in FINAL):
            end = Fate.RETURNED if address in told and isinstance(outcome, Failed) else FATES[type(outcome)]
            progress[address] = Progress(end, str(outcome.reply), outcome.host, now)
    message = replace(message, progress=progress)
    schedule = dict(message.schedule)
    old = schedule.pop(domain, None)
    if old and message.pending(domain):
        deferred = any(isinstance(outcome, Deferred) for outcome in outcomes.values())
        holds = (old.owner, old.due) == (lease.owner, lease.until)
        schedule[domain] = replace(old, due=due, deferrals=old.deferrals + deferred, owner=None) if holds else old
    return replace(message, schedule=schedule)


def late(message: Message, domain: str, upto: datetime, now: datetime) -> bool:
    """Whether the holding window is over for what is pending in this domain; what is leased has its courier see to that."""
    entry = message.schedule.get(domain)
    if entry is None or message.hold or message.damage:
        return False
    return message.window_began <= upto and not (entry.owner and entry.due > now)


def expired(message: Message, domain: str, now: datetime, told: Collection[str] = ()) -> Message:
    """The end of the holding window: what is pending in this domain is returned to a sender who is told, else quarantined."""
    late = {
        address: Progress(Fate.RETURNED if address in told else Fate.QUARANTINED, last_words(message, address), "", now)
        for address in message.pending(domain)
    }
    schedule = {name: entry for name, entry in message.schedule.items() if name != domain}
    return replace(message, progress={**message.progress, **late}, schedule=schedule)


def bounced(message: Message, notice: Notice, why: str, now: datetime) -> Message | None:
    """An admin's wish: whoever has not got it will not; None when the notice does not tell of exactly those.

    Nor can one be sent back that is on its way, or whose content is damaged.
    """
    if message.state() in (State.LEASED, State.DAMAGED) or set(message.unfinished()) != set(notice.about):
        return None
    ends = {address: Progress(Fate.RETURNED, why, "", now) for address in notice.about}
    return replace(message, progress={**message.progress, **ends}, schedule={}, hold=None)


def last_words(message: Message, address: str) -> str:
    """Why somebody's time is over, with what was learned before."""
    known = message.progress.get(address)
    return f"{EXPIRED}; last: {known.said}" if known else EXPIRED


def reclaimed(message: Message, domain: str, now: datetime) -> Message:
    """A dead courier's lease is void."""
    entry = replace(message.schedule[domain], due=now, owner=None)
    return replace(message, schedule={**message.schedule, domain: entry})


def held(message: Message, by: str, why: str, now: datetime) -> Message | None:
    """An admin's wish; None when it changes nothing."""
    if message.state() not in (State.WAITING, State.LEASED):
        return None
    return replace(message, hold=Hold(by, why, now))


def released(message: Message, now: datetime) -> Message | None:
    """Back to waiting, due at once; None when it waits already."""
    quarantined = any(known.fate is Fate.QUARANTINED for known in message.progress.values())
    if not (message.hold or message.damage or quarantined):
        return None
    progress = {
        address: replace(known, fate=Fate.PENDING) if known.fate is Fate.QUARANTINED else known
        for address, known in message.progress.items()
    }
    stood_still = message.stood_still + (now - message.hold.at if message.hold else timedelta(0))
    message = replace(message, progress=progress, hold=None, damage=None, stood_still=stood_still)
    schedule = {}
    for domain in message.domains():
        if message.pending(domain):
            old = message.schedule.get(domain)
            schedule[domain] = old if old and old.owner else replace(old, due=now) if old else Schedule(due=now)
    return replace(message, schedule=schedule)


def hurried(message: Message, now: datetime, of: str | None = None) -> Message | None:
    """Due at once, for one domain or all; None when nothing waits, or all of it is leased."""
    if message.state() is not State.WAITING and message.state() is not State.LEASED:
        return None
    waiting = {name: entry for name, entry in message.schedule.items() if not entry.owner and of in (None, name)}
    schedule = {**message.schedule, **{name: replace(entry, due=now) for name, entry in waiting.items()}}
    return replace(message, schedule=schedule) if waiting else None


def matches(wanted: Filter, message: Message) -> bool:
    """Whether a message is meant by a filter."""
    if wanted.domain is not None and wanted.domain not in keys.domains(message):
        return False
    if wanted.state is not None and message.state(wanted.domain) is not wanted.state:
        both = {State.WAITING, State.LEASED}
        if not (wanted.state is State.WAITING and message.state(wanted.domain) in both):
            return False
    if wanted.before is not None and message.arrived >= wanted.before:
        return False
    if wanted.sender is not None and wanted.sender.lower() not in message.envelope.sender.lower():
        return False
    if wanted.recipient is not None:
        part = wanted.recipient.lower()
        if not any(part in recipient.address.lower() for recipient in message.envelope.recipients):
            return False
    return wanted.subject is None or wanted.subject.lower() in subject.shown(message.subject).lower()
