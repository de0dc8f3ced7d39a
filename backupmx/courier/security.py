"""What each domain's policy demands of each of its hosts, now.

Knows: the configured policies, TLSA records, MTA-STS.
Does not know: connections and certificates, and where mail goes if it may not go here.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from backupmx.config import Domain
from backupmx.core import dane
from backupmx.core.dane import Tlsa
from backupmx.core.notation import Mailhost
from backupmx.core.security import Dane, Demand, Encrypted, Opportunistic, Pinned, Trial, Vouched
from backupmx.courier.resolver import Found, NotFound, Resolver
from backupmx.courier.sts import Sts
from backupmx.watch import log


@dataclass(frozen=True, slots=True)
class Bar:
    """Mail must not go there, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Demands:
    """By host."""

    of: Mapping[Mailhost, Demand | Bar]
    terms: str
    """Where these are the same, so is what is demanded of the same hosts: such domains may share a connection."""
    good_for: timedelta = timedelta.max
    """How long the records behind them hold."""


Hosts = Mapping[Mailhost, Found[str] | None]
"""With their addresses, as DNS told them; None for a host that is an address itself."""


class Security:
    """For all domains."""

    def __init__(self, domains: Mapping[str, Domain], resolver: Resolver, sts: Sts) -> None:
        self._domains = domains
        self._resolver = resolver
        self._sts = sts

    def by_dns(self, domain: str) -> bool:
        """Whether its policy stands in DNS: then the addresses have to be from there as well."""
        return self._domains[domain].tls == "dane"

    async def demands(self, domain: str, hosts: Hosts, *, authentic: bool) -> Demands | Bar:
        """`authentic`: the hosts' names are the configured ones, or DNSSEC vouches for them."""
        tls = self._domains[domain].tls
        if tls == "dane":
            if not authentic:
                return Bar(f"DANE: no DNSSEC for the MX record of {domain}, or no validating resolver on this machine")
            return await self._by_tlsa(domain, hosts)
        if tls == "mta-sts":
            return await self._by_sts(domain, hosts)
        return self._as_configured(domain, hosts, authentic=authentic)

    def _as_configured(self, domain: str, hosts: Hosts, *, authentic: bool) -> Demands:
        policy = self._domains[domain]
        file = str(policy.tls_ca_file or "")
        if policy.tls_pin:
            return _alike(hosts, Pinned(policy.tls_pin), f"pin={','.join(pin.hex() for pin in policy.tls_pin)}")
        if policy.tls == "verify":
            of = {host: Vouched(host.host, file, certain=authentic) for host in hosts}
            return Demands(of, f"verify {'' if authentic else 'by-dns'} {file}".rstrip())
        if policy.tls == "required":
            return _alike(hosts, Encrypted(), "required")
        return _alike(hosts, Opportunistic(), "")

    # DANE (RFC 7672). Who asks for it gets it or nothing: hosts without usable records get no mail

    async def _by_tlsa(self, domain: str, hosts: Hosts) -> Demands:
        found = await asyncio.gather(*(self._tlsa(domain, host, addresses) for host, addresses in hosts.items()))
        of = {host: demand for host, (demand, _) in zip(hosts, found, strict=True)}
        # only a certificate from an authority may be in the domain's own name
        records = [record for one in of.values() if isinstance(one, Dane) for record in one.records]
        named = any(record.usage == dane.AUTHORITY for record in records)
        ttl = min((ttl for _, ttl in found), default=timedelta.max)
        return Demands(of, f"dane {domain if named else ''}".rstrip(), ttl)

    async def _tlsa(self, domain: str, host: Mailhost, addresses: Found[str] | None) -> tuple[Dane | Bar, timedelta]:
        """RFC 7672 section 2.2.2: at the name that an alias leads to, then at the name that was given."""
        if addresses is None or not addresses.secure:
            return _bar(f"no DNSSEC for the addresses of {host.host}, or no validating resolver on this machine")
        names = tuple(dict.fromkeys((addresses.name or host.host, host.host)))
        records: Found[Tlsa] | NotFound = NotFound("")
        for name in names:
            records = await self._resolver.tlsa(name, host.port)
            if isinstance(records, Found) or not records.absent:
                break
        if isinstance(records, NotFound):
            return _bar(records.why)
        if not records.secure:
            return _bar(f"no DNSSEC for the TLSA records of {host.host}")
        usable = dane.usable(records.records)
        if not usable:
            return _bar(f"{host.host} has no TLSA record that can be used")
        return Dane(usable, tuple(dict.fromkeys((*names, domain)))), records.ttl

    # MTA-STS (RFC 8461)

    async def _by_sts(self, domain: str, hosts: Hosts) -> Demands | Bar:
        policy = await self._sts.policy(domain)
        if isinstance(policy, str):
            return Bar(f"MTA-STS: {policy}")
        if policy.mode == "none":
            return _alike(hosts, Opportunistic(), "mta-sts none")
        file = str(self._domains[domain].tls_ca_file or "")
        of: dict[Mailhost, Demand | Bar] = {}
        for host in hosts:
            demand = Vouched(host.host, file, "mta-sts")
            if policy.admits(host.host):
                of[host] = demand if policy.mode == "enforce" else Trial(demand)
            elif policy.mode == "enforce":
                of[host] = Bar(f"MTA-STS: the policy of {domain} does not admit {host.host}")
            else:
                log.tls_not_met(str(host), f"the policy of {domain} does not admit it")
                of[host] = Opportunistic()
        return Demands(of, f"mta-sts {policy.mode} {','.join(policy.mx)} {file}".rstrip())


def _bar(why: str) -> tuple[Bar, timedelta]:
    return Bar(f"DANE: {why}"), timedelta(0)


def _alike(hosts: Hosts, demand: Demand, terms: str) -> Demands:
    return Demands(dict.fromkeys(hosts, demand), terms)
