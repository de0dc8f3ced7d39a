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
from webui.tongue import gettext as _


def why_here(row: Row, domains: Mapping[str, DomainStatus]) -> str:
    """Why a message is in the spool; untrusted where somebody is named. Empty for one that is being delivered: that says it."""
    message = row.message
    learned = last_learned(message)
    match message.state():
        case State.DAMAGED:
            return _("its content is damaged (%(why)s)", why=message.damage)
        case State.HELD:
            assert message.hold
            if message.hold.why:
                return _("%(name)s holds it: %(why)s", name=message.hold.by, why=message.hold.why)
            return _("%(name)s holds it", name=message.hold.by)
        case State.QUARANTINED:
            return _why_quarantined(learned.host if learned else "", bool(message.envelope.proof))
        case State.LEASED:
            return ""
        case State.WAITING:
            return _why_waiting(message, domains)


def _why_quarantined(host: str, may_be_told: bool) -> str:
    if host and may_be_told:
        return _("%(host)s refused it", host=host)
    if host:
        return _("%(host)s refused it, and its sender may not be told", host=host)
    return _("it could not be delivered") if may_be_told else _("it could not be delivered, and its sender may not be told")


def _why_waiting(message: Message, domains: Mapping[str, DomainStatus]) -> str:
    learned = last_learned(message)
    if doubtful := _doubtful(message, domains):
        return _("the server of %(domain)s refuses mail that it used to accept", domain=doubtful)
    if _all_down(message, domains):
        return _("the primary is down")
    if learned is None:
        return _("nobody was asked to take it yet")
    return _("%(host)s put it off", host=learned.host) if learned.host else _("it could not be handed over")


def next_for_message(row: Row, domains: Mapping[str, DomainStatus], now: datetime) -> str:
    """What happens next with a message, and how long it is kept."""
    message = row.message
    match message.state():
        case State.DAMAGED | State.QUARANTINED:
            return _("an admin decides")
        case State.HELD:
            return _("stays until it is released")
        case State.LEASED:
            return _("on its way to the primary now")
        case State.WAITING:
            next_try = _next_try(message, domains, now)
            if not row.expires:
                return next_try
            return _("%(next)s; kept until %(moment)s", next=next_try, moment=words.clock(row.expires, now))


def _next_try(message: Message, domains: Mapping[str, DomainStatus], now: datetime) -> str:
    # a primary that is down is probed, and mail is not: its own due time means nothing until then
    if _all_down(message, domains):
        return _("goes as soon as the primary is back")
    if _doubtful(message, domains):
        return _("goes once the primary is right again")
    due = next_attempt(message)
    return _("next try %(moment)s", moment=words.clock(due, now)) if due and due > now else _("next in line")


def _all_down(message: Message, domains: Mapping[str, DomainStatus]) -> bool:
    return all(name in domains and domains[name].primary.state is PrimaryState.DOWN for name in message.schedule)


def _doubtful(message: Message, domains: Mapping[str, DomainStatus]) -> str | None:
    return next((name for name in message.schedule if name in domains and domains[name].doubtful), None)
