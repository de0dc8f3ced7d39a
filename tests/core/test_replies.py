"""The table of replies."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backupmx.core import ids, replies
from backupmx.core.outcome import Reply
from backupmx.core.replies import TABLE, Answer

QUEUED = replies.queued(ids.encode(bytes(16)))


@pytest.mark.parametrize("answer", [*TABLE, QUEUED], ids=lambda answer: answer.name)
def test_code_and_enhanced_code_agree(answer: Answer) -> None:
    """RFC 2034 section 4: both say the same, in one line of ASCII; 354 has no enhanced code."""
    assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}" if answer is not replies.GO_AHEAD else "", answer.enhanced)
    assert not answer.enhanced or answer.enhanced[0] == str(answer.code)[0]
    assert re.fullmatch(rb"[245]\d\d [ -~]{2,200}\r\n|354 [ -~]+\r\n", answer.line)


def test_names_and_words_are_unique() -> None:
    """A name in the log leads to one line of the table."""
    assert len({answer.name for answer in TABLE}) == len(TABLE)
    assert len({str(answer) for answer in TABLE}) == len(TABLE)


def test_our_own_trouble_is_never_permanent() -> None:
    """I9."""
    for ours in (replies.TROUBLE, replies.NO_SPACE, replies.SHUTTING_DOWN, replies.TOO_MANY_CONNECTIONS, replies.TLS_UNAVAILABLE):
        assert 400 <= ours.code < 500


def test_the_lines_of_ehlo_are_joined_by_hyphens() -> None:
    """RFC 5321 section 4.2.1."""
    assert replies.hello("mx.test") == b"250 mx.test\r\n"
    assert replies.hello("mx.test", "PIPELINING", "SMTPUTF8") == b"250-mx.test\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n"
    assert replies.greeting("mx.test") == b"220 mx.test ESMTP Backup MX\r\n"


@given(st.integers(200, 599).filter(lambda code: code // 100 != 3), st.text(max_size=600))
@example(250, "2.0.0 Ok: queued as 4F1")
@example(550, "5.1.1 <x@y>: no\r\n250 injected")
@example(450, "5.1.1 mixed up")
@example(550, "5.7.1")
@example(250, "")
def test_a_primary_s_words_are_passed_on_as_one_harmless_line(code: int, text: str) -> None:
    """I7, RFC 5321 section 4.5.3.1.5: whatever it said; code and enhanced code agree."""
    answer = replies.of_primary(Reply(code, text))
    assert answer.code == code
    assert re.fullmatch(rb"[245]\d\d [245]\.\d{1,3}\.\d{1,3} [ -~]+\r\n", answer.line)
    assert answer.enhanced[0] == str(code)[0]
    assert len(answer.line) <= 512


def test_a_primary_s_words_stay_as_they_are() -> None:
    """The sender sees what the primary said."""
    for words in ("250 2.0.0 Ok: queued as 4F1", "550 5.1.1 <x@y>: no such user", "450 4.2.0 greylisted, come again"):
        assert str(replies.of_primary(Reply(int(words[:3]), words[4:]))) == words
