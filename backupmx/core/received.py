"""The one `Received` field that we put in front (RFC 5321 section 4.4, RFC 3848).

Knows: the field's form.
Does not know: the clock, and where the values come from. Whatever a client called itself is reduced to harmless characters (I7).
"""

import re
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from backupmx.core.ids import MessageId
from backupmx.core.message import Envelope

_UNSAFE = re.compile(r"[^A-Za-z0-9.:_\[\]-]")
_LONGEST_HELO = 255
_PLAIN_ADDRESS = re.compile(r"[!-~]{1,320}")


def received(envelope: Envelope, hostname: str, id: MessageId, at: datetime) -> bytes:
    """The whole field, folded, with its line end."""
    client = envelope.client
    lines = [f"Received: from {introduced(client.helo, client.address)}"]
    if client.tls:
        lines.append(f"\t(using {client.tls})")
    lines.append(f"\tby {hostname} with {_protocol(envelope)} id {id}")
    # more than one would tell a hidden recipient to the others
    if len(envelope.recipients) == 1 and _PLAIN_ADDRESS.fullmatch(envelope.recipients[0].address):
        lines.append(f"\tfor <{envelope.recipients[0].address}>")
    return "\r\n".join([*lines[:-1], f"{lines[-1]}; {_date(at.replace(microsecond=0))}", ""]).encode("ascii")


@lru_cache(maxsize=16)
def _date(second: datetime) -> str:
    return format_datetime(second)


@lru_cache(maxsize=1024)
def introduced(helo: str, address: str) -> str:
    """What a client called itself, and where it was; the same few come again and again."""
    return f"{_UNSAFE.sub('?', helo)[:_LONGEST_HELO] or 'unknown'} ({literal(address)})"


def literal(address: str) -> str:
    """An IP address in brackets (RFC 5321 section 4.1.3)."""
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _protocol(envelope: Envelope) -> str:
    if not envelope.client.esmtp:
        return "SMTP"
    return ("UTF8SMTP" if envelope.smtputf8 else "ESMTP") + ("S" if envelope.client.tls else "")
