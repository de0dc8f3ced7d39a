"""Clients and primaries that do anything at any time, many at once: every recipient is where it was said to be (I1)."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field

import pytest

from backupmx.admission import harvest
from backupmx.core.belief import Word
from backupmx.core.status import PrimaryState
from backupmx.courier import relay
from backupmx.courier.transaction import Patience
from tests.courier.house import until
from tests.courier.primary import DROP, EXTENSIONS, SILENCE, TAKEN_BUT, ScriptedPrimary
from tests.edge.door import Client
from tests.relay.house import House, client_at, content_of, house, sent, stuffed

pytestmark = pytest.mark.slow

HASTY = Patience(connect=0.2, command=0.2, data=0.2, block=0.2, dot=1, quit=0.2)
DOMAINS = ("example.com", "example.org")
NAMES = ("a", "b", "c", "d", "gone", "unknown", "nobody")
STEPS = ("CONNECT", "EHLO", "XCLIENT", "MAIL", "RCPT", "RCPT", "DATA", "BODY", "DOT", "DOT", "RSET")
REPLIES = (
    DROP,
    SILENCE,
    "451 4.7.5 later",
    "554 5.7.9 never",
    "421 4.3.2 closing",
    "503 5.5.1 what?",
    "nonsense",
    "250 2.0.0 yes",
)
OFFERS = ((), EXTENSIONS, (*EXTENSIONS, "XCLIENT NAME ADDR PROTO HELO"))
LIMIT = 2


@dataclass
class Message:
    """One transaction, as its client sees it."""

    content: bytes
    taken: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    whole: bool = False
    """All of the content was sent."""
    answer: str | None = None
    """None: the client did not wait for it."""


class Gone(Exception):
    """The client has had enough."""


class Visitor:
    """A client that may leave at any time."""

    def __init__(self, talk: Client, chance: random.Random, number: int) -> None:
        self._talk = talk
        self._chance = chance
        self._number = number
        self.messages: list[Message] = []

    async def stay(self) -> None:
        for serial in range(self._chance.randint(1, 3)):
            await self._message(serial)

    def _maybe_leave(self, often: float = 0.04) -> None:
        if self._chance.random() < often:
            raise Gone

    async def _message(self, serial: int) -> None:
        chance = self._chance
        size = chance.choice((0, 100, 3000, 300_000, 600_000))
        subject = b"Subject: %d.%d\r\n\r\n" % (self._number, serial)
        message = Message(subject + b".line\r\n" * (size // 7))
        self.messages.append(message)
        if not (await self._talk.say(f"MAIL FROM:<s{self._number}@sender.test>")).startswith("250"):
            raise Gone
        for name in chance.sample(NAMES, chance.randint(1, 4)):
            address = f"{name}@{chance.choices(DOMAINS, (4, 1))[0]}"
            self._talk.send(f"RCPT TO:<{address}>\r\n".encode())
            self._maybe_leave()
            answer = await self._talk.reply()
            if not answer:
                raise Gone
            (message.taken if answer.startswith("250") else message.refused).add(address)
        self._maybe_leave()
        if not message.taken or chance.random() < 0.1:
            await self._talk.say("RSET")
            message.whole = False
        elif chance.random() < 0.3:
            await self._chunks(message)
        else:
            await self._data(message)

    async def _data(self, message: Message) -> None:
        assert (await self._talk.say("DATA")).startswith("354")
        wire = stuffed(message.content)
        await self._octets(wire, message)
        message.answer = await self._reply()

    async def _chunks(self, message: Message) -> None:
        cut = self._chance.randrange(len(message.content) + 1)
        first, last = message.content[:cut], message.content[cut:]
        await self._octets(b"BDAT %d\r\n" % len(first) + first, None)
        if not (await self._reply()).startswith("250"):
            await self._talk.say("RSET")
            return
        await self._octets(b"BDAT %d LAST\r\n" % len(last) + last, message)
        message.answer = await self._reply()

    async def _octets(self, octets: bytes, message: Message | None) -> None:
        cut = self._chance.randrange(len(octets))
        for part, last in ((octets[:cut], False), (octets[cut:], True)):
            self._talk.send(part)
            if last and message is not None:
                message.whole = True
            with contextlib.suppress(OSError):
                await self._talk.writer.drain()
            self._maybe_leave()

    async def _reply(self) -> str:
        answer = await self._talk.reply()
        if not answer:
            raise Gone
        return answer


async def visit(at: House, seed: int, number: int) -> list[Message]:
    chance = random.Random(f"{seed}.{number}")
    async with client_at(at, f"127.0.0.{chance.randint(1, 3)}") as talk:
        visitor = Visitor(talk, chance, number)
        with contextlib.suppress(Gone, OSError):
            await visitor.stay()
        return visitor.messages


async def misfortune(at: House, primaries: list[ScriptedPrimary], chance: random.Random) -> None:
    """What comes over primaries while mail is on its way."""
    for _ in range(chance.randint(0, 3)):
        await asyncio.sleep(chance.random() / 10)
        event = chance.randrange(4)
        if event == 0:
            await chance.choice(primaries).cut()
        elif event == 1:
            at.primaries(chance.choice(list(PrimaryState)), chance.choice(DOMAINS))
        else:
            await at.time.advance(chance.choice((4, 7, 61)))


def check(at: House, primaries: list[ScriptedPrimary], messages: list[Message], seed: int) -> None:
    """I1, for each message."""
    held = list(zip(at.messages(), at.held(), strict=True))
    primaries = list(dict.fromkeys(primaries))
    received = [got for primary in primaries for got in primary.received]
    unanswered = [content_of(content) for primary in primaries for content in primary.unanswered]
    contents = [message.content for message in messages]
    assert all(content in contents for _, content in held), seed
    assert all(content_of(got.content) in contents for got in received), seed
    for message in messages:
        kept = [one.address for each, content in held if content == message.content for one in each.envelope.recipients]
        given = [address for got in received if content_of(got.content) == message.content for address in got.rcpts]
        story = (seed, message.taken, message.refused, message.answer, "kept", kept, "given", given)
        assert set(kept) | set(given) <= message.taken | (set() if message.answer else everybody()), story
        if message.answer is not None and message.answer.startswith("250"):
            assert set(kept) | set(given) == message.taken, story
        elif message.answer is not None or not message.whole:
            assert not kept + given, story
        if message.content not in unanswered:
            assert len(kept + given) == len(set(kept + given)), story


def everybody() -> set[str]:
    return {f"{name}@{domain}" for name in NAMES for domain in DOMAINS}


async def live(seed: int) -> None:
    """One story."""
    chance = random.Random(seed)
    offers = chance.choice(OFFERS)
    async with ScriptedPrimary(offers) as one, ScriptedPrimary(offers) as two:
        primaries = [one, two if chance.random() < 0.7 else one]
        for primary in dict.fromkeys(primaries):
            for _ in range(chance.randint(0, 4)):
                step = chance.choice(STEPS)
                replies = (*REPLIES, TAKEN_BUT + DROP, TAKEN_BUT + DROP) if step == "DOT" else REPLIES
                if step == "BODY":
                    replies = REPLIES[:5]
                having = chance.choice(("", "", "a@", "b@")) if step in ("RCPT", "MAIL") else ""
                primary.on(step, chance.choice(replies), having, times=chance.choice((1, 1, 2, 3)))
            primary.on("RCPT", "550 5.1.1 nobody", having="nobody@").on("RCPT", "550 5.1.1 gone", having="gone@")
        policies = {domain: chance.choice(("relay", "relay", "relay", "spool")) for domain in DOMAINS}
        async with house(
            dict(zip(DOMAINS, primaries, strict=True)),
            patience=HASTY,
            limit=LIMIT,
            late=0.3,
            when_primary_up=policies,
            when_unknown=chance.choice(("accept", "defer")),
        ) as at:
            for domain in DOMAINS:
                await at.learned(Word.KNOWN, "a", "b", "c", "d", domain=domain)
                await at.learned(Word.GONE, "gone", domain=domain)
            _, *stories = await asyncio.gather(
                misfortune(at, primaries, chance), *(visit(at, seed, number) for number in range(4))
            )
            await until(lambda: not at.edge._sessions and not at.edge._tasks, "nobody is left")
            check(at, primaries, [message for story in stories for message in story], seed)
            await heal(at, primaries, policies)


async def heal(at: House, primaries: list[ScriptedPrimary], policies: dict[str, str]) -> None:
    """All is well again: as many clients at once as there may be connections are served by the primary."""
    at.primaries(PrimaryState.UP)
    for primary in primaries:
        primary.forget()
    for domain, primary in zip(DOMAINS, primaries, strict=True):
        if policies[domain] == "relay":
            for _ in range(5):  # a busy machine may look like a slow primary, but not again and again
                if await serves_all(at, primary, domain):
                    break
            else:
                raise AssertionError("places are lost")


async def serves_all(at: House, primary: ScriptedPrimary, domain: str) -> bool:
    await at.time.advance(10)
    primary.gate.clear()
    before = primary.ends
    sending = [asyncio.create_task(sent(at, f"a@{domain}", address=f"127.0.0.{n}")) for n in range(1, LIMIT + 1)]
    try:
        await until(lambda: primary.ends == before + LIMIT or any(each.done() for each in sending), "all have a place", 3)
        return primary.ends == before + LIMIT
    finally:
        primary.gate.set()
        assert all(told.taken for told in await asyncio.gather(*sending))


@pytest.fixture(autouse=True)
def _haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else seconds are waited for a place, or as one who guesses."""
    monkeypatch.setattr(harvest, "SLOW_S", 0.01)
    monkeypatch.setattr(relay, "QUEUE_S", 0.3)


async def live_all(seeds: range) -> None:
    for start in range(seeds.start, seeds.stop, 5):
        results = await asyncio.gather(*map(live, range(start, min(start + 5, seeds.stop))), return_exceptions=True)
        for seed, result in enumerate(results, start):
            assert result is None, (seed, result)


@pytest.mark.parametrize("part", range(4))
async def test_every_recipient_is_where_it_was_said_to_be(part: int) -> None:
    """I1, I9: the short form."""
    await live_all(range(part * 10, part * 10 + 10))


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(20))
async def test_however_long_it_goes_on(part: int) -> None:
    """I1, I9: the long form."""
    await live_all(range(1000 + part * 120, 1000 + part * 120 + 120))
