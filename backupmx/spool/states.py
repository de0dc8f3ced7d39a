"""The pure steps that move a message from one state to the next; both stores take them from here.

Knows: the state table (design, section 3).
Does not know: where a message is stored.

| state | leaves by |
|---|---|
| absent | ACCEPT → waiting |
| waiting | `leased` → leased |
| leased | `settled` → waiting, quarantined or absent; a lapsed lease is due like any other |
| held | `released` → waiting; removal |
| quarantined | `released` → waiting; removal |
| damaged | `released` → waiting; removal |
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from backupmx.core.message import Fate, Hold, Message, Progress, Schedule, State
from backupmx.core.outcome import Deferred, Delivered, Failed, Outcome
from backupmx.core.queue import Filter

FATES = {Delivered: Fate.DELIVERED, Deferred: Fate.PENDING, Failed: Fate.QUARANTINED}
EXPIRED = "the holding window is over"


def leased(message: Message, domain: str, owner: str, until: datetime) -> Message:
    """Count the attempt before anything is dialled."""
    old = message.schedule[domain]
    new = replace(old, due=until, attempts=old.attempts + 1, owner=owner)
    return replace(message, schedule={**message.schedule, domain: new})


def settled(message: Message, domain: str, outcomes: Mapping[str, Outcome], now: datetime, due: datetime) -> Message | None:
    """Record the outcomes; None when every recipient has its message."""
    progress = dict(message.progress)
    for address, outcome in outcomes.items():
        # what expired meanwhile stays quarantined, unless it was delivered after all
        if message.fate(address) is Fate.PENDING or isinstance(outcome, Delivered):
            progress[address] = Progress(FATES[type(outcome)], str(outcome.reply), outcome.host, now)
    message = replace(message, progress=progress)
    schedule = dict(message.schedule)
    old = schedule.pop(domain, None)
    if old and message.pending(domain):
        deferred = any(isinstance(outcome, Deferred) for outcome in outcomes.values())
        schedule[domain] = replace(old, due=due, deferrals=old.deferrals + deferred, owner=None)
    return None if delivered(message) else replace(message, schedule=schedule)


def delivered(message: Message) -> bool:
    """Whether nothing is left to do."""
    return all(message.fate(recipient.address) is Fate.DELIVERED for recipient in message.envelope.recipients)


def expired(message: Message, domain: str, now: datetime) -> Message:
    """The end of the holding window: what is pending in this domain is quarantined."""
    late = {address: Progress(Fate.QUARANTINED, _last_words(message, address), "", now) for address in message.pending(domain)}
    schedule = {name: entry for name, entry in message.schedule.items() if name != domain}
    return replace(message, progress={**message.progress, **late}, schedule=schedule)


def _last_words(message: Message, address: str) -> str:
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
    message = replace(message, progress=progress, hold=None, damage=None)
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
    if wanted.domain is not None and wanted.domain not in message.domains():
        return False
    if wanted.state is not None and message.state(wanted.domain) is not wanted.state:
        both = {State.WAITING, State.LEASED}
        if not (wanted.state is State.WAITING and message.state(wanted.domain) in both):
            return False
    if wanted.before is not None and message.arrived >= wanted.before:
        return False
    if wanted.sender is not None and wanted.sender.lower() not in message.envelope.sender.lower():
        return False
    addresses = [recipient.address.lower() for recipient in message.envelope.recipients]
    return wanted.recipient is None or any(wanted.recipient.lower() in address for address in addresses)
