"""Why a message is in the spool, and what happens next with it.

Knows: the states of messages and of primaries.
Does not know: HTML, the clock (it is given `now`).
"""

from collections.abc import Mapping
from datetime import datetime

from backupmx.control.answers import Row
from backupmx.control.listing import last_learned, next_attempt
from backupmx.core.message import Message, State
from backupmx.core.status import DomainStatus, PrimaryState
from webui import words


def why_here(row: Row, domains: Mapping[str, DomainStatus]) -> str:
    """Why a message is in the spool; untrusted where somebody is named. Empty for one that is being delivered: that says it."""
    message = row.message
    learned = last_learned(message)
    match message.state():
        case State.DAMAGED:
            return f"its content is damaged ({message.damage})"
        case State.HELD:
            assert message.hold
            return f"{message.hold.by} holds it{f': {message.hold.why}' if message.hold.why else ''}"
        case State.QUARANTINED:
            refused = f"{learned.host} refused it" if learned and learned.host else "it could not be delivered"
            return refused if message.envelope.proof else f"{refused}, and its sender may not be told"
        case State.LEASED:
            return ""
        case State.WAITING:
            return _why_waiting(message, domains)


def _why_waiting(message: Message, domains: Mapping[str, DomainStatus]) -> str:
    learned = last_learned(message)
    if doubtful := _doubtful(message, domains):
        return f"the server of {doubtful} refuses mail that it used to accept"
    if _all_down(message, domains):
        return "the primary is down"
    if learned is None:
        return "nobody was asked to take it yet"
    return f"{learned.host} put it off" if learned.host else "it could not be handed over"


def next_for_message(row: Row, domains: Mapping[str, DomainStatus], now: datetime) -> str:
    """What happens next with a message, and how long it is kept."""
    message = row.message
    match message.state():
        case State.DAMAGED | State.QUARANTINED:
            return "an admin decides"
        case State.HELD:
            return "stays until it is released"
        case State.LEASED:
            return "on its way to the primary now"
        case State.WAITING:
            kept = f"; kept until {words.clock(row.expires, now)}" if row.expires else ""
            return _next_try(message, domains, now) + kept


def _next_try(message: Message, domains: Mapping[str, DomainStatus], now: datetime) -> str:
    # a primary that is down is probed, and mail is not: its own due time means nothing until then
    if _all_down(message, domains):
        return "goes as soon as the primary is back"
    if _doubtful(message, domains):
        return "goes once the primary is right again"
    due = next_attempt(message)
    return f"next try {words.clock(due, now)}" if due and due > now else "next in line"


def _all_down(message: Message, domains: Mapping[str, DomainStatus]) -> bool:
    return all(name in domains and domains[name].primary.state is PrimaryState.DOWN for name in message.schedule)


def _doubtful(message: Message, domains: Mapping[str, DomainStatus]) -> str | None:
    return next((name for name in message.schedule if name in domains and domains[name].doubtful), None)
