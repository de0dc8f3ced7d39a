"""What a reply means, for every code at every place; and the text of it that is kept."""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from backupmx.core import judge
from backupmx.core.belief import Word
from backupmx.core.judge import Place
from backupmx.core.outcome import Deferred, Delivered, Failed, Reply

PLACES = st.sampled_from(Place)
REPLIES = st.builds(Reply, st.integers(-1, 999), st.text(max_size=60))


@given(place=PLACES, reply=REPLIES)
def test_delivered_is_2xx_to_the_dot_and_nothing_else(place: Place, reply: Reply) -> None:
    """I1: a message leaves the spool by this alone."""
    assert (judge.judge(place, reply) is Delivered) == (place is Place.DOT and 200 <= reply.code <= 299)


@given(place=PLACES, reply=REPLIES)
@example(place=Place.RCPT, reply=Reply(503, "5.5.1 need MAIL"))
def test_failed_is_5xx_and_nothing_else(place: Place, reply: Reply) -> None:
    """I9: nothing but the primary's own 5xx ends the attempts; out of step is not a word about the message."""
    kind = judge.judge(place, reply)
    if kind is Failed:
        assert 500 <= reply.code <= 599
        assert reply.code != 503
        assert place is not Place.CONNECTION
    elif 500 <= reply.code <= 599 and kind is Deferred:
        assert reply.code == 503 or (reply.code == 552 and place is Place.RCPT)


@given(reply=REPLIES)
def test_trouble_with_the_connection_says_nothing_about_a_message(reply: Reply) -> None:
    """Whatever the greeting; and 421 wherever it comes."""
    assert judge.judge(Place.CONNECTION, reply) is None
    assert all(judge.judge(place, Reply(421, reply.text)) is None for place in Place)


def test_552_to_rcpt_is_read_by_its_enhanced_code() -> None:
    """RFC 5321 section 4.5.3.1.10: too many recipients is temporary; a full mailbox and a message too large are not."""
    said = {
        "too many recipients": Deferred,
        "5.5.3 too many recipients": Deferred,
        "5.2.2 mailbox full": Failed,
        "5.3.4 message too big": Failed,
    }
    assert {text: judge.judge(Place.RCPT, Reply(552, text)) for text in said} == said
    assert judge.judge(Place.DOT, Reply(552, "too much mail data")) is Failed


def test_a_broken_line_is_a_deferral_only_where_the_message_may_have_arrived_or_time_was_lost() -> None:
    """I1: before the dot the message goes on another line at once; after it, the primary may have it."""
    assert [judge.broken(place, timed_out=False) for place in Place] == [None, None, None, None, Deferred]
    assert {judge.broken(place, timed_out=True) for place in Place} == {Deferred}


@given(code=st.integers(200, 599), text=st.binary(max_size=2000))
def test_any_octets_become_text_that_can_be_stored(code: int, text: bytes) -> None:
    """I7: one line, valid, of bounded length."""
    kept = judge.reply(code, text.decode("utf-8", "surrogateescape"))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Reply) == kept
    assert "\n" not in kept.text
    assert len(kept.text) <= judge.TEXT_LIMIT


def test_the_lines_of_a_reply_become_one_with_one_enhanced_code() -> None:
    """RFC 2034: each line repeats it."""
    assert judge.reply(550, "5.1.1 nobody\n5.1.1 of that name\nsee below").text == "5.1.1 nobody of that name see below"
    assert judge.reply(550, "no\nno code").text == "no no code"


def test_what_a_reply_to_rcpt_teaches_of_the_address() -> None:
    """I9: only what speaks of the address itself; not of us, the sender, the content, or this moment."""
    said = {
        (250, "2.1.5 Ok"): Word.KNOWN,
        (251, "will forward"): Word.KNOWN,
        (550, "5.1.1 <x@y>: unknown in virtual mailbox table"): Word.GONE,
        (550, "No such user here"): Word.GONE,
        (553, "sorry, no mailbox here by that name"): Word.GONE,
        (550, "5.2.1 disabled"): Word.GONE,
        (252, "2.1.5 cannot verify"): None,
        (550, "5.1.0 <a@b>: Sender address rejected: User unknown"): None,
        (450, "4.2.0 greylisted"): None,
        (450, "4.1.1 unverified"): None,
        (452, "too many"): None,
        (550, "5.7.1 blocked by a list"): None,
        (554, "5.7.1 relay access denied"): None,
        (554, "no"): None,
        (552, "5.2.2 mailbox full"): None,
        (552, "mailbox full"): None,
        (501, "5.1.7 bad sender"): None,
        (550, "5.1.8 bad sender domain"): None,
        (503, "5.5.1 need MAIL"): None,
    }
    assert {pair: judge.teaches(Reply(*pair)) for pair in said} == said


def test_only_so_many_words_name_nobody() -> None:
    """A `550` to the content may be about the content."""
    assert judge.names_nobody(Reply(550, "5.1.1 no such user"))
    assert not judge.names_nobody(Reply(550, "no such user"))
    assert not judge.names_nobody(Reply(550, "5.7.1 spam"))
    assert not judge.names_nobody(Reply(450, "5.1.1 mixed up"))
