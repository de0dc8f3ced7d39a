"""One look at everything.

Knows: what there is to look at, who needs whose answer first, how many questions there may be at a time.
Does not know: what is right.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import dns.resolver
from msgspec.structs import replace

from backupmx.admission.records import Records
from backupmx.checks import certificate, clock, disk, mx, names, policies, port25, recipients
from backupmx.checks.certificate import Chain
from backupmx.checks.mx import Seen
from backupmx.checks.names import Source, public
from backupmx.checks.port25 import SMTP_PORT, Came
from backupmx.checks.primary import Visit, Visitor
from backupmx.config import Settings
from backupmx.core.belief import Acquaintance
from backupmx.core.finding import About, Finding
from backupmx.core.status import Primary, PrimaryState
from backupmx.courier import routes
from backupmx.courier.client import Dialler
from backupmx.courier.resolver import Found, NotFound, Resolver
from backupmx.courier.routes import Nowhere, Route, Routes
from backupmx.courier.sts import Sts
from backupmx.ports import Clock
from backupmx.watch import log

AT_ONCE = 8
"""Things that are looked at side by side."""
LONGEST_S = 120.0
"""For one of them."""
ANSWERS = 10_000
"""Of DNS, kept for the time of one look: many domains have the same hosts."""
DOWN = PrimaryState.DOWN
T = TypeVar("T")
Look = Callable[[], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Told:
    """What only a running server knows; without one nothing of it is known."""

    primaries: Mapping[str, Primary] = field(default_factory=dict)
    """How they are, by domain."""
    acquaintances: Mapping[str, Acquaintance] = field(default_factory=dict)
    """How well recipients are known, by domain."""
    some: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """A few local parts that are known to exist, by domain."""
    came: Came | None = None


class Round:
    """Made for one look, so that everything is asked anew."""

    def __init__(
        self,
        settings: Settings,
        dialler: Dialler,
        clock: Clock,
        told: Told,
        copies: Path,
        tell: Callable[[str], None] = lambda _what: None,
        source: Source = routes.source,
    ) -> None:
        """`copies` is where MTA-STS policies are kept; `tell` hears what is being looked at."""
        self._settings = settings
        self._clock = clock
        self._told = told
        self._tell = tell
        self._source = source
        self._resolver = Resolver(settings.dns.nameservers, dns.resolver.LRUCache(ANSWERS))
        self._records = Records(settings.dns.nameservers, time.monotonic)
        self._policies = Sts(self._resolver, copies, clock=clock)
        self._routes = Routes(settings, self._resolver, sts=self._policies)
        self._visitor = Visitor(settings, dialler, told.primaries, told.some)
        self._places = asyncio.Semaphore(AT_ONCE)

    async def look(self) -> tuple[Finding, ...]:
        """All findings: first of this machine, then of each domain."""
        domains = self._settings.domains
        own = await self._resolver.addresses(self._settings.hostname)
        chain = certificate.load(self._settings)
        seen = dict(zip(domains, await asyncio.gather(*(self._mx(domain, own) for domain in domains)), strict=True))
        machine, promised, (given_back, outward) = await asyncio.gather(
            self._machine(own, chain, seen), self._promised(chain, seen), self._given_back(seen)
        )
        inward = port25.inward(self._settings.hostname, self._told.came, self._clock())
        known = [recipients.look(name, domain, self._told.acquaintances.get(name)) for name, domain in domains.items()]
        of_domains = [finding for each in seen.values() for finding in each.findings] + promised + given_back + known
        order = {domain: number for number, domain in enumerate(domains)}
        of_domains.sort(key=lambda finding: order[finding.subject])
        return (*machine, outward, inward, *of_domains)

    async def look_at(self, domain: str) -> tuple[Finding, ...]:
        """What is found of one domain, and of the names that it needs to lead here."""
        own = await self._resolver.addresses(self._settings.hostname)
        chain = certificate.load(self._settings)
        seen = {domain: await self._mx(domain, own)}
        of_names, promised, (given_back, _) = await asyncio.gather(
            self._all(*self._names(own, chain, seen)), self._promised(chain, seen), self._given_back(seen)
        )
        known = recipients.look(domain, self._settings.domains[domain], self._told.acquaintances.get(domain))
        return (*of_names, *seen[domain].findings, *promised, *given_back, known)

    # This machine

    async def _machine(self, own: Found[str] | NotFound, chain: Chain | Finding, seen: Mapping[str, Seen]) -> list[Finding]:
        return await self._all(
            (About("clock"), partial(asyncio.to_thread, clock.look, self._clock())),
            # a disk that is about to fail may answer nothing for a long time
            (About("disk"), partial(asyncio.to_thread, disk.look, self._settings.spool, int(self._settings.reserve))),
            (About("certificate", self._settings.hostname), partial(self._certificate, chain)),
            *self._names(own, chain, seen),
        )

    def _names(
        self, own: Found[str] | NotFound, chain: Chain | Finding, seen: Mapping[str, Seen]
    ) -> Iterator[tuple[About, Look[Finding | list[Finding]]]]:
        """Those under which it is listed, and what DNS says of them."""
        hostname = self._settings.hostname
        ours = dict.fromkeys([hostname, *(name for each in seen.values() for name in each.ours)])
        ips = tuple(filter(public, own.records)) if isinstance(own, Found) else ()
        resolver = self._resolver
        yield from ((About("addresses", name), partial(self._leads_here, name)) for name in ours)
        yield from ((About("ptr", ip), partial(names.back, hostname, ip, resolver)) for ip in ips)
        yield About("spf", hostname), partial(names.sender_policy, hostname, ips, resolver, self._records)
        yield from ((About("tlsa", name), partial(policies.tlsa, name, chain, resolver)) for name in ours)

    async def _certificate(self, chain: Chain | Finding) -> list[Finding]:
        return [chain] if isinstance(chain, Finding) else list(certificate.look(chain, self._settings.hostname, self._clock()))

    async def _leads_here(self, name: str) -> list[Finding]:
        return list(names.addresses(name, await self._resolver.addresses(name), self._source))

    # The domains

    async def _mx(self, domain: str, own: Found[str] | NotFound) -> Seen:
        our_ips = own.records if isinstance(own, Found) else ()
        policy, hostname = self._settings.domains[domain], self._settings.hostname
        look = partial(mx.look, domain, policy, hostname, our_ips, self._resolver, self._source)
        return await self._done(About("mx", domain), look, lambda finding: Seen((finding,)))

    async def _promised(self, chain: Chain | Finding, seen: Mapping[str, Seen]) -> list[Finding]:
        return await self._all(
            *(
                (About("mta-sts", domain), partial(policies.sts, domain, each.ours, chain, self._resolver, self._policies))
                for domain, each in seen.items()
            )
        )

    async def _given_back(self, seen: Mapping[str, Seen]) -> tuple[list[Finding], Finding]:
        """The primaries, each asked once for all its domains; and what follows for the way out."""
        ways: dict[str, Route | Nowhere] = {}
        domains_of: defaultdict[str, list[str]] = defaultdict(list)
        for domain, route in zip(seen, await asyncio.gather(*map(self._route, seen)), strict=True):
            key = route.key if isinstance(route, Route) else f"nowhere: {route.why}"
            ways.setdefault(key, route)
            domains_of[key].append(domain)
        visits = await asyncio.gather(*(self._visit(route, domains_of[key]) for key, route in ways.items()))
        answered = next((visit.ip for visit in visits if visit.port == SMTP_PORT and public(visit.ip)), None)
        theirs = [ip for key, route in ways.items() for ip in self._by_port25(route, domains_of[key])]
        others = [ip for each in seen.values() for ip in each.others if public(ip)]
        tried = tuple(dict.fromkeys(theirs + others))
        outward = await self._done(
            About("port25"), partial(port25.outward, answered, tried, needed=bool(theirs)), lambda finding: finding
        )
        return [finding for visit in visits for finding in visit.findings], outward

    async def _route(self, domain: str) -> Route | Nowhere:
        look = partial(self._routes.find, domain)
        return await self._done(About("primary", domain), look, lambda finding: Nowhere(finding.said))

    async def _visit(self, route: Route | Nowhere, domains: Sequence[str]) -> Visit:
        def of_each(finding: Finding) -> Visit:
            return Visit(tuple(replace(finding, subject=domain) for domain in domains))

        look = partial(self._visitor.see, route, domains)
        return await self._done(About("primary", domains[0]), look, of_each)

    def _by_port25(self, route: Route | Nowhere, domains: Sequence[str]) -> list[str]:
        """Where port 25 could be tried: that a primary which is away does not answer would tell nothing."""
        away = any(domain in self._told.primaries and self._told.primaries[domain].state is DOWN for domain in domains)
        addresses = () if away or isinstance(route, Nowhere) else route.addresses
        return [address.ip for address in addresses if address.port == SMTP_PORT and public(address.ip)]

    # All of them

    async def _all(self, *looks: tuple[About, Look[Finding | list[Finding]]]) -> list[Finding]:
        found = await asyncio.gather(*(self._done(about, look, lambda finding: finding) for about, look in looks))
        return [finding for each in found for finding in (each if isinstance(each, list) else [each])]

    async def _done(self, about: About, look: Look[T], otherwise: Callable[[Finding], T]) -> T:
        """A look, in its turn; what comes of a fault of ours is a finding as well."""
        async with self._places:
            self._tell(f"{about.topic} {about.subject}".rstrip())
            try:
                async with asyncio.timeout(LONGEST_S):
                    return await look()
            except TimeoutError:
                return otherwise(about.unknown(f"not known after {LONGEST_S:.0f} s", "Look again in a while."))
            except Exception as error:  # noqa: BLE001 - one bug here must not hide all that others found
                log.trouble(f"check of {about.topic} {about.subject}".rstrip(), error)
                return otherwise(about.unknown("trouble of our own", "The log tells more; please report it."))
