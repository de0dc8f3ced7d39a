"""What things are called on the page: states, outcomes, reasons of refusals, what was looked at, parts of a choice, faults.

Knows: the names that log, API and metrics have for them.
Does not know: when they are shown.
"""

from collections.abc import Mapping

from werkzeug.exceptions import HTTPException

from webui.tongue import lazy_gettext as _l

_STATES: Mapping[str, str] = {
    "waiting": _l("waiting"),
    "leased": _l("leased"),
    "held": _l("held"),
    "quarantined": _l("quarantined"),
    "damaged": _l("damaged"),
    "delivered": _l("delivered"),
    "deferred": _l("deferred"),
    "failed": _l("failed"),
    "relayed": _l("relayed"),
    "returned": _l("returned"),
    "removed": _l("removed"),
    "expired": _l("expired"),
}
_TOPICS: Mapping[str, str] = {
    "addresses": _l("Addresses"),
    "alerts": _l("Alerts"),
    "books": _l("Books"),
    "certificate": _l("Certificate"),
    "clock": _l("Clock"),
    "disk": _l("Disk"),
    "inward": _l("Inward"),
    "mx": _l("MX"),
    "mta-sts": _l("MTA-STS"),
    "network": _l("Network"),
    "port25": _l("Port 25"),
    "postmaster": _l("Postmaster"),
    "primary": _l("Primary"),
    "ptr": _l("PTR"),
    "recipients": _l("Recipients"),
    "room": _l("Room"),
    "size": _l("Size"),
    "spf": _l("SPF"),
    "spool": _l("Spool"),
    "tls": _l("TLS"),
    "tlsa": _l("TLSA"),
    "trust": _l("Trust"),
}
_PARTS: Mapping[str, str] = {
    "after": _l("after"),
    "domain": _l("domain"),
    "host": _l("host"),
    "id": _l("id"),
    "older": _l("older"),
    "recipient": _l("recipient"),
    "sender": _l("sender"),
    "since": _l("since"),
    "state": _l("state"),
    "subject": _l("subject"),
    "until": _l("until"),
}
_REFUSALS: Mapping[str, str] = {
    # not now
    "shutting_down": _l("shutting down"),
    "too_many_connections": _l("too many connections"),
    "too_many_from_client": _l("too many from client"),
    "under_pressure": _l("under pressure"),
    "too_many_messages": _l("too many messages"),
    "too_many_errors": _l("too many errors"),
    "timeout": _l("timeout"),
    "too_slow": _l("too slow"),
    "trouble": _l("trouble"),
    "unverified_recipient": _l("unverified recipient"),
    "use_primary": _l("use primary"),
    "harvesting": _l("harvesting"),
    "no_space": _l("no space"),
    "too_many_recipients": _l("too many recipients"),
    "tls_unavailable": _l("tls unavailable"),
    "etrn_too_soon": _l("etrn too soon"),
    "etrn_not_ours": _l("etrn not ours"),
    "primary_defers": _l("primary defers"),
    # never
    "line_too_long": _l("line too long"),
    "bad_line": _l("bad line"),
    "unknown_command": _l("unknown command"),
    "bad_syntax": _l("bad syntax"),
    "bad_chunk": _l("bad chunk"),
    "bad_dsn": _l("bad dsn"),
    "bad_xclient": _l("bad xclient"),
    "bad_sender": _l("bad sender"),
    "bad_recipient": _l("bad recipient"),
    "not_done_here": _l("not done here"),
    "bad_sequence": _l("bad sequence"),
    "hello_first": _l("hello first"),
    "no_recipients": _l("no recipients"),
    "chunks_begun": _l("chunks begun"),
    "already_tls": _l("already tls"),
    "unknown_parameter": _l("unknown parameter"),
    "needs_smtputf8": _l("needs smtputf8"),
    "not_trusted": _l("not trusted"),
    "talked_early": _l("talked early"),
    "talked_before_tls": _l("talked before tls"),
    "not_smtp": _l("not smtp"),
    "bad_proxy": _l("bad proxy"),
    "out_of_turn": _l("out of turn"),
    "unknown_recipient": _l("unknown recipient"),
    "relaying_denied": _l("relaying denied"),
    "ambiguous_end": _l("ambiguous end"),
    "too_big": _l("too big"),
    "primary_refuses": _l("primary refuses"),
}


_FAULTS: Mapping[int | None, str] = {
    400: _l("Bad Request"),
    403: _l("Forbidden"),
    404: _l("Not Found"),
    405: _l("Method Not Allowed"),
    413: _l("Request Entity Too Large"),
    500: _l("Internal Server Error"),
}


def state(name: str) -> str:
    """A message's state, or what became of a recipient."""
    return str(_STATES.get(name, name))


def refusal(name: str) -> str:
    """Why something was refused, by the name that log and metrics have for it."""
    return str(_REFUSALS.get(name, name.replace("_", " ")))


def topic(name: str) -> str:
    """What was looked at."""
    return str(_TOPICS.get(name, name.capitalize()))


def fault(error: HTTPException) -> str:
    """What went wrong with a request."""
    return str(_FAULTS.get(error.code, error.name))


def part(name: str) -> str:
    """A part of what was chosen or sought."""
    return str(_PARTS.get(name, name))
