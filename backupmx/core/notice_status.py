"""The part of a notification that machines read: the delivery status (RFC 3464), also of addresses that are not ASCII (RFC 6533).

Knows: its fields and their grammar, and how text that others wrote is made harmless (I7).
Does not know: whom it concerns, what people read, and how it is packed.
"""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from backupmx.core.message import Kind, Message, Recipient
from backupmx.core.outcome import Reply
from backupmx.core.received import introduced, literal

LONGEST_REPLY = 500
"""Characters of a reply that are passed on."""
_LONGEST_VALUE = 970
"""Octets: a line has 998 (RFC 5322 section 2.1.1)."""
_LONGEST_WORD = 200
"""Characters, of up to four octets."""
_LONGEST_NAME = 255
_WIDTH = 76

# what ends a line or turns its direction, and what no text may hold
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_NOT_ASCII = re.compile(r"[^ -~]")
_LONG = re.compile(rf"\S{{{_LONGEST_WORD}}}(?=\S)")
_ENHANCED = re.compile(r"([245])\.(?:0|[1-9]\d{0,2})\.(?:0|[1-9]\d{0,2})(?=\s|$)", re.ASCII)
_CLASSES = {Kind.FAILED: 5, Kind.DELAYED: 4, Kind.RELAYED: 2, Kind.DELIVERED: 2}
_PLACE = re.compile(r"([A-Za-z0-9_.-]{0,255})(?:\[([0-9A-Fa-f:.]{2,45})\])?:\d{1,5}", re.ASCII)
_NO_NAME = re.compile(r"[0-9.]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
_ORCPT = re.compile(r"([A-Za-z0-9-]+);(.+)", re.DOTALL)
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_UTF_8_TEXT = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_NOT_QCHAR = re.compile(r"[^!-*,-<>-\[\]-~]")


@dataclass(frozen=True, slots=True)
class Fared:
    """What became of one recipient."""

    recipient: Recipient
    reply: Reply
    """The primary's words, or our own trouble in that form; untrusted."""
    host: str
    """Who said it, with address and port; empty when it was we."""
    at: datetime
    """The last attempt."""


def plain(text: str) -> str:
    """Text on one line, in the direction in which it is written; whatever would be neither is a question mark."""
    return _UNSAFE.sub("?", text)


def status(kind: Kind, reply: Reply) -> str:
    """The enhanced code (RFC 3463): the server's own if it means what we tell, else one that says no more than that."""
    fitting = _CLASSES[kind]
    own = _ENHANCED.match(reply.text)
    return own[0] if own and int(own[1]) == fitting == reply.code // 100 else f"{fitting}.0.0"


def server(host: str) -> str:
    """The name of a server, or its address in brackets, without the port."""
    match = _PLACE.fullmatch(host)
    name = (match[1] or match[2] or "") if match else ""
    if not name:
        return _ascii(host)[:_LONGEST_NAME]
    return literal(name) if _NO_NAME.fullmatch(name) else name


def report(kind: Kind, message: Message, fared: Sequence[Fared], *, hostname: str, until: datetime | None, utf8: bool) -> str:
    """All fields; with characters outside ASCII only if `utf8` allows them."""
    groups = [_of_message(message, hostname), *(_of_recipient(kind, each, until, utf8) for each in fared)]
    return "\r\n".join("".join(f"{field}\r\n" for field in group) for group in groups)


def _of_message(message: Message, hostname: str) -> list[str]:
    """RFC 3464 section 2.2."""
    client, envid = message.envelope.client, message.envelope.envid
    fields = [_field("Original-Envelope-Id", _ascii(_from_xtext(envid)))] if envid else []
    return [
        *fields,
        _field("Reporting-MTA", f"dns; {hostname}"),
        _field("Received-From-MTA", f"dns; {_ascii(introduced(client.helo, client.address))}"),
        _field("Arrival-Date", format_datetime(message.arrived)),
    ]


def _of_recipient(kind: Kind, fared: Fared, until: datetime | None, utf8: bool) -> list[str]:
    """RFC 3464 section 2.3."""
    fields = []
    if original := _original(fared.recipient.orcpt, utf8):
        fields.append(_field("Original-Recipient", original))
    fields.append(_field("Final-Recipient", _final(fared.recipient, utf8)))
    fields.append(_field("Action", kind))
    fields.append(_field("Status", status(kind, fared.reply)))
    said = fared.reply.text[:LONGEST_REPLY]
    if fared.host:
        fields.append(_field("Remote-MTA", f"dns; {server(fared.host)}"))
        fields.append(_folded("Diagnostic-Code", f"smtp; {fared.reply.code} {said}", utf8))
    else:
        # nobody spoke SMTP to get it (RFC 3464 section 2.3.6)
        fields.append(_folded("Diagnostic-Code", f"X-Backup-MX; {said}", utf8))
    fields.append(_field("Last-Attempt-Date", format_datetime(fared.at)))
    if until and kind is Kind.DELAYED:
        fields.append(_field("Will-Retry-Until", format_datetime(until)))
    return fields


def _final(recipient: Recipient, utf8: bool) -> str:
    """The address as we had it; with A-labels where that is enough to make it ASCII."""
    local = recipient.address.rpartition("@")[0]
    if recipient.address.isascii():
        return f"rfc822; {_ascii(recipient.address)}"
    return f"rfc822; {_ascii(f'{local}@{recipient.domain}')}" if local.isascii() else _typed_utf_8(recipient.address, utf8)


def _original(orcpt: str, utf8: bool) -> str:
    """The address as the sender had it; nothing if it was not told."""
    match = _ORCPT.fullmatch(orcpt)
    if match is None:
        return ""
    address = _from_xtext(match[2])
    if match[1].lower() != "utf-8":
        return f"{match[1]}; {_ascii(address)}"
    return _typed_utf_8(_UTF_8_TEXT.sub(lambda code: _character(int(code[1], 16)), address), utf8)


def _typed_utf_8(address: str, utf8: bool) -> str:
    """As it is, or in the form that goes through everywhere (RFC 6533 section 3)."""
    address = plain(address[:_LONGEST_VALUE])
    raw = utf8 and not address.isascii()
    value = "utf-8; " + (address if raw else _NOT_QCHAR.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", address))
    # addresses of the lengths that RFC 5321 section 4.5.3.1 asks for fit, in any spelling
    return value if len(value) <= _LONGEST_VALUE else f"rfc822; {_ascii(address)}"


def _from_xtext(text: str) -> str:
    """RFC 3461 section 4."""
    return _XTEXT.sub(lambda code: chr(int(code[1], 16)), text)


def _character(number: int) -> str:
    return chr(number) if number < 0x110000 else "?"


def _ascii(text: str) -> str:
    return _NOT_ASCII.sub("?", text[:_LONGEST_VALUE])


def _field(name: str, value: str) -> str:
    # only rubbish is longer
    return f"{name}: {value.encode()[:_LONGEST_VALUE].decode('utf-8', 'ignore')}"


def _folded(name: str, text: str, utf8: bool) -> str:
    """Free text (RFC 5322 section 2.2.3)."""
    words = _LONG.sub(r"\g<0> ", plain(text) if utf8 else _ascii(text))
    lines = textwrap.wrap(f"{name}: {words}", _WIDTH, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False)
    return "\r\n".join(lines)
