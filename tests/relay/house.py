"""An edge on a real socket, with a real relay to primaries that follow a script; clocks and timers move when told to."""

import asyncio
import itertools
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from backupmx.admission.admission import Admission
from backupmx.admission.returns import Returns
from backupmx.config import Domain, Settings, Smtp
from backupmx.core.belief import EVERYBODY, Learned, Word
from backupmx.core.message import Envelope, Proof
from backupmx.core.status import PrimaryState
from backupmx.courier.board import Board
from backupmx.courier.client import Dialler
from backupmx.courier.relay import Relay
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Routes
from backupmx.courier.transaction import Patience
from backupmx.edge.server import Edge
from backupmx.edge.tally import Tally
from backupmx.recipients.callouts import Callouts
from backupmx.recipients.knowledge import Knowledge
from backupmx.spool.memory import MemorySpool
from tests.courier.house import START, Time, until
from tests.courier.primary import ScriptedPrimary
from tests.edge.door import HOSTNAME, Client, content_of
from tests.spool.samples import listed

SHORT = Patience(connect=1.5, command=1.5, data=1.5, block=1.5, dot=1.5, quit=1.5)
LONG = Patience(connect=10, command=10, data=10, block=10, dot=10, quit=1)
"""For tests in which nobody is silent: a busy machine must not look like a slow primary."""
DOMAIN = "example.com"
CONTENT = b"Subject: hello\r\n\r\nhello\r\n"


@dataclass
class Told:
    """What a client heard in one transaction."""

    rcpts: list[str]
    """One reply for each recipient."""
    dot: str = ""
    """To the content, or to DATA; empty when the line ended."""

    @property
    def taken(self) -> bool:
        return self.dot.startswith("250")


@dataclass
class House:
    """What a test works with."""

    policies: Mapping[str, Domain]
    settings: Settings
    spool: Any
    patience: Patience
    limit: int
    late: float
    smtp: Smtp
    time: Time = field(default_factory=Time)
    told: list[tuple[str, str]] = field(default_factory=list)
    """What the courier heard of the primaries."""
    doubted: list[bytes | None] = field(default_factory=list)
    """Contents of messages whose sender was to be proven."""
    port: int = 0

    def __post_init__(self) -> None:
        serial = itertools.count()
        domains = tuple(self.policies)
        self.board = Board(domains)
        self.relay = Relay(
            Routes(self.settings, Resolver(())),
            Dialler(HOSTNAME, self.patience),
            self.board,
            lambda what, domain: self.told.append((what, domain)),
            self.limit,
            patience=self.patience,
            timer=self.time.timer,
            clock=self.seconds,
        )
        self.knowledge = Knowledge(self.policies, self.spool.roll, self.board, self.time.clock, self.seconds)
        self.callouts = Callouts(self.relay, self.knowledge, lambda: f"nobody{next(serial)}", patience=self.late)
        self.admission = Admission(self.policies, self.knowledge, self.callouts, self.relay, Returns(), self.time.clock)
        self.edge = Edge(
            settings=self.smtp,
            hostname=HOSTNAME,
            spool=self.spool,
            admission=self.admission,
            tally=Tally.make(1).row(0),
            clock=self.time.clock,
            wake=lambda: None,
            ask=lambda _domain: None,
            prove=self.prove,
            tls=None,
        )

    async def prove(self, envelope: Envelope, content: bytes | None) -> Proof:
        self.doubted.append(content)
        return Proof.NONE

    def seconds(self) -> float:
        return (self.time.now - START).total_seconds()

    # The weather

    def primaries(self, state: PrimaryState, *domains: str) -> None:
        """The courier writes on its board."""
        for domain in domains or self.policies:
            self.board.write(domain, state, self.board.clock(domain))

    async def pass_time(self, time: timedelta, *, up: bool = True) -> None:
        """Let time pass; the primaries' clocks run while they are up."""
        for domain in self.policies:
            state = PrimaryState.UP if up else PrimaryState.DOWN
            self.board.write(domain, state, self.board.clock(domain) + int(time.total_seconds()) * up)
        await self.time.advance(time.total_seconds())

    async def learned(self, word: Word, *locals_: str, domain: str = DOMAIN, ago: int = 0) -> None:
        """The roll has this of these local parts."""
        at, when = self.board.clock(domain) - ago, int(self.time.now.timestamp()) - ago
        await self.spool.roll.learn(domain, {local: Learned(word, at, when=when) for local in locals_})

    async def no_catch_all(self) -> None:
        """The roll has it that no domain takes everybody."""
        for domain in self.policies:
            await self.learned(Word.GONE, EVERYBODY, domain=domain)

    async def warm(self, domain: str = DOMAIN) -> None:
        """Nearly everybody who was named in the last month was known."""
        await self.spool.roll.count(domain, int(self.time.now.timestamp()) // 86_400, 100, 100)

    async def word(self, local: str, domain: str = DOMAIN) -> Word | None:
        """What the roll has of an address, now that what was learned is written."""
        await self.knowledge.write()
        found = self.spool.roll.recall(domain, local)
        return found.word if found else None

    # What became of mail

    def held(self) -> list[bytes]:
        """Contents in the spool, without our Received field, in the order of their ids."""
        return [content_of(b"".join(self.spool.content(message.id))) for message in self.messages()]

    def messages(self) -> list[Any]:
        """In the order of their ids."""
        return list(reversed(listed(self.spool)))

    def spooled(self) -> list[str]:
        """Every recipient of what the spool holds, once for each time."""
        return sorted(one.address for message in self.messages() for one in message.envelope.recipients)


def settings(domains: Mapping[str, Sequence[str]], **keys: Any) -> Settings:
    """Domains, each with its primaries and these keys; a key that is a mapping is by domain."""
    tables = {}
    for name, primary in domains.items():
        mine = {key: value[name] if isinstance(value, dict) else value for key, value in keys.items()}
        tables[name] = {"primary": tuple(primary), **mine}
    return Settings.model_validate({"hostname": HOSTNAME, "domain": tables})


@asynccontextmanager
async def house(
    primary: ScriptedPrimary | Mapping[str, ScriptedPrimary],
    *,
    spool: Any = None,
    patience: Patience = LONG,
    limit: int = 4,
    late: float = 5.0,
    smtp: Smtp | None = None,
    state: PrimaryState = PrimaryState.UP,
    surveyed: bool = True,
    scheme: str = "",
    **keys: Any,
) -> AsyncIterator[House]:
    """A running edge in front of one primary of example.com, or of several domains' primaries; all of them are up.

    It is known that none of them takes everybody, unless that is to be found out.
    """
    of_domain = primary if isinstance(primary, Mapping) else {DOMAIN: primary}
    made = settings({name: [f"{scheme}127.0.0.1:{each.port}"] for name, each in of_domain.items()}, **keys)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    chosen = spool if spool is not None else MemorySpool()
    at = House(made.domains, made, chosen, patience, limit, late, smtp or Smtp(), port=listener.getsockname()[1])
    at.primaries(state)
    if surveyed:
        await at.no_catch_all()
    await at.edge.start([listener])
    try:
        yield at
    finally:
        await at.edge.stop(timedelta(0))
        await at.callouts.close()
        await at.relay.close()
        await asyncio.sleep(0)


async def send(talk: Client, *recipients: str, content: bytes = CONTENT, sender: str = "a@sender.test", chunks: int = 0) -> Told:
    """One transaction as a patient client carries it out; by BDAT when it goes in chunks."""
    answer = await talk.say(f"MAIL FROM:<{sender}>")
    assert answer.startswith("250 2.1.0 "), answer
    told = Told([await talk.say(f"RCPT TO:<{recipient}>") for recipient in recipients])
    if not any(reply.startswith("250") for reply in told.rcpts):
        await talk.say("RSET")
        return told
    if chunks:
        told.dot = await _by_chunks(talk, content, chunks)
        return told
    answer = await talk.say("DATA")
    assert answer.startswith("354 "), answer
    talk.send(stuffed(content))
    told.dot = await talk.reply()
    return told


def stuffed(content: bytes) -> bytes:
    """As it goes over the wire, with its end."""
    return re.sub(rb"(?m)^\.", b"..", content) + b".\r\n"


async def _by_chunks(talk: Client, content: bytes, chunks: int) -> str:
    size = -(-len(content) // chunks)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    answer = ""
    for number, piece in enumerate(pieces, 1):
        talk.send(b"BDAT %d%s\r\n" % (len(piece), b" LAST" if number == len(pieces) else b"") + piece)
        answer = await talk.reply()
        if not answer.startswith("250"):
            break
    return answer


@asynccontextmanager
async def client_at(at: House, address: str) -> AsyncIterator[Client]:
    """A client with an address of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", at.port, local_addr=(address, 0))
    talk = Client(reader, writer)
    assert (await talk.reply()).startswith("220 ")
    await talk.say("EHLO client.test")
    try:
        yield talk
    finally:
        writer.close()
        await writer.wait_closed()


async def sent(at: House, *recipients: str, address: str = "127.0.0.1", **words: Any) -> Told:
    """A client comes, sends one message, and takes its leave."""
    async with client_at(at, address) as talk:
        told = await send(talk, *recipients, **words)
        await talk.say("QUIT")
    return told


async def quiet(at: House) -> None:
    """Until no question is under way."""
    await until(lambda: not at.callouts._asking, "all questions are answered")


def taken(primary: ScriptedPrimary) -> list[str]:
    """Every recipient of what a primary took, once for each time."""
    return sorted(address for got in primary.received for address in got.rcpts)
