"""I6, exhaustively and at the door: whatever stands around the end of data, one message or none comes of a transaction.

All strings over {CR, LF, NUL, dot}, behind and before what a client may send there, followed by the commands of a smuggler.
"""

import asyncio
import itertools

import pytest

from backupmx.core import wire
from tests.edge import meant
from tests.edge.wire import Talk

HELLO = b"EHLO client.test\r\n"
ENVELOPE = b"MAIL FROM:<a@sender.test>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n"
SMUGGLED = b"MAIL FROM:<b@sender.test>\r\nRCPT TO:<user@example.com>\r\nDATA\r\nsmuggled\r\n.\r\n"
BEFORE = (b"", b"x", b"x\r\n")
AFTER = (b"", b"\r\n.\r\n")


def check(talk: Talk, octets: bytes, line_end: bytes) -> None:
    """What came of ENVELOPE, `octets` and SMUGGLED, against the model; a command behind `line_end` is heard."""
    said = [reply[:3] for reply in talk.replies()]
    senders = [message.envelope.sender for message in talk.spool.messages.values()]
    found = meant.data(octets + SMUGGLED)
    if found is None:
        assert said == [b"250", b"250", b"354", b"550"], octets
        assert not senders, octets
        assert talk.wire.ended, octets
        return
    content, rest = found
    assert said[3] == b"250", octets
    assert talk.held() == [meant.kept(content)], octets
    assert senders == ["a@sender.test"], octets
    if rest:
        # the client itself ended the data: behind the end are commands, the first of which begins at once or on a new line;
        # but content in the packet of its DATA ends the connection, and is no message
        heard = rest == SMUGGLED or rest.removesuffix(SMUGGLED).endswith(line_end)
        assert said[-1] == b"554" or not heard, octets
        assert talk.wire.ended or not heard, octets
    else:
        # it did not: the smuggled commands are content
        assert content.endswith(SMUGGLED.removesuffix(b".\r\n")), octets
    for stored in talk.spool.contents.values():
        leaves(stored, octets)


def leaves(stored: bytes, octets: bytes) -> None:
    """For the primary: CRLF only, one end, and the same content behind it."""
    out = b"".join(wire.data([stored]))
    assert b"\0" not in out, octets
    assert out.count(b"\r") == out.count(b"\n") == out.count(b"\r\n"), octets
    assert meant.data(out) == (stored, b""), octets


async def try_all(length: int, before: bytes, after: bytes, *, whole: bool) -> int:
    """Every string of this length; returns how many made a message."""
    talk = Talk(max_errors=10**9)
    await talk.send([HELLO])
    accepted = 0
    for middle in itertools.product(b"\r\n\0.", repeat=length):
        octets = before + bytes(middle) + after
        talk.forget()
        packets = [octets + SMUGGLED] if whole else [*(octets[i : i + 1] for i in range(len(octets))), SMUGGLED]
        await talk.send([ENVELOPE, *packets])
        # a bare LF ends no line; but when no more comes with it, that line is refused at once, and what comes later is another
        check(talk, octets, b"\r\n" if whole else b"\n")
        accepted += bool(talk.spool.contents)
        if talk.wire.ended:
            await talk.leave()
            talk.connect()
            await talk.send([HELLO])
    await talk.leave()
    return accepted


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "octet by octet"])
@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("before", BEFORE)
def test_up_to_four_octets_around_the_end(before: bytes, after: bytes, whole: bool) -> None:
    """341 strings each; most make a message, some do not."""
    counts = [asyncio.run(try_all(length, before, after, whole=whole)) for length in range(5)]
    assert counts[0] == 1
    assert 100 < counts[4] < 256


@pytest.mark.campaign
@pytest.mark.parametrize("length", [5, 6])
@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("before", BEFORE)
def test_five_and_six_octets_around_the_end(before: bytes, after: bytes, length: int) -> None:
    """1024 and 4096 strings each."""
    assert 0 < asyncio.run(try_all(length, before, after, whole=True)) < 4**length
