"""What was accepted is what the primary gets, octet for octet (I3)."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import wire
from backupmx.core.ids import MessageId
from backupmx.spool.memory import MemorySpool
from tests.courier.house import house, put, settings, until
from tests.courier.primary import EXTENSIONS, ScriptedPrimary

LINES = st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a.", b"\xff\xfe", b"\xc3\xa4", b"x" * 3000]), max_size=8)
HARD = {
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\na.\r\n\r\n.\r\n",
    "eight bit": b"Subject: \xc3\xa4\r\n\r\n" + bytes(n for n in range(256) if n not in b"\r\n\0") + b"\r\n",
    "long lines": b"Subject: long\r\n\r\n" + b"y" * 200_000 + b"\r\n",
    "no header": b"\r\n.\r\n",
    "large": b"Subject: large\r\n\r\n" + b".0123456789\r\n" * 100_000,
}


class Crumbs(MemorySpool):
    """Hands content out in small pieces, as a spool may."""

    def content(self, id: MessageId) -> Iterator[bytes]:
        """Pieces that cut CRLF and dots in every way."""
        for piece in super().content(id):
            cuts = [*range(min(len(piece), 64)), *range(64, len(piece), 4093), len(piece)]
            yield from (piece[start:end] for start, end in pairwise(cuts))


@pytest.mark.parametrize("content", HARD.values(), ids=HARD)
@pytest.mark.parametrize("spool", [MemorySpool, Crumbs])
async def test_content_arrives_octet_for_octet(content: bytes, spool: type[MemorySpool]) -> None:
    """I3: 8-bit text, dots, long lines, and however the spool cuts it."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"]), spool()) as at:
        await put(at.spool, content=content, eight_bit=True)
        at.courier.wake()
        await until(at.empty, "given back")
        assert primary.received[0].content == content
        assert "BODY=8BITMIME" in primary.received[0].mail
        assert f"SIZE={len(content)}" in primary.received[0].mail


async def test_nothing_is_asked_for_that_was_not_offered() -> None:
    """RFC 5321 section 4.1.1.11: a primary without extensions gets the bare commands, and the same content."""
    extensions = tuple(word for word in EXTENSIONS if word == "ENHANCEDSTATUSCODES")
    async with ScriptedPrimary(extensions) as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await put(at.spool, content=HARD["eight bit"], eight_bit=True)
        at.courier.wake()
        await until(at.empty, "given back")
        assert primary.received[0].mail == "MAIL FROM:<sender@sender.test>"
        assert primary.received[0].content == HARD["eight bit"]


async def test_the_null_sender_stays_null() -> None:
    """RFC 5321 section 4.5.5."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        await put(at.spool, sender="")
        at.courier.wake()
        await until(at.empty, "given back")
        assert primary.received[0].mail.startswith("MAIL FROM:<> ")


@given(lines=LINES, cuts=st.lists(st.integers(0, 200), max_size=12))
def test_wherever_it_is_cut_one_dot_ends_it_and_the_others_are_content(lines: list[bytes], cuts: list[int]) -> None:
    """I3, I6: undone by the rule of RFC 5321 section 4.5.2, the wire's form is the content again."""
    content = b"".join(line + b"\r\n" for line in lines)
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    sent = b"".join(wire.data(content[start:end] for start, end in pairwise(edges)))
    body, end, rest = (b"\r\n" + sent).partition(b"\r\n.\r\n")
    assert end and not rest
    assert (body.replace(b"\r\n.", b"\r\n") + b"\r\n").removeprefix(b"\r\n") == content
