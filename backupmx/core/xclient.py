"""XCLIENT: a trusted peer says on whose behalf it speaks (Postfix's XCLIENT_README).

Knows: attributes and their encoding.
Does not know: whom to trust.
"""

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address

from backupmx.core import message

OFFER = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
_KNOWN = frozenset(OFFER.split()[1:])
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})*")
_HEX = re.compile(rb"\+([0-9A-Fa-f]{2})")
_UNKNOWN = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})


@dataclass(frozen=True, slots=True)
class Client:
    """Who the client is, as far as was said."""

    address: str
    helo: tuple[str, bool] | None = None
    """Its name, and whether it said EHLO."""


def parse(rest: bytes, known: Client) -> Client | None:
    """What changes of what is known; None when it is not in the form of XCLIENT."""
    said: dict[str, str] = {}
    for word in rest.split():
        name, equals, value = word.partition(b"=")
        key = name.decode("ascii", "replace").upper()
        text = _decoded(value)
        if key not in _KNOWN or not equals or text is None:
            return None
        if text.upper() not in _UNKNOWN:
            said[key] = text
    if not said and not rest.strip():
        return None
    client = known
    if "ADDR" in said:
        try:
            client = replace(client, address=str(ip_address(said["ADDR"].removeprefix("IPv6:").removeprefix("IPV6:"))))
        except ValueError:
            return None
    if "HELO" in said:
        client = replace(client, helo=(said["HELO"], said.get("PROTO", "ESMTP").upper() != "SMTP"))
    return client


def _decoded(value: bytes) -> str | None:
    """xtext (RFC 1891 section 5), of printable octets."""
    if not _XTEXT.fullmatch(value):
        return None
    try:
        text = _HEX.sub(lambda match: bytes.fromhex(match[1].decode()), value).decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


_UNSAID = re.compile(r"[^A-Za-z0-9._:\[\]-]")
_LONGEST_HELO = 255


def helo(client: message.Client) -> str:
    """What the client called itself, reduced to what no program can take for more (I7)."""
    return _UNSAID.sub("-", client.helo)[:_LONGEST_HELO] or "unknown"


def introduction(client: message.Client) -> bytes:
    """XCLIENT on behalf of a client. Its name is left open: the peer looks it up, or does without."""
    address = f"IPV6:{client.address}" if ":" in client.address else client.address
    protocol = "ESMTP" if client.esmtp else "SMTP"
    return f"XCLIENT NAME=[UNAVAILABLE] ADDR={address} PROTO={protocol} HELO={helo(client)}\r\n".encode("ascii")
