"""Where data ends, and what of it is content (I6)."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupmx.core.data import DataReader

END = b"\r\n.\r\n"
AMBIGUOUS = "ambiguous"


def by_the_book(data: bytes) -> str | tuple[bytes, bytes] | None:
    """What the reader must find, told octet by octet: content and rest, AMBIGUOUS, or None while the end has not come."""
    content, line, fragment, before, at = b"", b"", b"", b"\r\n", 0
    while at < len(data):
        here = data[at : at + 2] if data[at : at + 2] == b"\r\n" else data[at : at + 1]
        if here == b"\r" and at + 1 == len(data):
            return None
        at += len(here)
        if here not in (b"\r\n", b"\r", b"\n"):
            line += b" " if here == b"\0" else here
            fragment += here
            continue
        if fragment == b".":
            return (content, data[at:]) if before == here == b"\r\n" else AMBIGUOUS
        fragment, before = b"", here
        if here == b"\r":
            line += b" "
        else:
            content, line = content + line.removeprefix(b".") + b"\r\n", b""
    return None


def read(pieces: list[bytes]) -> str | tuple[bytes, bytes] | None:
    """The reader's own answer, fed piece by piece."""
    reader, content = DataReader(), b""
    for number, piece in enumerate(pieces):
        content += reader.feed(piece)
        if reader.ambiguous:
            return AMBIGUOUS
        if reader.ended:
            return content, reader.rest + b"".join(pieces[number + 1 :])
    return None


def in_two(data: bytes) -> list[list[bytes]]:
    """Each way to cut in two."""
    return [[data[:cut], data[cut:]] for cut in range(1, len(data))]


@pytest.mark.parametrize("before", [b"", b"a", b"a\r\n", b"\r\n."], ids=repr)
@pytest.mark.parametrize("after", [b"", b"b\r\n", END, b"MAIL" + END], ids=repr)
def test_every_short_string_around_the_end_is_read_by_the_book(before: bytes, after: bytes) -> None:
    """I6: all strings of CR, LF, NUL and dot up to length 5: one end at most, whatever the packets; only CRLF is stored."""
    for length in range(6):
        for letters in product(b"\r\n\0.", repeat=length):
            data = before + bytes(letters) + after
            expected = by_the_book(data)
            for pieces in ([data], [bytes([octet]) for octet in data], *in_two(data)):
                assert read(pieces) == expected, pieces
            if isinstance(expected, tuple):
                lines = expected[0].replace(b"\r\n", b"")
                assert not any(octet in lines for octet in (b"\r", b"\n", b"\0"))


@pytest.mark.parametrize("before", [b"", b"Subject: x\r\n\r\nbody"], ids=["start", "body"])
@pytest.mark.parametrize(
    "disguised",
    [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\r.\r\n", b"\n.\r", b"\r\n.\r"],
    ids=repr,
)
def test_an_end_that_only_others_would_see_makes_the_message_refused(before: bytes, disguised: bytes) -> None:
    """I6: SMTP smuggling, in each of its known forms."""
    assert read([before + disguised + b"MAIL FROM:<evil@test>\r\n" + END]) == AMBIGUOUS


@pytest.mark.parametrize("start", [b".\n", b".\rx", b".\r\r\n"], ids=repr)
def test_the_start_of_data_is_the_start_of_a_line(start: bytes) -> None:
    """I6: also there a lone dot before anything but CRLF is refused."""
    assert read([start + END]) == AMBIGUOUS


def test_a_dot_and_crlf_at_once_are_an_empty_message() -> None:
    """RFC 5321 section 4.1.1.4: the CRLF of the DATA command counts."""
    assert read([b".\r\nQUIT\r\n"]) == (b"", b"QUIT\r\n")


def test_stuffed_dots_are_undone_once_also_behind_a_bare_lf() -> None:
    """RFC 5321 section 4.5.2; a bare LF becomes CRLF, so a line begins after it."""
    assert read([b"..\r\n..a\n..b\r\n.c" + END]) == (b".\r\n.a\r\n.b\r\nc\r\n", b"")


def test_a_bare_cr_or_nul_becomes_a_space_and_never_a_line() -> None:
    """I6: what came as one header line leaves as one."""
    assert read([b"Subject: a\rX-Spam: no\0\r\n\r.x" + END]) == (b"Subject: a X-Spam: no \r\n .x\r\n", b"")


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\r\n", b".", b"\r\n..", b"\n", b"\r", b"\0"]), max_size=12))
def test_any_octets_in_any_packets_are_read_by_the_book(pieces: list[bytes]) -> None:
    """I6: 8-bit content goes through byte for byte."""
    assert read([*pieces, END]) == by_the_book(b"".join([*pieces, END]))


@given(
    st.binary(max_size=300).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")), st.integers(1, 80)
)
def test_clean_content_comes_out_as_it_went_in(line: bytes, step: int) -> None:
    """Otherwise content goes through byte for byte."""
    content = b"\r\n".join([line, b".", b"..", b"." + line, b""])
    wire = b"\r\n".join(b"." + each if each.startswith(b".") else each for each in content.split(b"\r\n")) + b".\r\n"
    assert read([wire[at : at + step] for at in range(0, len(wire), step)]) == (content, b"")
