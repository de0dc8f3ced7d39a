"""Looks names up: dnspython, and the system's own way for hosts that an admin named.

Knows: dnspython, and how its answers and errors read.
Does not know: what the answers are for.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Generic, TypeVar

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename

from backupmx.config import Endpoint
from backupmx.core.dane import Tlsa
from backupmx.core.exchanges import Exchange

LIFETIME_S = 10.0
"""For one question, all servers and repeats included."""
SYSTEM_TTL = timedelta(minutes=5)
"""The system's resolver tells no time to live."""
LOOPBACK = ("127.0.0.1", "::1")

Record_co = TypeVar("Record_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Found(Generic[Record_co]):
    """Records, never none, and how long they hold."""

    records: tuple[Record_co, ...]
    ttl: timedelta
    secure: bool = False
    """Whether a validating resolver on this machine vouches for them (RFC 7672 section 2.2: the AD bit over a safe path)."""
    name: str = ""
    """Where aliases led to."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """No records, and why, in words."""

    why: str
    absent: bool = False
    """DNS says that there are none; else it does not tell."""


class Resolver:
    """Asks the configured nameservers, or else the system's."""

    def __init__(self, nameservers: Sequence[Endpoint], answers: dns.resolver.CacheBase | None = None) -> None:
        """`answers` is where they are kept for their time to live; without it each question is asked anew."""
        self._answers = answers
        self._nameservers = [dns.nameserver.Do53Nameserver(server.host, server.port) for server in nameservers]

    async def exchanges(self, domain: str) -> Found[Exchange] | NotFound:
        """The MX records of a domain."""
        answer = await self._ask(domain, "MX")
        if isinstance(answer, NotFound):
            return answer
        records = tuple(
            Exchange(record.preference, record.exchange.to_text(omit_final_dot=True).lower().removeprefix("."))
            for record in answer
        )
        return Found(records, _ttl(answer), _secure(answer))

    async def addresses(self, host: str) -> Found[str] | NotFound:
        """The addresses of a host by DNS, IPv4 first: where IPv6 is broken, it is slow to fail."""
        answers = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        good = [answer for answer in answers if not isinstance(answer, NotFound)]
        if not good:
            return next(answer for answer in answers if isinstance(answer, NotFound))
        name = good[0].canonical_name.to_text(omit_final_dot=True).lower()
        records = tuple(record.address for answer in good for record in answer)
        return Found(records, min(map(_ttl, good)), all(map(_secure, good)), name)

    async def tlsa(self, host: str, port: int) -> Found[Tlsa] | NotFound:
        """The TLSA records of a service (RFC 6698 section 3)."""
        answer = await self._ask(f"_{port}._tcp.{host}", "TLSA")
        if isinstance(answer, NotFound):
            return answer
        records = tuple(Tlsa(record.usage, record.selector, record.mtype, record.cert) for record in answer)
        return Found(records, _ttl(answer), _secure(answer))

    async def texts(self, name: str) -> Found[str] | NotFound:
        """The TXT records of a name, each in one piece."""
        answer = await self._ask(name, "TXT")
        if isinstance(answer, NotFound):
            return answer
        return Found(tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer), _ttl(answer))

    async def names(self, ip: str) -> Found[str] | NotFound:
        """The names that an address leads back to (PTR), in lower case."""
        answer = await self._ask(dns.reversename.from_address(ip).to_text(omit_final_dot=True), "PTR")
        if isinstance(answer, NotFound):
            return answer
        return Found(tuple(record.target.to_text(omit_final_dot=True).lower() for record in answer), _ttl(answer))

    async def configured(self, host: str) -> Found[str] | NotFound:
        """The addresses of a host that an admin named.

        As the system finds them, its hosts file included; where nameservers are configured, they are asked instead for every
        name that DNS can know.
        """
        if host == "localhost" or host.endswith(".localhost"):
            return Found(LOOPBACK, SYSTEM_TTL)  # RFC 6761 section 6.3
        by_dns = self._nameservers and "." in host
        return await (self.addresses(host) if by_dns else self._by_the_system(host))

    async def _by_the_system(self, host: str) -> Found[str] | NotFound:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LIFETIME_S):
                found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except TimeoutError:
            return NotFound(f"{host}: the system's resolver does not answer")
        except (OSError, UnicodeError) as error:
            return NotFound(f"{host}: {getattr(error, 'strerror', None) or 'no valid name'}")
        addresses = sorted({str(address[0]) for *_, address in found}, key=lambda address: ":" in address)
        return Found(tuple(addresses), SYSTEM_TTL) if addresses else NotFound(f"{host}: no address")

    async def _ask(self, name: str, kind: str) -> dns.resolver.Answer | NotFound:
        try:
            # made anew for each question: the system's nameservers change with the network it is in
            resolver = dns.asyncresolver.Resolver(configure=not self._nameservers)
            if self._nameservers:
                resolver.nameservers = self._nameservers
            resolver.cache = self._answers
            # asks to be told whether the answer was validated (RFC 6840 section 5.7)
            resolver.flags = dns.flags.RD | dns.flags.AD
            return await resolver.resolve(dns.name.from_text(name), kind, lifetime=LIFETIME_S)
        except dns.resolver.NXDOMAIN:
            return NotFound(f"DNS: {name} does not exist", absent=True)
        except dns.resolver.NoAnswer:
            return NotFound(f"DNS: {name} has no {kind} record", absent=True)
        except dns.resolver.NoNameservers:
            return NotFound(f"DNS: the nameservers cannot tell the {kind} record of {name}")
        except dns.exception.Timeout:
            return NotFound(f"DNS: no answer for the {kind} record of {name}")
        except (dns.exception.DNSException, OSError) as error:
            return NotFound(f"DNS: {type(error).__name__} for the {kind} record of {name}")


def _secure(answer: dns.resolver.Answer) -> bool:
    """Anybody on the way from another machine could set the bit."""
    try:
        near = ip_address(answer.nameserver or "").is_loopback
    except ValueError:
        return False
    return near and bool(answer.response.flags & dns.flags.AD)


def _ttl(answer: dns.resolver.Answer) -> timedelta:
    return timedelta(seconds=answer.rrset.ttl if answer.rrset else 0)
