"""Looks names up: dnspython, and the system's own way for hosts that an admin named.

Knows: dnspython, and how its answers and errors read.
Does not know: what the answers are for.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from backupmx.config import Endpoint
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


@dataclass(frozen=True, slots=True)
class NotFound:
    """No records, and why, in words."""

    why: str


class Resolver:
    """Asks the configured nameservers, or else the system's."""

    def __init__(self, nameservers: Sequence[Endpoint]) -> None:
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
        return Found(records, _ttl(answer))

    async def addresses(self, host: str) -> Found[str] | NotFound:
        """The addresses of a host by DNS, IPv4 first: where IPv6 is broken, it is slow to fail."""
        answers = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        good = [answer for answer in answers if not isinstance(answer, NotFound)]
        if not good:
            return next(answer for answer in answers if isinstance(answer, NotFound))
        return Found(tuple(record.address for answer in good for record in answer), min(map(_ttl, good)))

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
            return await resolver.resolve(dns.name.from_text(name), kind, lifetime=LIFETIME_S)
        except dns.resolver.NXDOMAIN:
            return NotFound(f"DNS: {name} does not exist")
        except dns.resolver.NoAnswer:
            return NotFound(f"DNS: {name} has no {kind} record")
        except dns.resolver.NoNameservers:
            return NotFound(f"DNS: the nameservers cannot tell the {kind} record of {name}")
        except dns.exception.Timeout:
            return NotFound(f"DNS: no answer for the {kind} record of {name}")
        except (dns.exception.DNSException, OSError) as error:
            return NotFound(f"DNS: {type(error).__name__} for the {kind} record of {name}")


def _ttl(answer: dns.resolver.Answer) -> timedelta:
    return timedelta(seconds=answer.rrset.ttl if answer.rrset else 0)
