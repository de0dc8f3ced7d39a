"""The demo's books: they balance only when every copy arrived once, unaltered, with our one field in front."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupmx.demo.ledger import Arrival, Ledger, Letter

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
TRACE = b"Received: from client.test (client.test [127.0.0.1])\r\n\tby mx2.test with ESMTP id " + ID.encode() + b";\r\n\tnow\r\n"
LETTER = Letter("plain", "a@sender.test", ("x@example.com", "y@example.com"), b"Subject: hello\r\n\r\n.dot\r\n")


def books(*arrivals: tuple[str, tuple[str, ...], bytes]) -> Ledger:
    ledger = Ledger()
    ledger.accept(LETTER, ID)
    for arrival in arrivals:
        ledger.arrive(Arrival.of(*arrival))
    return ledger


def test_all_is_well_when_every_recipient_got_what_was_sent() -> None:
    """One transaction or several: each recipient's copy counts once."""
    whole = books((LETTER.sender, LETTER.recipients, TRACE + LETTER.content)).balance()
    apart = books(*((LETTER.sender, (to,), TRACE + LETTER.content) for to in LETTER.recipients)).balance()
    assert whole == apart
    assert whole.even
    assert (whole.messages, whole.copies, whole.delivered) == (1, 2, 2)


def test_a_copy_that_is_missing_is_lost() -> None:
    """By recipient, not by message."""
    balance = books((LETTER.sender, ("x@example.com",), TRACE + LETTER.content)).balance()
    assert (balance.delivered, balance.lost, balance.even) == (1, 1, False)


def test_a_copy_that_comes_again_is_a_duplicate() -> None:
    """And still counts as delivered once."""
    once = (LETTER.sender, LETTER.recipients, TRACE + LETTER.content)
    balance = books(once, once).balance()
    assert (balance.delivered, balance.lost, balance.duplicates, balance.even) == (2, 0, 2, False)


@pytest.mark.parametrize(
    ("sender", "to", "content"),
    [
        (LETTER.sender, LETTER.recipients, LETTER.content),
        (LETTER.sender, LETTER.recipients, TRACE + TRACE + LETTER.content),
        (LETTER.sender, LETTER.recipients, TRACE + b"X-Added: 1\r\n" + LETTER.content),
        (LETTER.sender, LETTER.recipients, TRACE.replace(ID.encode(), b"0" * 26) + LETTER.content),
        (LETTER.sender, LETTER.recipients, TRACE + LETTER.content.replace(b".dot", b"..dot")),
        (LETTER.sender, LETTER.recipients, TRACE + LETTER.content + b"\r\n"),
        ("", LETTER.recipients, TRACE + LETTER.content),
        (LETTER.sender, ("x@example.org", "z@example.com"), TRACE + LETTER.content),
    ],
    ids=["no field", "two fields", "another field", "another id", "not unstuffed", "longer", "sender", "recipients"],
)
def test_anything_else_than_one_field_in_front_is_foreign(sender: str, to: tuple[str, ...], content: bytes) -> None:
    """Nothing may be altered, and what was altered does not count as delivered."""
    balance = books((sender, to, content)).balance()
    assert (balance.delivered, balance.lost, balance.foreign, balance.even) == (0, 2, 2, False)


@given(st.binary().map(lambda body: b"Subject: any\r\n\r\n" + body))
def test_only_the_field_in_front_is_taken_off(content: bytes) -> None:
    """Whatever follows it is the content, to the last byte."""
    letter = Letter("any", "", ("x@example.com",), content)
    arrival = Arrival.of("", ("x@example.com",), TRACE + content)
    assert arrival.received == TRACE
    assert arrival.digest == letter.digest
