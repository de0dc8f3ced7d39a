"""Looking at what a message says: in pieces, and not without being seen."""

import pytest

from backupmx.control.requests import ReadMessage
from backupmx.errors import ControlUnavailable
from backupmx.spool.transaction import CHUNK
from control.house import House, an_id

HEADER = b"Received: from a by b\r\nSubject: hello\r\n folded\r\n"


def reads(house: House) -> list[tuple[str, str]]:
    return [(line["by"], line["id"]) for line in house.logged if line["event"] == "admin" and line["verb"] == "read"]


def test_the_header_is_for_everybody_who_may_ask(house: House) -> None:
    """Nothing of the text is in it, and nobody is written down for it."""
    house.take(1, content=HEADER + b"\r\n" + b"secret\r\n" * 100_000)
    assert b"".join(house.client.content(ReadMessage(an_id(1), "alice"))) == HEADER
    assert reads(house) == []


def test_who_reads_the_text_is_written_down(house: House) -> None:
    """Octet for octet, a piece at a time; the name is in the log before the first of it is out."""
    content = HEADER + b"\r\n" + bytes(range(256)) * 4000
    house.take(1, content=content)
    pieces = house.client.content(ReadMessage(an_id(1)[:25], "alice", header_only=False))
    first = next(pieces)
    assert reads(house) == [("alice", an_id(1))]
    rest = list(pieces)
    assert first + b"".join(rest) == content
    assert all(len(piece) <= CHUNK for piece in (first, *rest)) or not rest  # the fake has one piece


def test_a_message_without_a_header_has_none(house: House) -> None:
    """And an empty one is empty."""
    house.take(1, content=b"just text\r\n")
    house.take(64, content=b"")
    for number in (1, 64):
        assert b"".join(house.client.content(ReadMessage(an_id(number), "alice"))) == b""
    assert b"".join(house.client.content(ReadMessage(an_id(64), "alice", header_only=False))) == b""


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (ReadMessage(an_id(1), ""), "who asks is not said"),
        (ReadMessage(an_id(1), "", header_only=False), "who asks is not said"),
        (ReadMessage(an_id(9), "alice"), f"{an_id(9)}: no such message"),
        (ReadMessage("../etc", "alice"), "is no message id"),
    ],
)
def test_what_cannot_be_read_is_told(house: House, request_: ReadMessage, why: str) -> None:
    """And nothing is in the log, for nothing was seen."""
    house.take(1)
    with pytest.raises(ControlUnavailable, match=why):
        list(house.client.content(request_))
    assert reads(house) == []


def test_damaged_content_is_told_at_its_end(house: House) -> None:
    """What could be read is there."""
    if not hasattr(house.spool, "contents"):
        id = house.take(1, content=b"x" * (2 * CHUNK + 5))

        def command(work) -> None:  # type: ignore[no-untyped-def]
            from backupmx.core import ids
            from backupmx.spool import keys

            work.txn.put(keys.chunk(ids.decode(id), 2), b"y" * 5, db=work.tables.chunk)

        house.do(house.spool._writer.do(command))
        pieces = house.client.content(ReadMessage(id, "alice", header_only=False))
        assert next(pieces) == next(pieces) == b"x" * CHUNK
    else:
        id = house.take(1, content=b"x" * 10)
        house.spool.contents[id] = b"y" * 10
        pieces = house.client.content(ReadMessage(id, "alice", header_only=False))
    with pytest.raises(ControlUnavailable, match="does not match its digest"):
        next(pieces)
