"""A domain's MX records: is this machine there, behind the primary, and do the names lead anywhere?

Knows: RFC 5321 section 5.1, RFC 7505 (the null MX), RFC 2181 section 10.3 (no aliases), the configured primaries.
Does not know: connections.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backupmx.checks.names import ASK_AGAIN, Source, in_command, public
from backupmx.config import Domain
from backupmx.core.exchanges import Exchange
from backupmx.core.finding import About, Finding, InDns
from backupmx.courier.resolver import Found, NotFound, Resolver

MOST_HOSTS = 20
"""Looked up; a domain with more MX hosts is not believable."""
STEP = 10
"""Between the preferences of records that we propose."""
HIGHEST = 65535


@dataclass(frozen=True, slots=True)
class Seen:
    """What is said of a domain's MX records, and what others need to know of them."""

    findings: tuple[Finding, ...]
    ours: tuple[str, ...] = ()
    """The names under which this machine is listed."""
    others: tuple[str, ...] = ()
    """The addresses of all other hosts."""


@dataclass(frozen=True, slots=True)
class _Hosts:
    """The hosts of a domain that has any, with their addresses."""

    ours: tuple[Exchange, ...]
    others: tuple[Exchange, ...]
    addresses: Mapping[str, Found[str] | NotFound]

    def ips(self, host: str) -> tuple[str, ...]:
        found = self.addresses[host]
        return found.records if isinstance(found, Found) else ()


async def look(domain: str, policy: Domain, hostname: str, our_ips: Sequence[str], resolver: Resolver, source: Source) -> Seen:
    """`our_ips` are those that DNS has for our name."""
    about, first = About("mx", domain), _first(domain, policy, hostname)
    found = await resolver.exchanges(domain)
    if isinstance(found, NotFound):
        if not found.absent:
            return Seen((about.unknown(found.why, ASK_AGAIN),))
        mend = f"{_set(first, policy)} If the domain's name is another one, correct it in the configuration."
        return Seen((about.bad(f"{found.why}: senders do not find this machine", mend, InDns(first)),))
    listed = sorted(exchange for exchange in found.records if exchange.host)[:MOST_HOSTS]
    if not listed:
        none = f"{domain}. IN MX 0 ."
        mend = f"Take the record away: `{none}`. {_set(first, policy)}"
        return Seen((about.bad("says that the domain takes no mail at all (null MX)", mend, InDns(first, (none,))),))
    names = list(dict.fromkeys(exchange.host for exchange in listed))
    addresses = dict(zip(names, await asyncio.gather(*map(resolver.addresses, names)), strict=True))

    def is_ours(host: str) -> bool:
        there = addresses[host]
        ips = there.records if isinstance(there, Found) else ()
        return host == hostname or any(ip in our_ips or (public(ip) and source(ip) == ip) for ip in ips)

    ours = tuple(exchange for exchange in listed if is_ours(exchange.host))
    others = tuple(exchange for exchange in listed if exchange not in ours)
    hosts = _Hosts(ours, others, addresses)
    primary_ips = await _addresses_of_primaries(policy, resolver)
    findings = (_order(about, hosts, policy, primary_ips, hostname), *_targets(about, hosts))
    their_ips = dict.fromkeys(ip for exchange in others for ip in hosts.ips(exchange.host))
    return Seen(findings, tuple(dict.fromkeys(exchange.host for exchange in ours)), tuple(their_ips))


async def _addresses_of_primaries(policy: Domain, resolver: Resolver) -> frozenset[str]:
    """Of the configured ones, as far as they are known."""
    literal = {primary.host for primary in policy.primary if primary.literal}
    found = await asyncio.gather(*(resolver.configured(primary.host) for primary in policy.primary if not primary.literal))
    return frozenset(literal.union(*(each.records for each in found if isinstance(each, Found))))


def _order(about: About, hosts: _Hosts, policy: Domain, primary_ips: frozenset[str], hostname: str) -> Finding:
    """Whether senders try the primary first, and this machine when it is away."""
    domain, others = about.subject, hosts.others
    found = tuple(_mx(domain, *exchange) for exchange in sorted((*hosts.ours, *others)))
    theirs = tuple(_mx(domain, *exchange) for exchange in others)
    last = max((exchange.preference for exchange in (*hosts.ours, *others)), default=0)
    if not hosts.ours:
        said = f"this machine is not listed: senders do not come here while {_told(others)} is away"
        new = _mx(domain, last + STEP, hostname)
        return about.bad(said, f"Set in DNS, beside what is there: `{new}`", InDns((*theirs, new), found))
    best = min(hosts.ours)
    better = [exchange for exchange in others if exchange.preference < best.preference]
    # without a configured primary there is nobody to give mail to then
    tell = about.odd if policy.primary else about.bad
    new = _mx(domain, last + STEP, best.host)
    behind_all = f"Set in DNS: `{new}` (instead of {best.preference} {best.host}.)", InDns((*theirs, new), found)
    if not others:
        said = f"this machine alone is listed ({best.preference}): all mail comes this way, also while the primary is up"
        first = _first(domain, policy, hostname)
        return tell(said, f"{_set(first, policy)} If this machine is meant to be the only way in, leave it.", InDns(first, found))
    if not better:
        said = f"this machine ({best.preference}) is not behind {_told(others)}: senders come here also while the primary is up"
        return tell(said, *behind_all)
    primaries = _configured(policy, hosts, primary_ips)
    if any(exchange.preference >= best.preference for exchange in primaries):
        said = f"the primary, {_told(primaries)}, is not before this machine ({best.preference} {best.host})"
        return about.odd(said, *behind_all)
    # an address of a private network tells nothing: the same server may have a public one
    if policy.primary and not primaries and any(map(public, primary_ips)):
        mend = (
            "Which server has the mailboxes? If the MX is right: "
            f"`backupmx domain set {domain} primary={in_command(better[0].host)}`. "
            "If the configuration is, name that server in the MX."
        )
        return about.odd(f"{_told(better)} is before this machine, and is not the configured primary", mend, InDns(found, found))
    return about.good(f"{_told(better)}, then this machine ({best.preference} {best.host})", InDns(found, found))


def _configured(policy: Domain, hosts: _Hosts, primary_ips: frozenset[str]) -> Sequence[Exchange]:
    """Which of the other hosts are the configured primary, by name or by address."""
    names = {primary.host for primary in policy.primary}
    return [each for each in hosts.others if each.host in names or primary_ips.intersection(hosts.ips(each.host))]


def _targets(about: About, hosts: _Hosts) -> Iterator[Finding]:
    """Names that lead nowhere, or by a detour."""
    ours = {exchange.host for exchange in hosts.ours}
    for host, found in hosts.addresses.items():
        if isinstance(found, Found):
            if found.name and found.name != host:
                mend = f"Name {found.name} itself in the MX record, or give {host} address records instead of the CNAME."
                yield about.odd(f"{host} is an alias of {found.name} (CNAME): some senders do not follow it", mend)
        elif found.absent and host not in ours:
            mend = f"Set in DNS: `{host}. IN A …` with its address. If there is no such server any more, take its MX record away."
            yield about.odd(f"{host} is listed, and has no address", mend)
        elif not found.absent:
            yield about.unknown(found.why, ASK_AGAIN)


def _first(domain: str, policy: Domain, hostname: str) -> tuple[str, str]:
    """All the records that a domain without any should have: that of its primary, and ours."""
    return _mx(domain, STEP, _name(policy) or f"mail.{domain}"), _mx(domain, 2 * STEP, hostname)


def _set(first: tuple[str, str], policy: Domain) -> str:
    theirs, ours = first
    unsure = "" if _name(policy) else " (with your mail server's name)"
    return f"Set in DNS: `{theirs}`{unsure} and `{ours}`."


def _name(policy: Domain) -> str | None:
    """Of the configured primary, if it has one."""
    return next((host.host for host in policy.primary if not host.literal), None)


def _mx(domain: str, preference: int, host: str) -> str:
    return f"{domain}. IN MX {min(preference, HIGHEST)} {host}."


def _told(exchanges: Sequence[Exchange]) -> str:
    return ", ".join(f"{exchange.host} ({exchange.preference})" for exchange in exchanges)
