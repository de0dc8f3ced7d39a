"""How people write times, names and addresses in a configuration or on a command line.

Knows: the notation, and how to spell a value back. Each parser raises ValueError that says what is allowed.
Does not know: which setting is read, or what it is for.
"""

import base64
import binascii
import re
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

import idna

_PASSED = re.compile(r"systemd(?::([!-9;-~]{1,255}))?")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,9})\s*([smhd])", re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?")


class Passed(NamedTuple):
    """Sockets that systemd opens for us: those of one name, or all."""

    name: str

    def __str__(self) -> str:
        return f"systemd:{self.name}" if self.name else "systemd"


Network = IPv4Network | IPv6Network


class Endpoint(NamedTuple):
    """An address and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Dialect(StrEnum):
    """What is spoken with a primary."""

    SMTP = "smtp"
    SMTPS = "smtps"
    """Within TLS from the first octet (RFC 8314 section 3.3)."""
    LMTP = "lmtp"
    """RFC 2033."""


class Mailhost(NamedTuple):
    """A host that takes mail, and how."""

    host: str
    port: int
    dialect: Dialect = Dialect.SMTP

    def __str__(self) -> str:
        place = str(Endpoint(self.host, self.port))
        return place if self.dialect is Dialect.SMTP else f"{self.dialect}://{place}"

    @property
    def literal(self) -> bool:
        """Whether it is an address: no name needs to be looked up."""
        return _is_ip(self.host)


def duration(text: object) -> timedelta:
    """Read `30s`, `5m`, `4h` or `14d`."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError('must be a time with a unit, like "30s", "5m", "4h" or "14d"')
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def spell_duration(length: timedelta) -> str:
    """Write a time as `duration` reads it, in the largest unit that is exact."""
    seconds = int(length.total_seconds())
    unit = next((unit for unit in "dhm" if seconds and seconds % _UNITS[unit] == 0), "s")
    return f"{seconds // _UNITS[unit]}{unit}"


def domain(text: str) -> str:
    """Lower-case A-labels without a final dot (RFC 5890 section 2.3.2.1), from either form of a domain's name."""
    name = text.removesuffix(".")
    try:
        name = name.lower() if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        name = ""
    if len(name) > 253 or not _DOMAIN.fullmatch(name) or _is_ip(name):
        raise ValueError('must be a domain name, like "example.com"')
    return name


def endpoint(text: object, default_port: int | None = None) -> Endpoint:
    """Read `host:port`, `[address]:port`, or a host alone where there is a default port."""
    allowed = f'must be "host:port"{"" if default_port is None else f" or a host alone for port {default_port}"}'
    if not isinstance(text, str):
        raise ValueError(allowed)
    host, port = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or rest[:1] not in ("", ":") or ":" not in host:
            raise ValueError(allowed)
        port = rest[1:]
    elif ":" in text:
        # without brackets the end of an IPv6 address could be a port: it is refused, with its colons in `port`
        host, _, port = text.partition(":")
    if not port and (default_port is None or text.endswith(":")):
        raise ValueError(allowed)
    if port and not (port.isdecimal() and port.isascii() and len(port) <= 5 and int(port) <= 65535):
        raise ValueError(f"{allowed}, with a port from 1 to 65535")
    return Endpoint(_host(host, allowed), int(port) if port else default_port or 0)


def mailhost(text: object) -> Mailhost:
    """Read a primary: as an endpoint for SMTP, `smtps://host` or `smtps://host:port`, or `lmtp://host:port`."""
    if isinstance(text, str) and text.startswith("smtps://"):
        return Mailhost(*endpoint(text.removeprefix("smtps://"), 465), Dialect.SMTPS)
    if isinstance(text, str) and text.startswith("lmtp://"):
        found = Mailhost(*endpoint(text.removeprefix("lmtp://")), Dialect.LMTP)
        if found.port == 25:
            raise ValueError("must be another port: on 25 nobody speaks LMTP (RFC 2033 section 5)")
        return found
    return Mailhost(*endpoint(text, 25))


def pin(text: object) -> bytes:
    """Read the SHA-256 digest of a public key, in base64 or hexadecimal digits."""
    allowed = "must be the SHA-256 digest of a public key, in base64 (44 characters) or hexadecimal (64 digits)"
    if not isinstance(text, str):
        raise ValueError(allowed)
    try:
        # the two cannot be mistaken for each other: their lengths differ
        digits = text.replace(":", "")
        digest = bytes.fromhex(digits) if len(digits) == 64 else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(allowed) from None
    if len(digest) != 32:
        raise ValueError(allowed)
    return digest


def listener(text: object) -> Endpoint:
    """Read `address:port`: an IP address of this machine; port 0 is any free one."""
    found = endpoint(text)
    if not _is_ip(found.host):
        raise ValueError('must be "address:port", like "0.0.0.0:25" or "[::]:25"')
    return found


def smtp_listener(text: object) -> Endpoint | Passed:
    """Read `address:port`, or `systemd` or `systemd:NAME` for sockets that are passed to us."""
    if isinstance(text, str) and (match := _PASSED.fullmatch(text)):
        return Passed(match[1] or "")
    try:
        return listener(text)
    except ValueError as error:
        raise ValueError(f'{error}, or "systemd"') from None


def nameserver(text: object) -> Endpoint:
    """Read an IP address, with or without a port."""
    if isinstance(text, str) and _is_ip(text):
        return Endpoint(text, 53)
    try:
        return listener(text)
    except ValueError:
        raise ValueError('must be "ip" or "ip:port"') from None


def network(text: object) -> Network:
    """Read an IP address or a network like `192.0.2.0/24`."""
    try:
        if not isinstance(text, str):
            raise ValueError  # noqa: TRY301
        return ip_network(text)
    except ValueError:
        raise ValueError('must be an address or a network, like "192.0.2.1" or "2001:db8::/32"') from None


def _host(host: str, allowed: str) -> str:
    if _is_ip(host):
        return str(ip_address(host))
    if not host.isascii():
        return domain(host)
    # underscores are no part of a host name, but of the names that private networks give
    if len(host) > 253 or not _HOST.fullmatch(host.lower()):
        raise ValueError(allowed)
    return host.lower()


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
