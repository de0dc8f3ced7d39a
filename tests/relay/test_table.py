"""What becomes of a recipient when the primary is up, down, or breaks at any step: every cell, against a model in plain words.

I1: every recipient is in exactly one place: refused to the sender, with the primary, or in the spool. Only after a lost reply to
the final dot may it be in two of them.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from backupmx.core.belief import EVERYBODY, Word
from backupmx.core.status import PrimaryState
from tests.courier.primary import DROP, EXTENSIONS, SILENCE, TAKEN_BUT, ScriptedPrimary
from tests.courier.test_aiosmtplib import certificate
from tests.relay.house import CONTENT, LONG, SHORT, House, content_of, house, sent

PLAIN = tuple(word for word in EXTENSIONS if word != "PIPELINING")
TLS = certificate()
LATER, NEVER, CLOSING = "451 4.7.5 later", "554 5.7.9 never", "421 4.3.2 closing"
POLICIES = ("relay", "relay in turn", "defer", "defer, come back", "spool")
STEPS = ("CONNECT", "EHLO", "STARTTLS", "HANDSHAKE", "MAIL", "RCPT", "DATA", "BODY", "DOT")
"""CONNECT is the greeting."""
TROUBLES = (DROP, SILENCE, LATER, NEVER, CLOSING)


@dataclass(frozen=True)
class Cell:
    policy: str
    step: str
    trouble: str
    who: str

    @property
    def breaks(self) -> bool:
        """Whether the line is of no more use after the trouble."""
        return self.trouble in (DROP, SILENCE, CLOSING)


WHO = (
    "known",
    "catch-all",
    "unknown, accept",
    "unknown, defer",
    "unknown, auto",
    "unknown, auto and warm",
    "gone",
    "gone long ago",
    "nobody",
    "known once",
)
"""The last four the primary refuses. It is told of the first two of them already, has not met `nobody`, and had `known once`."""
REFUSED = ("gone", "gone long ago", "nobody", "known once")


def weathers() -> Iterator[tuple[str, str]]:
    """All that a primary may do: a step, and what goes wrong there."""
    yield from (("up", ""), ("down", ""), ("socket", DROP), ("socket", SILENCE))
    for step, trouble in itertools.product(STEPS, TROUBLES):
        if step != "HANDSHAKE" or trouble in (DROP, SILENCE):
            yield step, trouble
    yield from (("DOT", TAKEN_BUT + DROP), ("DOT", TAKEN_BUT + SILENCE))


# The model


@dataclass(frozen=True)
class Outcome:
    rcpt: str
    dot: str
    primary: int
    spool: int


def refused(words: str) -> Outcome:
    """At RCPT."""
    return Outcome(words, "", 0, 0)


def at_the_dot(words: str) -> Outcome:
    return Outcome("250 ", words, 0, 0)


RELAYED = Outcome("250 ", "250 ", 1, 0)
SPOOLED = Outcome("250 ", "250 ", 0, 1)
IN_BOTH = Outcome("250 ", "250 ", 1, 1)
CANNOT_VERIFY = refused("450 4.1.1 ")
NO_SUCH = refused("550 5.1.1 ")


def without_the_primary(who: str) -> Outcome:
    """Nobody can be asked."""
    if who in ("gone", "gone long ago", "unknown, defer", "unknown, auto and warm"):
        return CANNOT_VERIFY
    return SPOOLED


def can_begin(cell: Cell) -> bool:
    """Whether a session gets as far as MAIL."""
    if cell.step == "CONNECT":
        return False
    if cell.step == "EHLO":
        return cell.trouble == NEVER  # then it is HELO
    return cell.step != "socket"


def relay(cell: Cell) -> Outcome:
    """The primary is asked all along."""
    if not can_begin(cell) or (cell.step in ("MAIL", "RCPT") and cell.breaks):
        return without_the_primary(cell.who)
    if cell.step in ("MAIL", "RCPT"):
        return refused(cell.trouble)
    if cell.who in REFUSED:
        return NO_SUCH
    if cell.step in ("DATA", "BODY", "DOT"):
        if cell.trouble.startswith(TAKEN_BUT):
            return IN_BOTH
        return SPOOLED if cell.breaks else at_the_dot(cell.trouble)
    return RELAYED  # also when STARTTLS comes to nothing: then it goes in plain text


def spool(cell: Cell) -> Outcome:
    """What is not known is asked for with RCPT; content is kept."""
    if cell.who in ("known", "catch-all", "known once"):
        return SPOOLED
    if cell.who == "gone":
        return NO_SUCH
    if cell.step == "RCPT" and not cell.breaks:
        return CANNOT_VERIFY
    if not can_begin(cell) or cell.step in ("MAIL", "RCPT"):
        # an old no is a no until somebody says otherwise
        return without_the_primary(cell.who) if cell.who != "gone long ago" else CANNOT_VERIFY
    return NO_SUCH if cell.who in REFUSED else SPOOLED


def expected(cell: Cell) -> Outcome:
    if cell.step == "down":
        return without_the_primary(cell.who)
    if cell.policy == "defer":
        return refused("450 4.3.2 ")
    return relay(cell) if cell.policy.startswith("relay") else spool(cell)


# The house


@asynccontextmanager
async def primary_of(cell: Cell) -> AsyncIterator[ScriptedPrimary]:
    tls = TLS if cell.step in ("STARTTLS", "HANDSHAKE") else None
    primary = ScriptedPrimary(PLAIN if "in turn" in cell.policy else EXTENSIONS, tls)
    if cell.step in STEPS:
        primary.on(cell.step, cell.trouble)
    if cell.who in REFUSED:
        primary.on("RCPT", "550 5.1.1 no such user", having="user@")
    if cell.step in ("down", "socket"):
        with nobody(deaf=cell.trouble == SILENCE) as primary.port:
            yield primary
    else:
        async with primary:
            yield primary


@contextmanager
def nobody(*, deaf: bool) -> Iterator[int]:
    """A port where nobody listens; deaf: the queue is full, and who connects gets no answer at all."""
    with contextlib.ExitStack() as sockets:
        place = sockets.enter_context(socket.socket())
        place.bind(("127.0.0.1", 0))
        if deaf:
            place.listen(0)
            for _ in range(2):
                one = sockets.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(place.getsockname())
        yield place.getsockname()[1]


async def prepare(at: House, who: str) -> None:
    """What the roll has."""
    await at.learned(Word.KNOWN if who == "catch-all" else Word.GONE, EVERYBODY)
    if who in ("known", "known once"):
        await at.learned(Word.KNOWN, "user")
    elif who in ("gone", "gone long ago"):
        await at.learned(Word.GONE, "user", ago=0 if who == "gone" else 3 * 3600)
    if who.endswith("warm"):
        await at.warm()


async def check(cell: Cell) -> str:
    """Live through one cell; returns what is not as it should be."""
    patience = SHORT if SILENCE in cell.trouble else LONG
    wish = "auto" if "auto" in cell.who else "defer" if cell.who.endswith("defer") else "accept"
    policy = cell.policy.split()[0].rstrip(",")
    async with (
        primary_of(cell) as primary,
        house(primary, surveyed=False, patience=patience, limit=1, when_primary_up=policy, when_unknown=wish) as at,
    ):
        await at.pass_time(timedelta(days=1))
        await prepare(at, cell.who)
        if cell.step == "down":
            at.primaries(PrimaryState.DOWN)
        if cell.policy == "defer, come back" and cell.step != "down":
            await sent(at, "user@example.com")
            await at.time.advance(16 * 60)
        told = await sent(at, "user@example.com")
        want = expected(cell)
        found = Outcome(told.rcpts[0][: len(want.rcpt)], told.dot[: len(want.dot)], len(primary.received), len(at.messages()))
        problems = [] if found == want else [f"{found}, not {want} ({told})"]
        # I1
        places = (not told.taken) + len(primary.received) + len(at.messages())
        if places != 1 and not (places == 2 and cell.trouble.startswith(TAKEN_BUT)):
            problems.append(f"{places} places")
        if any(content_of(got.content) != CONTENT for got in primary.received) or at.held() != [CONTENT] * len(at.messages()):
            problems.append("other content")
        if policy == "relay" and cell.step not in ("down", "socket"):
            problems += await afterwards(at, primary)
        return f"{cell}: {problems}" if problems else ""


async def afterwards(at: House, primary: ScriptedPrimary) -> list[str]:
    """The primary is well again, and so is everything: the one connection that there may be serves the next client."""
    primary.forget()
    before = len(primary.received)
    await at.time.advance(4)
    told = await sent(at, "other@example.com")
    if told.taken and len(primary.received) == before + 1:
        return []
    return [f"afterwards {told}"]


def rows() -> Iterator[tuple[str, str, str]]:
    """Who comes back after `defer` is treated as under `spool`, and before MAIL nothing is sent ahead: a few show that."""
    some = {"defer, come back": ("up", "down", "socket", "RCPT"), "relay in turn": ("up", "MAIL", "RCPT", "DATA", "BODY", "DOT")}
    for policy, (step, trouble) in itertools.product(POLICIES, weathers()):
        if step in some.get(policy, (step,)):
            yield policy, step, trouble


@pytest.mark.parametrize(
    ("policy", "step", "trouble"),
    # silence takes its time
    [pytest.param(*row, marks=[pytest.mark.slow] if SILENCE in row[2] else []) for row in rows()],
)
async def test_every_recipient_is_in_one_place(policy: str, step: str, trouble: str) -> None:
    """I1, I9: and in the place where the model has it; the sender is told so."""
    cells = [Cell(policy, step, trouble, who) for who in WHO]
    problems = [problem for problem in await asyncio.gather(*map(check, cells)) if problem]
    assert not problems, "\n".join(problems)
