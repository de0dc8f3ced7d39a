"""Where a domain's mail goes: its configured primary, or the MX hosts that are better than this one.

Knows: the configured primaries, the resolver, our own name and addresses.
Does not know: connections, and whether anybody answers at an address.
"""

import asyncio
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from itertools import groupby
from typing import NamedTuple

from backupmx.config import Endpoint, Settings
from backupmx.core.exchanges import Exchange, better, reachable
from backupmx.courier.resolver import Found, NotFound, Resolver

SMTP_PORT = 25
MOST_HOSTS = 20
"""Looked up; a domain with more MX hosts ahead of us is not believable."""
MOST_ADDRESSES = 5
"""Tried in one attempt."""
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(hours=1)
"""Bounds of how long a route is believed, whatever its records say."""

Shuffle = Callable[[list[Exchange]], None]


class Address(NamedTuple):
    """One place to connect to."""

    host: str
    ip: str
    port: int

    def __str__(self) -> str:
        place = f"[{self.ip}]" if ":" in self.ip or self.host != self.ip else self.ip
        return f"{'' if self.host == self.ip else self.host}{place}:{self.port}"


@dataclass(frozen=True, slots=True)
class Route:
    """Hosts, in order, and their addresses. Domains whose hosts are the same share one route."""

    hosts: tuple[Endpoint, ...]
    addresses: tuple[Address, ...]
    good_for: timedelta
    trouble: str | None = None
    """Why these are only the last good addresses."""

    @property
    def name(self) -> str:
        """For the log: the first host, and how many more there are."""
        return str(self.hosts[0]) + (f" and {len(self.hosts) - 1} more" if len(self.hosts) > 1 else "")


@dataclass(frozen=True, slots=True)
class Nowhere:
    """No route, and none that was ever good: the mail waits."""

    why: str


class Routes:
    """Finds routes, and remembers the last good one of each domain (I10)."""

    def __init__(self, settings: Settings, resolver: Resolver, shuffle: Shuffle = random.shuffle) -> None:
        self._hostname = settings.hostname.lower().removesuffix(".")
        self._configured = {name: domain.primary for name, domain in settings.domains.items()}
        self._resolver = resolver
        self._shuffle = shuffle
        self._good: dict[str, Route] = {}

    async def find(self, domain: str) -> Route | Nowhere:
        """Look a domain's route up; when that fails, the last good one, with the trouble in it."""
        hosts = self._configured[domain]
        found = await (self._by_configuration(hosts) if hosts else self._by_mx(domain))
        if isinstance(found, Route):
            self._good[domain] = found
        elif domain in self._good:
            last = self._good[domain]
            return Route(last.hosts, last.addresses, SHORTEST, trouble=found.why)
        return found

    async def _by_configuration(self, hosts: Sequence[Endpoint]) -> Route | Nowhere:
        addresses: list[Address] = []
        good_for = LONGEST
        why = ""
        for host, port in hosts:
            if _is_ip(host):
                addresses.append(Address(host, host, port))
                continue
            found = await self._resolver.configured(host)
            if isinstance(found, NotFound):
                why = why or found.why
                good_for = SHORTEST
                continue
            named = host == "localhost" or host.endswith(".localhost")
            addresses += [Address(host, ip, port) for ip in found.records if named or reachable(ip)]
            good_for = min(good_for, found.ttl)
        return _route(hosts, addresses, good_for, why)

    async def _by_mx(self, domain: str) -> Route | Nowhere:
        mx = await self._resolver.exchanges(domain)
        if isinstance(mx, NotFound):
            return Nowhere(mx.why)
        if all(not exchange.host for exchange in mx.records):
            return Nowhere(f"DNS: {domain} takes no mail (null MX)")
        ahead = better(mx.records, lambda host: host == self._hostname)[:MOST_HOSTS]
        names = [exchange.host for exchange in ahead]
        mine, *theirs = await asyncio.gather(*map(self._resolver.addresses, [self._hostname, *names]))
        hosts = dict(zip(names, theirs, strict=True))
        our_ips = set(mine.records) if isinstance(mine, Found) else set()

        def is_ours(host: str) -> bool:
            found = hosts[host]
            return isinstance(found, Found) and any(ip in our_ips or (reachable(ip) and _is_local(ip)) for ip in found.records)

        ahead = better(ahead, is_ours)
        if not ahead:
            return Nowhere(f"DNS: no MX of {domain} is better than this host")
        addresses = []
        good_for = mx.ttl
        why = ""
        for exchange in self._in_turn(ahead):
            found = hosts[exchange.host]
            if isinstance(found, NotFound):
                why = why or found.why
                continue
            addresses += [Address(exchange.host, ip, SMTP_PORT) for ip in found.records if reachable(ip)]
            good_for = min(good_for, found.ttl)
        return _route([Endpoint(exchange.host, SMTP_PORT) for exchange in ahead], addresses, good_for, why)

    def _in_turn(self, exchanges: Sequence[Exchange]) -> Sequence[Exchange]:
        """Best first; those of equal preference in a random order (RFC 5321 section 5.1)."""
        ordered: list[Exchange] = []
        for _, equal in groupby(exchanges, key=lambda exchange: exchange.preference):
            peers = list(equal)
            self._shuffle(peers)
            ordered += peers
        return ordered


def _route(hosts: Sequence[Endpoint], addresses: Sequence[Address], good_for: timedelta, why: str) -> Route | Nowhere:
    if not addresses:
        return Nowhere(why or f"DNS: no address of {hosts[0].host} can be a primary")
    return Route(tuple(hosts), tuple(addresses[:MOST_ADDRESSES]), min(max(good_for, SHORTEST), LONGEST))


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_local(ip: str) -> bool:
    """Whether an address is one of this machine's: the system would send from it to it. Nothing is sent to find out."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ip, SMTP_PORT))
        except OSError:
            return False
        return bool(probe.getsockname()[0] == ip)
