"""This machine's own name: does it lead here, do its addresses lead back, what does SPF say of it?

Knows: A, AAAA, PTR, SPF of the HELO identity (RFC 7208 section 2.3), addresses that mean a router in between.
Does not know: the domains.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address

from msgspec.structs import replace

from backupmx.admission import spf
from backupmx.admission.records import Records
from backupmx.admission.spf import Question
from backupmx.core.exchanges import private, reachable
from backupmx.core.finding import About, Finding, InDns, Level
from backupmx.courier.resolver import Found, NotFound, Resolver

SPF_S = 5.0
ANYWHERE = ("192.0.2.1", "2001:db8::1")
"""Hosts that are not there (RFC 5737, RFC 3849): nothing is sent to them."""
ASK_AGAIN = "Look again in a while. If it stays so: does this machine's resolver work (`cat /etc/resolv.conf`)?"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]*")
Source = Callable[[str], str | None]
"""From which of this machine's addresses it would send to another one."""


def public(ip: str) -> bool:
    """Whether an address means the same host everywhere."""
    return reachable(ip) and not private(ip)


def in_command(host: str) -> str:
    """A host's name for a command that somebody may paste: DNS lets it be one that a shell would obey."""
    return host if _PLAIN.fullmatch(host) else "HOST"


def addresses(name: str, found: Found[str] | NotFound, source: Source) -> Iterator[Finding]:
    """Does a name of ours lead here?"""
    about = About("addresses", name)
    if isinstance(found, NotFound):
        if not found.absent:
            yield about.unknown(found.why, ASK_AGAIN)
            return
        wanted = _wanted(name, source)
        mend = (
            f"Set in DNS: {_set(name, wanted)}. "
            "If this machine has another name there, set that one as `hostname` in the configuration."
        )
        yield about.bad("has no address in DNS: senders do not find this machine", mend, InDns(wanted))
        return
    troubles = [trouble for ip in found.records for trouble in _leads_here(about, ip, source)]
    lines = tuple(_address(name, ip) for ip in found.records)
    yield from troubles or [about.good(f"leads here: {', '.join(found.records)}", InDns(lines, lines))]


def _leads_here(about: About, ip: str, source: Source) -> Iterator[Finding]:
    line = _address(about.subject, ip)
    drop = f"Take the record away: `{line}`."
    if not public(ip):
        wanted = _wanted(about.subject, source)
        mend = f"{drop} Set instead: {_set(about.subject, wanted)}"
        yield about.bad(f"leads to {ip}, which means another host in each network", mend, InDns(wanted, (line,)))
        return
    here = source(ip)
    if here == ip:
        return
    if here is None:
        said = f"leads to {ip}, and this machine has no {'IPv6' if ':' in ip else 'IPv4'}"
        yield about.bad(said, f"Give this machine that address. Or: {drop}", InDns((), (line,)))
    elif public(here):
        wanted = (_address(about.subject, here),)
        mend = f"Set in DNS: `{wanted[0]}` (instead of {ip}). Or give this machine that address."
        yield about.bad(f"leads to {ip}, and this machine is {here}", mend, InDns(wanted, (line,)))
    else:
        yield about.odd(
            f"leads to {ip}, and this machine is {here}: a router is in between, and only it knows whether mail comes through",
            f"In the router of {ip}: forward TCP port 25 to {here}. Then try from elsewhere: `nc -vz {about.subject} 25`",
            InDns((line,), (line,)),
        )


def _address(name: str, ip: str) -> str:
    return f"{name}. IN {'AAAA' if ':' in ip else 'A'} {ip}"


def _wanted(name: str, source: Source) -> tuple[str, ...]:
    """The address records that the name should have, as far as they can be told from here."""
    return tuple(_address(name, ip) for ip in map(source, ANYWHERE) if ip and public(ip))


def _set(name: str, wanted: Sequence[str]) -> str:
    lines = " and ".join(f"`{line}`" for line in wanted)
    return lines or f"`{name}. IN A …` with the address under which the Internet reaches this machine"


async def back(name: str, ip: str, resolver: Resolver) -> Finding:
    """Does an address lead back to our name (PTR), as many servers want it of whoever gives them mail?"""
    about = About("ptr", ip)
    owner = ip_address(ip).reverse_pointer
    record = f"{owner}. IN PTR {name}."
    mend = f"Have whoever gave you the address set this (at many providers you can, under reverse DNS): `{record}`"
    found = await resolver.names(ip)
    if isinstance(found, NotFound):
        if not found.absent:
            return about.unknown(found.why, ASK_AGAIN)
        said = "leads back to no name: many servers take no mail from it, notifications to senders least of all"
        return about.odd(said, mend, InDns((record,)))
    there = tuple(f"{owner}. IN PTR {each}." for each in found.records)
    if name in found.records:
        return about.good(f"leads back to {name}", InDns(there, there))
    dns = InDns((record,), there)
    other = found.records[0]
    forth = await resolver.addresses(other)
    if isinstance(forth, Found) and ip in forth.records:
        return about.odd(f"leads back to {other}, not to {name}: some servers want it to be the same", mend, dns)
    return about.odd(f"leads back to {other}, which does not lead to it: many servers take no mail from it", mend, dns)


async def sender_policy(name: str, ips: Sequence[str], resolver: Resolver, records: Records) -> Finding:
    """Does SPF let our addresses speak in our name? It is asked for notifications, which come from the null sender."""
    about = About("spf", name)
    wanted = text_record(name, "v=spf1 a -all")
    mend = f"Set in DNS: `{wanted}`"
    texts = await resolver.texts(name)
    if isinstance(texts, NotFound) and not texts.absent:
        return about.unknown(texts.why, ASK_AGAIN)
    policies = [text for text in texts.records if text.lower().split(" ")[0] == "v=spf1"] if isinstance(texts, Found) else []
    if not policies:
        return about.odd("no SPF record: notifications to senders are more easily taken for spam", mend, InDns((wanted,)))
    there = tuple(text_record(name, policy) for policy in policies)
    told = " ".join(policies)
    if not ips:
        return about.unknown(f"no address of this machine to hold its SPF record against: {told}", "Mend the addresses first.")
    finding = await asyncio.to_thread(_held_against, about, ips, records, told, mend)
    return replace(finding, dns=InDns(there if finding.level is Level.GOOD else (wanted,), there))


def text_record(name: str, text: str) -> str:
    """A TXT record, as a zone file has it (RFC 1035 section 5.1)."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}. IN TXT "{quoted}"'


def _held_against(about: About, ips: Sequence[str], records: Records, policy: str, mend: str) -> Finding:
    for ip in ips:
        question = Question(ip, "postmaster", about.subject, about.subject)
        try:
            finding = spf.check(question, records.inquiry(time.monotonic() + SPF_S))
        except Exception as error:  # noqa: BLE001 - pyspf raises anything over rubbish
            return about.bad(f"the SPF record cannot be read ({type(error).__name__}): {policy}", mend)
        if not finding.final:
            return about.unknown(f"DNS does not tell all that the SPF record asks for: {policy}", ASK_AGAIN)
        if not finding.passes:
            return about.bad(f"the SPF record does not let {ip} send in this name: {policy}", mend)
    return about.good(f"SPF lets it send in this name: {policy}")
