"""What a message says it is about, whatever a stranger wrote there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import subject
from backupmx.core.subject import MOST

OURS = b"Received: from a by b\r\n\twith ESMTP; now\r\n"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"Subject: hello\r\n", "hello"),
        (b"From: a@b.test\r\nSubject:no space\r\nTo: c@d.test\r\n", "no space"),
        (b"SUBJECT: loud\r\n", "loud"),
        (b"subject \t: an old way to write it\r\n", "an old way to write it"),
        (b"Subject: folded\r\n into\r\n\t  three\r\nTo: x\r\n", "folded into\t  three"),
        (b"Subject: first\r\nSubject: second\r\n", "first"),
        (b"X-Subject: not this\r\n Subject: nor this, it is folded\r\n", ""),
        (b"Subjects: none\r\n", ""),
        (b"Subject:\r\nTo: x\r\n", ""),
        (b"Subject: r\xe9sum\xe9 \xc3\xa9\r\n", "r\ufffdsum\ufffd \xe9"),
        (b"Subject: =?utf-8?q?stays=20as=20it=20is?=\r\n", "=?utf-8?q?stays=20as=20it=20is?="),
    ],
)
def test_the_field_is_found_as_it_stands_there(header: bytes, found: str) -> None:
    """Behind our own field, and at the very beginning."""
    assert subject.found(OURS + header + b"\r\nSubject: of the text\r\n") == found
    assert subject.found(header + b"\r\nSubject: of the text\r\n") == found


def test_what_is_not_in_the_header_is_no_subject() -> None:
    """Nor what comes later than anybody would write it."""
    assert subject.found(b"\r\n\r\nSubject: text\r\n") == ""
    assert subject.found(OURS + b"X: y\r\n" * 20_000 + b"Subject: late\r\n") == ""
    assert subject.found(b"no header at all") == ""


def test_a_long_one_is_cut_between_encoded_words() -> None:
    """Half of one is no word, and would be shown as rubbish."""
    assert subject.found(b"Subject: " + b"x" * 10**6) == "x" * (MOST - 1) + "…"
    word = b"=?utf-8?b?" + b"w6XDpMO2" * 5 + b"?="
    found = subject.found(b"Subject: " + b"\r\n ".join([word] * 30) + b"\r\n\r\n")
    assert len(found) <= MOST
    assert subject.shown(found) == "åäö" * 15 + "…"
    for length in range(170, 240):
        cut = subject.found(b"Subject: " + b"x" * length + b" =?utf-8?q?=C3=A5?= y\r\n\r\n")
        assert len(cut) <= MOST
        assert set(subject.shown(cut)) <= set("x å y…")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?R=C3=A4kning_f=C3=B6r?= november", "Räkning för november"),
        ("=?iso-8859-1?B?5Q==?=", "å"),
        ("=?utf-8*sv?q?=C3=A5?=", "å"),
        ("=?utf-8?b?ww==?= =?utf-8?b?pQ==?=", "å"),
        ("a =?utf-8?q?b?= =?utf-8?q?c?= d", "a bc d"),
        ("=?utf-8?q?spaces where none may be?=", "spaces where none may be"),
        ("å \\u0041 =?utf-8?q?=C3=A5?=", "å \\u0041 å"),
        ("=?no-such-set?q?x?=", "=?no-such-set?q?x?="),
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("=?hex?q?00?=", "=?hex?q?00?="),
        ("=?unicode_escape?q?=5Cud800?=", "?"),
        ("=?utf-8?q?=0d=0aTo:_x=00=1b[2J?=", "To: x\x00\x1b[2J"),
        ("two\nlines \t and  more", "two lines and more"),
        ("", ""),
    ],
)
def test_people_read_it_decoded_and_on_one_line(raw: str, shown: str) -> None:
    """As far as it can be decoded; what cannot is shown as it came."""
    assert subject.shown(raw) == shown


SETS = ["utf-8", "utf-7", "rot13", "idna", "punycode", "undefined", "unicode_escape"]
PIECES = st.sampled_from(["=?", "?=", "?", "?q?", "?B?", " ", "=C3", "=", "+2AA-", "\\ud800", "\r\n", "\x00", "å", *SETS])


@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_nothing_makes_it_fail(text: str) -> None:
    """I7, I9: and what comes of it can be written."""
    raw = subject.found(b"Subject: " + text.encode(errors="replace"))
    for subject_ in (raw, text[:MOST].encode(errors="replace").decode()):
        shown = subject.shown(subject_)
        assert len(shown) <= MOST
        assert "\n" not in shown
        shown.encode()


@given(st.binary(max_size=300))
def test_any_octets_have_a_subject_or_none(octets: bytes) -> None:
    """Whatever a client sends as a message."""
    assert len(subject.found(octets)) <= MOST
