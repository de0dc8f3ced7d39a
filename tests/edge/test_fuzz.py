"""Whatever comes in whatever packets: replies or an end, bounded memory, no message but what was meant (I1, I2, I4, I6)."""

import asyncio
import itertools
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backupmx.edge.arrival import SHARE
from tests.edge import meant
from tests.edge.wire import SlowSpool, Talk

MAX_SIZE = 300_000
ENDLESS = 2 * MAX_SIZE + SHARE
"""Octets after which the end of what is too big is not waited for."""
HELLO = b"EHLO client.test\r\n"
ENVELOPE = b"MAIL FROM:<a@sender.test>\r\nRCPT TO:<user@example.com>\r\n"
QUEUED = re.compile(rb"250 2\.0\.0 Ok: queued as (\S+)\r\n")
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of a failure
cuts = st.lists(st.integers(0, 400), max_size=8)
"""Lengths of packets; what is left over is the last."""


def packets(octets: bytes, lengths: list[int]) -> list[bytes]:
    """Cut as the lengths say, and behind each DATA: content in its packet ends the connection (RFC 2920 section 3.1)."""
    ends = set(itertools.accumulate(lengths)) | {match.end() for match in re.finditer(rb"DATA\r\n", octets)}
    cuts = sorted({0, len(octets), *(end for end in ends if end < len(octets))})
    return [octets[start:end] for start, end in itertools.pairwise(cuts)]


# What is meant, exactly


@dataclass
class Meaning:
    """What a client says, and what must come of it."""

    octets: bytes
    codes: list[int]
    contents: list[bytes] = field(default_factory=list)
    last: bool = False
    """The connection ends with it."""


def by_data(content: bytes) -> Meaning:
    """As RFC 5321 section 4.5.2 has it sent."""
    lines = content.split(b"\r\n")
    wire = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"
    found = meant.data(wire)
    if found is None:
        return Meaning(ENVELOPE + b"DATA\r\n" + wire, [250, 250, 354, 550], last=True)
    assert not found[1]
    if len(found[0]) > MAX_SIZE:
        return Meaning(ENVELOPE + b"DATA\r\n" + wire, [250, 250, 354, 552], last=len(found[0]) > ENDLESS)
    return Meaning(ENVELOPE + b"DATA\r\n" + wire, [250, 250, 354, 250], [found[0]])


def by_chunks(chunks: list[bytes], whole: bool) -> Meaning:
    """RFC 3030; with RSET in place of the end when it is not to be whole."""
    said = b"".join(b"BDAT %d\r\n%b" % (len(chunk), chunk) for chunk in chunks)
    codes = [250] * (len(chunks) + 3)
    if whole:
        return Meaning(ENVELOPE + said + b"BDAT 0 LAST\r\n", codes, [meant.mended(b"".join(chunks))])
    return Meaning(ENVELOPE + said + b"RSET\r\n", codes)


def swallowed(chunk: bytes) -> Meaning:
    """A chunk of no transaction."""
    return Meaning(b"BDAT %d LAST\r\n%b" % (len(chunk), chunk), [503])


OTHERS = [
    Meaning(b"NOOP\r\n", [250]),
    Meaning(b"RSET\r\n", [250]),
    Meaning(b"XYZZY now\r\n", [500]),
    Meaning(b"VRFY user\r\n", [252]),
    Meaning(b"EXPN list\r\n", [502]),
    Meaning(b"HELP\r\n", [214]),
    Meaning(b"RCPT TO:<user@example.com>\r\n", [503]),
    Meaning(b"MAIL FROM:<a@sender.test\r\n", [501]),
    Meaning(b"NOOP \0\r\n", [500]),
    Meaning(b"NOOP " + b"x" * 2042 + b"\r\n", [500]),  # the shortest that is too long
    Meaning(ENVELOPE + b"RCPT TO:<u@elsewhere.test>\r\nRSET\r\n", [250, 250, 550, 250]),
    Meaning(b"MAIL FROM:<>\r\nMAIL FROM:<>\r\nRSET\r\n", [250, 503, 250]),
]
line_ends = st.sampled_from(
    [b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\0", b".", b"..", b"\r\n.", b"\r\n.\r", b"\n.", b"\r.", b"\n.\n"]
)
runs = st.builds(lambda piece, times: piece * times, st.binary(min_size=1, max_size=4), st.sampled_from([1, 50, 70_000]))
commands = st.sampled_from([ENVELOPE, b"DATA\r\n", b"RSET\r\n", b"QUIT\r\n", b"BDAT 3 LAST\r\n"])
contents = st.lists(st.one_of(st.binary(max_size=60), line_ends, line_ends, commands, runs), max_size=10).map(b"".join)
sessions = st.lists(
    st.one_of(
        st.builds(by_data, contents),
        st.builds(by_chunks, st.lists(st.one_of(line_ends, st.binary(max_size=60), commands), max_size=6), st.booleans()),
        st.builds(swallowed, st.one_of(commands, st.binary(max_size=60))),
        st.sampled_from(OTHERS),
    ),
    max_size=6,
)


@settings(max_examples=250, deadline=None)
@given(sessions, cuts, st.booleans(), st.booleans())
def test_what_is_accepted_is_what_was_meant(session: list[Meaning], lengths: list[int], slow: bool, reads: bool) -> None:
    """Codes, number and order of messages, and each octet of them; all of it pipelined, cut anywhere."""
    codes, messages = [220, 250], list[bytes]()
    for meaning in session:
        codes += meaning.codes
        messages += map(meant.kept, meaning.contents)
        if meaning.last:
            break

    async def run() -> None:
        talk = Talk(SlowSpool() if slow else None, max_size=MAX_SIZE)
        await talk.send([HELLO])
        talk.wire.reads = reads
        await talk.send(packets(b"".join(meaning.octets for meaning in session), lengths), hurry=slow)
        assert [int(reply[:3]) for reply in talk.replies()] == codes
        assert talk.held() == messages
        await talk.leave()

    asyncio.run(run())


# What is not


async def anything(sent: list[bytes], *, slow: bool = False, reads: bool = True, max_errors: int = 10**6) -> None:
    """What holds for any octets in any packets; the campaign asks the same."""
    talk = Talk(SlowSpool() if slow else None, max_size=MAX_SIZE, max_errors=max_errors)
    talk.wire.reads = reads
    await talk.send(sent, hurry=slow)
    said = talk.replies()
    assert not [reply for reply in said if reply.startswith(b"451")], "nothing of ours failed"
    assert talk.wire.ended or len(said) < sum(map(len, sent)) + 2, "no reply to nothing"
    ids = [match[1].decode() for reply in said if (match := QUEUED.fullmatch(reply))]
    assert ids == list(talk.spool.messages), "I1: what was promised is held, and nothing else"
    octets = b"".join(sent)
    for content in talk.held():
        assert meant.comes_of(content, octets), content
    for message in talk.spool.messages.values():
        assert {recipient.domain for recipient in message.envelope.recipients} == {"example.com"}, "I2"
    await talk.leave()


PIECES = [
    HELLO, b"HELO old.test\r\n", b"MAIL FROM:<a@sender.test> SIZE=100 BODY=8BITMIME\r\n", b"MAIL FROM:<>\r\n", ENVELOPE, ENVELOPE,
    b"RCPT TO:<user@example.com> NOTIFY=NEVER\r\n", b"RCPT TO:<u@elsewhere.test>\r\n", b"DATA\r\n", b"DATA\r\n", b"DATA\r\n",
    ENVELOPE + b"DATA\r\n", b"BDAT 5\r\n", b"BDAT 12 LAST\r\n", b"BDAT 0 LAST\r\n", b"BDAT 99999\r\n", b"BDAT x\r\n",
    b"RSET\r\n", b"NOOP\r\n", b"QUIT\r\n", b"STARTTLS\r\n", b"ETRN example.com\r\n", b"XCLIENT NAME=x\r\n", b"VRFY a\r\n",
    b"Subject: x\r\n\r\n.body\r\n", b"\r\n.\r\n", b"\r\n.\r\n", b".", b"\r", b"\n", b"\0", b"\r\n",
    b"\r\n..\r\n", b"\n.\r\n", b"\r\n.\n",
    b"x" * 3000, b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"y" * 70_000, b"\r\n" * 4000,
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> list[bytes]:
    """Pieces of real sessions in no good order, octets put in, taken out and exchanged, cut anywhere."""
    sent = []
    for _ in range(draw(st.integers(1, 6))):
        octets = bytearray(b"".join(draw(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)), max_size=6))))
        for _ in range(draw(st.integers(0, 2))):
            at = draw(st.integers(0, 300))
            octets[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from([b"", b"\r", b"\n", b"\0", b".", b" ", b"\xff"]))
        sent += packets(bytes(octets), draw(st.lists(st.integers(0, 40), max_size=3)))
    greeted = [HELLO] if draw(st.booleans()) else [HELLO, ENVELOPE + draw(st.sampled_from([b"DATA\r\n", b"BDAT 30\r\n"]))]
    return [*greeted, *sent] if draw(st.integers(0, 7)) else sent


@settings(max_examples=400, deadline=None)
@given(mutated(), st.booleans(), st.booleans(), st.sampled_from([3, 10**6]))
@pytest.mark.slow
def test_broken_sessions_get_replies_or_an_end(sent: list[bytes], slow: bool, reads: bool, max_errors: int) -> None:
    """And nothing is held that some DATA or BDAT of theirs does not mean."""
    asyncio.run(anything(sent, slow=slow, reads=reads, max_errors=max_errors))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=600), max_size=10), st.booleans())
def test_noise_gets_replies_or_an_end(sent: list[bytes], hello: bool) -> None:
    """Octets without any sense."""
    asyncio.run(anything([HELLO, *sent] if hello else sent))


def test_memory_stays_bounded_whatever_the_size() -> None:
    """I4: 8 MiB in a spool that is behind, to a client that reads nothing: the bounds are those that `Talk.send` holds."""

    async def run() -> None:
        talk = Talk(SlowSpool(), max_size=10**9)
        await talk.send([HELLO, ENVELOPE + b"DATA\r\n"])
        content = [b"z" * 65_533 + b"\r\n"] * 128
        await talk.send([*content, b".\r\n"], hurry=True)
        talk.wire.reads = False
        await talk.send([b"EXPN x\r\n" * 8000] * 20, hurry=True)
        assert talk.held() == [b"".join(content)]
        assert len(talk.replies()) == 2 + 3 + 1 + 160_000
        await talk.leave()

    asyncio.run(run())
