"""A nameserver on a loopback port that answers from a table, or with trouble."""

import asyncio
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from backupmx.config import Endpoint


class Nameserver(asyncio.DatagramProtocol):
    """`async with` it; it knows what it `has`, and says so, unless it is `failing`."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[str, ...]] = {}
        self.failing: dns.rcode.Rcode | None = None
        self.ttl = 300
        self.authentic: set[str] = set()
        """Names and kinds of records that a validating resolver would vouch for; `*` for all."""
        self.asked: list[tuple[str, str]] = []
        self.place = Endpoint("127.0.0.1", 0)

    def has(self, name: str, kind: str, *texts: str) -> Self:
        """Know these records, and no others of this kind, of a name."""
        self.records[name, kind] = texts
        return self

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.place = Endpoint("127.0.0.1", self._transport.get_extra_info("sockname")[1])
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), question.rdtype.name
        self.asked.append((name, kind))
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        alias = self.records.get((name, "CNAME"))
        if alias and kind != "CNAME":
            answer.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", "CNAME", *alias))
            name = alias[0].removesuffix(".")
        if query.flags & dns.flags.AD and self.authentic & {"*", name, kind}:
            answer.flags |= dns.flags.AD
        texts = self.records.get((name, kind))
        if self.failing is not None:
            answer.set_rcode(self.failing)
        elif texts:
            answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", kind, *texts))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)
