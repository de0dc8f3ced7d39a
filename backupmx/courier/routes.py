"""Where a domain's mail goes: its configured primary, or the MX hosts that are better than this one.

Knows: the configured primaries, the resolver, our own name and addresses, what is demanded of each host.
Does not know: connections, and whether anybody answers at an address.
"""

import asyncio
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from backupmx.config import Domain, Settings
from backupmx.core.exchanges import Exchange, better, private, reachable
from backupmx.core.notation import Dialect, Mailhost
from backupmx.core.security import Demand, Opportunistic
from backupmx.courier.resolver import Found, NotFound, Resolver
from backupmx.courier.security import Bar, Security
from backupmx.courier.sts import Sts

SMTP_PORT = 25
MOST_HOSTS = 20
"""Looked up; a domain with more MX hosts ahead of us is not believable."""
MOST_ADDRESSES = 5
"""Tried in one attempt."""
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(hours=1)
"""Bounds of how long a route is believed, whatever its records say."""

STRANGER = Domain()
"""What holds for a domain that is none of ours."""

Shuffle = Callable[[list[Exchange]], None]


class Credentials(NamedTuple):
    """Who we are to a primary that wants to know."""

    user: str
    password_file: Path


class Address(NamedTuple):
    """One place to connect to, and how."""

    host: str
    ip: str
    port: int
    dialect: Dialect = Dialect.SMTP
    demand: Demand = Opportunistic()
    credentials: Credentials | None = None

    def __str__(self) -> str:
        place = f"[{self.ip}]" if ":" in self.ip or self.host != self.ip else self.ip
        return f"{'' if self.host == self.ip else self.host}{place}:{self.port}"


@dataclass(frozen=True, slots=True)
class Route:
    """Hosts, in order, and their addresses. Domains whose hosts and terms are the same share one route."""

    hosts: tuple[Mailhost, ...]
    addresses: tuple[Address, ...]
    good_for: timedelta
    trouble: str | None = None
    """Why these are only the last good addresses."""
    terms: str = ""
    """What a connection has to be for it, in words; no secrets."""

    @property
    def key(self) -> str:
        """The same for two domains only if each connection that may serve the one may serve the other."""
        return " ".join([*map(str, self.hosts), self.terms]).rstrip()

    @property
    def name(self) -> str:
        """For the log: the first host, and how many more there are."""
        return str(self.hosts[0]) + (f" and {len(self.hosts) - 1} more" if len(self.hosts) > 1 else "")

    @property
    def takes_transactions(self) -> bool:
        """Whether all its hosts speak SMTP, so that one reply to the content is for all recipients."""
        return all(host.dialect is not Dialect.LMTP for host in self.hosts)


@dataclass(frozen=True, slots=True)
class Nowhere:
    """No route, and none that was ever good: the mail waits."""

    why: str


class Barred(Nowhere):
    """The domain's own policy lets mail go to none of its hosts: what was good before is not good any more."""


class _Policies(dict[str, Domain]):
    """Of our domains, and of all others."""

    def __missing__(self, domain: str) -> Domain:
        return STRANGER


class Routes:
    """Finds routes, and remembers the last good one of each domain (I10)."""

    def __init__(
        self,
        settings: Settings,
        resolver: Resolver,
        shuffle: Shuffle = random.shuffle,
        sts: Sts | None = None,
        port: int = SMTP_PORT,
    ) -> None:
        """`port` is that of MX hosts."""
        self._hostname = settings.hostname.lower().removesuffix(".")
        self._domains = _Policies(settings.domains)
        self._resolver = resolver
        self._security = Security(self._domains, resolver, sts or Sts(resolver, settings.spool / "mta-sts"))
        self._shuffle = shuffle
        self._port = port
        self._good: dict[str, Route] = {}
        self._had_mx: set[str] = set()

    async def find(self, domain: str) -> Route | Nowhere:
        """Look a domain's route up; when that fails, the last good one, with the trouble in it."""
        found = await (self._by_configuration(domain) if self._domains[domain].primary else self._by_mx(domain))
        if isinstance(found, Route):
            self._good[domain] = found
        elif self._security.by_dns(domain):
            return Barred(found.why)  # what authenticates the hosts has a time to live of its own
        elif domain in self._good and not isinstance(found, Barred):
            return replace(self._good[domain], good_for=SHORTEST, trouble=found.why)
        return found

    async def elsewhere(self, domain: str) -> Route | Nowhere:
        """The way to a domain that is none of ours, for a notification."""
        return await self._by_mx(domain)

    async def _by_configuration(self, domain: str) -> Route | Nowhere:
        primaries = self._domains[domain].primary
        look_up = self._resolver.addresses if self._security.by_dns(domain) else self._resolver.configured
        hosts: dict[Mailhost, Found[str] | None] = {}
        trouble: list[NotFound] = []
        for host in primaries:
            found = None if host.literal else await look_up(host.host)
            if isinstance(found, NotFound):
                trouble.append(found)
            else:
                hosts[host] = found
        return await self._route(domain, primaries, hosts, trouble, timedelta.max, authentic=True)

    async def _exchanges(self, domain: str) -> Found[Exchange] | NotFound:
        """The MX records; without any, the domain itself is its host (RFC 5321 section 5.1).

        Not if it had some a while ago: that they are gone is then more likely a mishap than a wish (I10).
        """
        mx = await self._resolver.exchanges(domain)
        if isinstance(mx, Found) or not mx.absent or domain in self._had_mx:
            if isinstance(mx, Found) and domain in self._domains:
                self._had_mx.add(domain)
            return mx
        own = await self._resolver.addresses(domain)
        return Found((Exchange(0, domain),), own.ttl, own.secure) if isinstance(own, Found) else mx

    async def _by_mx(self, domain: str) -> Route | Nowhere:
        mx = await self._exchanges(domain)
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
            return isinstance(found, Found) and any(ip in our_ips or (reachable(ip) and source(ip) == ip) for ip in found.records)

        ahead = tuple(exchange for exchange in better(ahead, is_ours) if not _is_this_machine(exchange.host))
        if not ahead:
            return Nowhere(f"DNS: no MX of {domain} is better than this host")
        there: dict[Mailhost, Found[str] | None] = {}
        trouble: list[NotFound] = []
        for exchange in self._in_turn(ahead):
            found = hosts[exchange.host]
            if isinstance(found, NotFound):
                trouble.append(found)
            else:
                there[Mailhost(exchange.host, self._port)] = found
        primaries = [Mailhost(exchange.host, self._port) for exchange in ahead]
        return await self._route(domain, primaries, there, trouble, mx.ttl, authentic=mx.secure)

    async def _route(
        self,
        domain: str,
        primaries: Sequence[Mailhost],
        hosts: Mapping[Mailhost, Found[str] | None],
        trouble: Sequence[NotFound],
        good_for: timedelta,
        *,
        authentic: bool,
    ) -> Route | Nowhere:
        """To those of the hosts, in this order, to which mail may go."""
        policy = self._domains[domain]
        near = policy.allow_private if policy.allow_private is not None else bool(policy.primary)
        demands = await self._security.demands(domain, hosts, authentic=authentic)
        if isinstance(demands, Bar):
            return Barred(demands.why)
        credentials = Credentials(policy.primary_user, policy.primary_password_file) if policy.primary_password_file else None
        addresses: list[Address] = []
        bars: list[Bar] = []
        terms = [demands.terms]
        good_for = min(good_for, demands.good_for)
        for host, found in hosts.items():
            demand = demands.of[host]
            if isinstance(demand, Bar):
                bars.append(demand)
                continue
            ips = found.records if found else (host.host,)
            if found and any(map(private, ips)):
                terms.append("private" if near else "public")
            good = [ip for ip in ips if not found or _may_be(host.host, ip, near=near)]
            addresses += [Address(host.host, ip, host.port, host.dialect, demand, credentials) for ip in good]
            good_for = min(good_for, found.ttl if found else LONGEST)
        if not addresses:
            whys = [*(bar.why for bar in bars), *(each.why for each in trouble)]
            why = next(iter(whys), f"DNS: no address of {primaries[0].host} can be a primary")
            return Barred(why) if bars else Nowhere(why)
        if trouble:
            good_for = SHORTEST
        if credentials:
            terms.append(f"user={credentials.user!r} password={credentials.password_file}")
        words = " ".join(filter(None, dict.fromkeys(terms)))
        believed = min(max(good_for, SHORTEST), LONGEST)
        return Route(tuple(primaries), tuple(addresses[:MOST_ADDRESSES]), believed, terms=words)

    def _in_turn(self, exchanges: Sequence[Exchange]) -> Sequence[Exchange]:
        """Best first; those of equal preference in a random order (RFC 5321 section 5.1)."""
        ordered: list[Exchange] = []
        for _, equal in groupby(exchanges, key=lambda exchange: exchange.preference):
            peers = list(equal)
            self._shuffle(peers)
            ordered += peers
        return ordered


def _is_this_machine(host: str) -> bool:
    """By name (RFC 6761 section 6.3): an admin may mean it, DNS cannot."""
    return host == "localhost" or host.endswith(".localhost")


def _may_be(host: str, ip: str, *, near: bool) -> bool:
    """Whether a host's address, as it was looked up, can be a primary's."""
    return _is_this_machine(host) or (reachable(ip) and (near or not private(ip)))


def source(ip: str) -> str | None:
    """From which address of this machine the system would send to another: from that one, if it is ours. Nothing is sent."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ip, SMTP_PORT))
        except OSError:
            return None
        return str(probe.getsockname()[0])
