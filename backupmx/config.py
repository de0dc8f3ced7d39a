"""TOML in, frozen settings out; every problem found is told at once.

Knows: the configuration contract (design, section 6): keys, defaults, limits.
Does not know: what any setting does.
"""

import re
import socket
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field

DEFAULT_PATH = Path("/etc/backupmx/backupmx.toml")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)\s*([smhd])")


class Endpoint(NamedTuple):
    """An address and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError('a time is a number with a unit, like "30s", "5m", "4h" or "14d"')
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _size(value: object) -> object:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError('a size is a number with a unit, like "50 MiB"')
    return value


def _endpoint(value: object, default_port: int | None = None) -> Endpoint:
    if isinstance(value, Endpoint):
        return value
    if not isinstance(value, str):
        raise ValueError('must be text like "host:port"')
    host, port = value, ""
    if value.startswith("["):
        host, _, rest = value[1:].partition("]")
        port = rest.removeprefix(":")
    elif value.count(":") == 1:
        host, _, port = value.partition(":")
    if not port and default_port is None:
        raise ValueError('must be "host:port"')
    number = int(port) if port.isdigit() else (-1 if port else default_port)
    if not host or number is None or not 0 <= number <= 65535:
        raise ValueError('must be "host:port", with a port from 1 to 65535')
    return Endpoint(host, number)


def _listener(value: object) -> Endpoint:
    endpoint = _endpoint(value)
    try:
        ip_address(endpoint.host)
    except ValueError:
        raise ValueError('must be "address:port", for instance "0.0.0.0:25" or "[::]:25"') from None
    return endpoint


def _nameserver(value: object) -> Endpoint:
    # a bare IPv6 address has colons of its own
    try:
        return Endpoint(str(ip_address(str(value))), 53)
    except ValueError:
        return _listener(value)


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Size = Annotated[ByteSize, BeforeValidator(_size)]
Host = Annotated[Endpoint, BeforeValidator(lambda value: _endpoint(value, 25))]
Listener = Annotated[Endpoint, BeforeValidator(_listener)]
Nameserver = Annotated[Endpoint, BeforeValidator(_nameserver)]
Window = Annotated[Duration, Field(ge=timedelta(hours=1), le=timedelta(days=60))]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Smtp(_Table):
    """How strangers reach us."""

    listen: tuple[Listener, ...] = (Endpoint("0.0.0.0", 25), Endpoint("::", 25))  # noqa: S104 - an MX is for all
    workers: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = "auto"
    max_message_size: Size = ByteSize(50 * 2**20)
    max_recipients: Annotated[int, Field(ge=100, le=100_000)] = 1000
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    max_connections_per_client: Annotated[int, Field(ge=1, le=65_535)] = 50
    tls_certificate: Path | None = None
    tls_key: Path | None = None


class Web(_Table):
    """Where the status page listens."""

    listen: Listener = Endpoint("127.0.0.1", 8025)


class Control(_Table):
    """Where the command line and the page reach the running server."""

    socket: Path = Path("/run/backupmx/control.sock")


class Dns(_Table):
    """Who resolves names for us; empty: the system's resolvers."""

    nameservers: tuple[Nameserver, ...] = ()


class Delivery(_Table):
    """How mail is given back."""

    probe_interval: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=30)
    retry_min: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)
    retry_max: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(hours=4)
    max_connections_per_route: Annotated[int, Field(ge=1, le=1000)] = 20


class DomainDefaults(_Table):
    """What holds for every domain that does not say otherwise."""

    holding_window: Window = timedelta(days=14)
    when_primary_up: Literal["relay", "defer", "spool"] = "relay"
    when_unknown: Literal["accept", "defer", "auto"] = "auto"
    recipients: Literal["callout", "list", "any"] = "callout"
    recipient_list: str = ""


class Domain(DomainDefaults):
    """One domain that we are secondary MX for."""

    primary: tuple[Host, ...] = ()
    """Empty: the domain's MX hosts that are better than this one."""


class Settings(_Table):
    """The whole configuration."""

    hostname: str = Field(default_factory=socket.getfqdn)
    spool: Path = Path("/var/lib/backupmx")
    reserve: Size = ByteSize(2**30)
    smtp: Smtp = Smtp()
    web: Web = Web()
    control: Control = Control()
    dns: Dns = Dns()
    delivery: Delivery = Delivery()
    domains: Mapping[str, Domain] = Field(alias="domain", default={})
    """By name: lower case, A-labels."""
