"""Senders to be proven, with a nameserver on loopback; time passes when a test says so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from backupmx.admission.sender import Senders
from backupmx.core.message import Client, Envelope, Proof
from tests.courier.nameserver import Nameserver
from tests.edge.door import until

CLIENT = "192.0.2.7"
PASS = '"v=spf1 ip4:192.0.2.7 -all"'


class Names(Nameserver):
    """A nameserver that may have nothing to say."""

    silent = False

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.silent:
            self.asked.append(("", ""))
        else:
            super().datagram_received(data, addr)


@dataclass
class House:
    """Senders, and all that they know."""

    names: Names
    senders: Senders
    troubles: list[BaseException]
    now: list[float] = field(default_factory=list)

    def spf(self, record: str, domain: str = "sender.test") -> "House":
        self.names.has(domain, "TXT", record)
        return self

    async def prove(
        self, content: bytes | None = None, *, sender: str = "a@sender.test", client: str = CLIENT, helo: str = "helo.test"
    ) -> Proof:
        return await self.senders.prove(Envelope(sender, (), Client(client, helo)), content)

    async def wait_in_vain(self, sender: str) -> None:
        """Nobody answers, and the check is over."""
        assert await self.prove(sender=sender) is Proof.NONE
        await until(lambda: not self.senders._begun, "the check has ended")


@asynccontextmanager
async def house(budget: float = 5.0) -> AsyncIterator[House]:
    """Time passes when a test says so."""
    troubles: list[BaseException] = []
    now = [1000.0]
    async with Names() as names:
        senders = Senders((names.place,), troubles.append, budget=budget, seconds=lambda: now[0])
        yield House(names, senders, troubles, now)
        await senders.close()
