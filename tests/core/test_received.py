"""The one Received field (RFC 5321 section 4.4)."""

from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import ids
from backupmx.core.message import Client, Envelope, Recipient
from backupmx.core.received import received

AT = datetime(2026, 11, 23, 14, 30, 5, 123456, tzinfo=UTC)
ID = ids.encode(bytes(range(16)))
ONE = (Recipient("user@example.com", "example.com"),)


def field(envelope: Envelope) -> str:
    return received(envelope, "mx2.example.net", ID, AT).decode("ascii")


def test_the_field_tells_the_way_of_the_message() -> None:
    """From whom, by whom, with what, its id, for whom and when; folded."""
    assert field(Envelope("a@b", ONE, Client("192.0.2.1", "client.example"))) == (
        "Received: from client.example ([192.0.2.1])\r\n"
        f"\tby mx2.example.net with ESMTP id {ID}\r\n"
        "\tfor <user@example.com>; Mon, 23 Nov 2026 14:30:05 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("client", "smtputf8", "protocol"),
    [
        (Client("192.0.2.1", "x", esmtp=False), False, "SMTP"),
        (Client("192.0.2.1", "x"), False, "ESMTP"),
        (Client("192.0.2.1", "x", tls="TLSv1.3 with cipher C"), False, "ESMTPS"),
        (Client("192.0.2.1", "x"), True, "UTF8SMTP"),
        (Client("192.0.2.1", "x", tls="TLSv1.3 with cipher C"), True, "UTF8SMTPS"),
    ],
)
def test_the_protocol_has_its_registered_name(client: Client, smtputf8: bool, protocol: str) -> None:
    """RFC 3848, RFC 6531 section 4.3."""
    assert f" with {protocol} id " in field(Envelope("", ONE, client, smtputf8=smtputf8))


def test_hidden_recipients_stay_hidden() -> None:
    """With more than one recipient none is named."""
    assert "for <" not in field(Envelope("", (*ONE, Recipient("other@example.com", "example.com")), Client("192.0.2.1", "x")))


def test_an_ipv6_client_is_an_address_literal() -> None:
    """RFC 5321 section 4.1.3."""
    assert "([IPv6:2001:db8::1])" in field(Envelope("", ONE, Client("2001:db8::1", "x")))


@given(st.text(max_size=3000))
def test_whatever_a_client_calls_itself_makes_no_field_and_no_comment(helo: str) -> None:
    """I7: one field, one meaning, lines that every server takes."""
    text = field(Envelope("", ONE, Client("192.0.2.1", helo)))
    assert len(BytesHeaderParser().parsebytes(text.encode() + b"\r\n").items()) == 1
    assert text.count("(") == 1
    assert text.count(";") == 1
    assert all(len(line) < 998 for line in text.split("\r\n"))
    assert parsedate_to_datetime(text.rpartition(";")[2]) == AT.replace(microsecond=0)
