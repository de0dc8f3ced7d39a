"""Notifications: whom they may concern, what goes along, and how others read them."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from typing import Any

import pytest
from flufl.bounce import all_failures
from msgspec.structs import replace

from backupmx import languages
from backupmx.core import ids, notice
from backupmx.core.message import NULL_SENDER, Client, Envelope, Kind, Message, Proof, Recipient
from backupmx.core.notice import Fared
from backupmx.core.outcome import Reply
from tests.core.reading import Letter, read

ARRIVED = datetime(2026, 11, 23, 14, 30, 5, 123456, tzinfo=UTC)
NOW = ARRIVED + timedelta(hours=4)
UNTIL = ARRIVED + timedelta(days=10)
ID = ids.encode(bytes(range(16)))
HOST = "mail.example.com[192.0.2.25]:25"
ANNA, BO = Recipient("anna@example.com", "example.com"), Recipient("bo@example.com", "example.com")
HEADER = (
    b"Received: from client.example ([192.0.2.1])\r\n\tby mx2.example.net with ESMTP id 1; Mon, 23 Nov 2026 14:30:05 +0000\r\n"
    b"From: Cecilia <cecilia@sender.example>\r\nMessage-ID:\r\n <1.2@sender.example>\r\nSubject: Hello\r\n"
)
ORIGINAL = HEADER + b"\r\nHello Anna,\r\n.\r\n--=_\r\nFrom here\r\n"
ENVELOPE = Envelope("cecilia@sender.example", (ANNA, BO), Client("192.0.2.1", "client.example"), proof=Proof.SPF)
NO = {Kind.FAILED: Reply(550, "5.1.1 nobody"), Kind.DELAYED: Reply(450, "4.2.0 later")}
SAID = {**NO, Kind.RELAYED: Reply(250, "2.0.0 Ok: queued as 1"), Kind.DELIVERED: Reply(250, "2.1.5 Ok")}


def message(**envelope: Any) -> Message:
    return Message(ID, ARRIVED, len(ORIGINAL), 1, b"", replace(ENVELOPE, **envelope), {})


def content(kind: Kind, about: Message, *fared: Fared, original: bytes = ORIGINAL, language: str = "en") -> bytes:
    words = languages.words(language)
    return notice.compose(kind, about, fared, original, id=ID, hostname="mx2.example.net", now=NOW, until=UNTIL, words=words)


def fared(recipient: Recipient, reply: Reply, host: str = HOST) -> Fared:
    return Fared(recipient, reply, host, NOW)


def letter(kind: Kind, about: Message, *fared: Fared, original: bytes = ORIGINAL, language: str = "en") -> Letter:
    return read(content(kind, about, *fared, original=original, language=language))


# Whom it may concern


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        ("", [Kind.FAILED]),
        ("NEVER", []),
        ("FAILURE", [Kind.FAILED]),
        ("DELAY", [Kind.DELAYED]),
        ("SUCCESS", [Kind.RELAYED, Kind.DELIVERED]),
        ("SUCCESS,FAILURE", [Kind.FAILED, Kind.RELAYED, Kind.DELIVERED]),
        ("SUCCESS,FAILURE,DELAY", list(Kind)),
    ],
)
def test_the_sender_is_told_what_was_asked_for(notify: str, told: list[Kind]) -> None:
    """RFC 3461 section 4.1."""
    anna = replace(ANNA, notify=notify)
    envelope = replace(ENVELOPE, recipients=(anna, BO))
    for kind in Kind:
        assert notice.concerned(kind, envelope, [ANNA.address]) == ((anna,) if kind in told else ())


@pytest.mark.parametrize(("notify", "warned"), [("", True), ("DELAY", True), ("NEVER", False), ("FAILURE", False)])
def test_who_asked_for_nothing_is_warned_of_a_delay_where_that_is_configured(notify: str, warned: bool) -> None:
    """And of nothing else."""
    envelope = replace(ENVELOPE, recipients=(replace(ANNA, notify=notify),))
    assert bool(notice.concerned(Kind.DELAYED, envelope, [ANNA.address], warn_unasked=True)) == warned
    assert not notice.concerned(Kind.DELIVERED, envelope, [ANNA.address], warn_unasked=True)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("change", [{"sender": NULL_SENDER}, {"proof": Proof.NONE}])
def test_nobody_is_told_whose_address_may_be_somebody_else_s(kind: Kind, change: dict[str, Any]) -> None:
    """I3: whatever was asked for."""
    asking = tuple(replace(each, notify="SUCCESS,FAILURE,DELAY") for each in ENVELOPE.recipients)
    envelope = replace(ENVELOPE, recipients=asking)
    assert notice.concerned(kind, envelope, [ANNA.address], warn_unasked=True)
    assert not notice.concerned(kind, replace(envelope, **change), [ANNA.address], warn_unasked=True)


def test_recipients_come_in_the_order_of_the_envelope_and_strangers_not_at_all() -> None:
    """Whatever order they are named in."""
    assert notice.concerned(Kind.FAILED, ENVELOPE, [BO.address, "eve@example.com", ANNA.address]) == (ANNA, BO)


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-generated",
        "auto-submitted:AUTO-REPLIED; why=vacation",
        "Auto-Submitted:",
        "List-Id: <list.example>",
        "List-Unsubscribe: <https://list.example/>",
        "LIST-POST: NO",
        "Precedence: bulk",
        "Precedence: List (of friends)",
        "precedence:\r\n\tjunk",
        "Feedback-ID: 1:2:3:shop",
        "X-Auto-Response-Suppress: DR, OOF",
        "X-Auto-Response-Suppress: All",
        "X-Loop: somebody",
        'Content-Type: multipart/report; report-type="delivery-status"',
    ],
)
def test_list_bulk_and_automatic_mail_is_known(field: str) -> None:
    """RFC 3834 section 2: nobody waits for an answer to it."""
    assert notice.automatic(HEADER + field.encode() + b"\r\n")
    assert notice.automatic(field.encode() + b"\r\n" + HEADER)


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: no",
        "Auto-Submitted: No (written by hand)",
        "Precedence: first-class",
        "X-Auto-Response-Suppress: OOF, AutoReply",
        "Listing: <house.example>",
        "Subject: Precedence: bulk",
        "Subject: x\r\n List-Id: <no.field.example>",
        "Content-Type: multipart/alternative",
        "Sp\u00e4m: \u00ff",
    ],
)
def test_a_letter_is_known_as_a_letter(field: str) -> None:
    """What only looks like it."""
    assert not notice.automatic(HEADER + field.encode("latin-1") + b"\r\n")
    assert not notice.automatic(HEADER + b"\r\nList-Id: <text.example>\r\n")


# What goes along


@pytest.mark.parametrize(
    ("kind", "ret", "size", "requires_tls", "whole"),
    [
        (Kind.FAILED, "FULL", 50_000, False, True),
        (Kind.FAILED, "", 50_000, False, True),
        (Kind.FAILED, "HDRS", 500, False, False),
        (Kind.FAILED, "FULL", 50_001, False, False),
        (Kind.FAILED, "FULL", 500, True, False),
        (Kind.DELAYED, "FULL", 500, False, False),
        (Kind.RELAYED, "FULL", 500, False, False),
        (Kind.DELIVERED, "FULL", 500, False, False),
    ],
)
def test_the_original_goes_along_whole_with_a_failure_if_it_is_small(
    kind: Kind, ret: str, size: int, requires_tls: bool, whole: bool
) -> None:
    """RFC 3461 sections 4.3 and 6.2, RFC 8689 section 5."""
    about = replace(message(ret=ret, requires_tls=requires_tls), size=size)
    assert notice.wants_whole(kind, about) == whole
    found = letter(kind, about, fared(ANNA, SAID[kind]))
    assert found.returned == (ORIGINAL if whole else HEADER)
    assert found.media[2] == ("message/rfc822" if whole else "text/rfc822-headers")
    assert ("Your message is attached." in found.text) == whole
    assert ("(REQUIRETLS)" in found.text) == requires_tls


@pytest.mark.parametrize(
    ("octets", "header"),
    [
        (ORIGINAL, HEADER),
        (HEADER, HEADER),
        (b"\r\nNo header\r\n", b""),
        (b"", b""),
        (b"No header\r\nSubject: no\r\n", b""),
        (b"Received: x\r\nThe text begins here\r\nSubject: no\r\n", b"Received: x\r\n"),
        (b"Received: x\r\nSubject : of old\r\n\r\n", b"Received: x\r\nSubject : of old\r\n"),
        (b"A: 1\r\n \r\nB: 2\r\n\r\n", b"A: 1\r\n \r\nB: 2\r\n"),
        (b"A: 1\r\n: 2\r\n", b"A: 1\r\n"),
    ],
)
def test_the_header_ends_where_the_text_begins(octets: bytes, header: bytes) -> None:
    """Also where no empty line says so: who asked for the header gets none of the text."""
    assert notice.head(octets) == header


def test_a_header_is_cut_at_the_end_of_a_line() -> None:
    """I4: it is of bounded length."""
    field = b"X-Filler: " + b"x" * 989 + b"\r\n"
    found = notice.head(field * 100)
    assert found == field * (notice.HEAD_LIMIT // len(field))
    assert notice.head(b"X: " + b"x" * notice.HEAD_LIMIT) == b""


def test_an_original_that_cannot_be_read_is_left_out() -> None:
    """The notification says the rest."""
    found = letter(Kind.FAILED, message(), fared(ANNA, NO[Kind.FAILED]), original=b"")
    assert found.returned is None
    assert "attached" not in found.text
    assert "In-Reply-To" not in found.parsed


def test_a_text_of_eight_bits_comes_back_as_it_is() -> None:
    """The whole message, where that is what goes along (RFC 3461 section 4.3)."""
    original = HEADER + b"Content-Transfer-Encoding: 8bit\r\n\r\nHej p\xe5 dig\r\n"
    octets = content(Kind.FAILED, message(), fared(ANNA, NO[Kind.FAILED]), original=original)
    found = read(octets)
    assert (found.media[2], found.returned) == ("message/rfc822", original)
    assert found.parsed["Content-Transfer-Encoding"] == "8bit"


@pytest.mark.parametrize(
    "original",
    [
        HEADER + b"Subject: R\xe4ksm\xf6rg\xe5s \xff\r\n\r\nHej\r\n",
        HEADER + "Subject: Räksmörgås\r\n\r\nHej\r\n".encode(),
        HEADER + b"X-Long: " + b"x" * 1500 + b"\r\n\r\nHej\r\n",
        HEADER + b"\r\n" + b"x" * 999 + b"\r\n",
    ],
)
def test_what_is_no_message_that_everybody_takes_comes_back_as_its_header(original: bytes) -> None:
    """Encoded, so that nothing of it is lost, and a server that takes only ASCII takes it too."""
    octets = content(Kind.FAILED, message(), fared(ANNA, NO[Kind.FAILED]), original=original)
    found = read(octets)
    assert octets.isascii()
    assert found.media[2] == "text/rfc822-headers"
    assert found.returned == notice.head(original) != b""


def test_octets_that_end_no_line_do_not_go_along() -> None:
    """I6: bare CR, bare LF and NUL."""
    original = b"Received: a\rb\0c\nSubject: d\r\n\r\ne\rf\0g\nh"
    assert letter(Kind.FAILED, message(), fared(ANNA, NO[Kind.FAILED]), original=original).returned == (
        b"Received: a b c\r\nSubject: d\r\n\r\ne f g\r\nh\r\n"
    )


# How others read it


@pytest.mark.parametrize("language", languages.known())
def test_an_independent_reader_knows_who_failed_and_who_waits(language: str) -> None:
    """The failed for good, the delayed for now, and those who have their mail not at all."""
    anna = replace(ANNA, orcpt="rfc822;anna@company.example")
    about = message(recipients=(anna, BO))
    for kind in Kind:
        octets = content(kind, about, fared(anna, SAID[kind]), fared(BO, SAID[kind], ""), language=language)
        temporary, permanent = all_failures(message_from_bytes(octets))
        both = {b"anna@company.example", b"bo@example.com"}
        assert set(permanent) == (both if kind is Kind.FAILED else set())
        assert set(temporary) == (both if kind is Kind.DELAYED else set())


@pytest.mark.parametrize("kind", Kind)
def test_the_header_says_what_it_is(kind: Kind) -> None:
    """RFC 5322, RFC 3834 section 3.1, RFC 6522."""
    parsed = letter(kind, message(), fared(ANNA, SAID[kind])).parsed
    assert parsed["From"].addresses[0].addr_spec == "MAILER-DAEMON@mx2.example.net"
    assert parsed["From"].addresses[0].display_name == "Mail delivery"
    assert [each.addr_spec for each in parsed["To"].addresses] == ["cecilia@sender.example"]
    assert parsed["Date"].datetime == NOW.replace(microsecond=0)
    assert parsed["Message-ID"] == f"<{ID}@mx2.example.net>"
    assert parsed["In-Reply-To"] == parsed["References"] == "<1.2@sender.example>"
    assert parsed["Auto-Submitted"] == "auto-replied"
    assert parsed["Subject"] == notice.notice_text.telling(kind, languages.words("en")).subject
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "delivery-status"
    assert notice.automatic(notice.head(parsed.as_bytes())), "and is known as such by us"


def test_swedish_is_read_as_swedish() -> None:
    """In a form that takes any way."""
    octets = content(Kind.DELAYED, message(), fared(ANNA, NO[Kind.DELAYED]), language="sv")
    found = read(octets)
    assert octets.isascii()
    assert found.parsed["Subject"] == "Ditt meddelande är försenat"
    assert "Du behöver inte göra något" in found.text


@pytest.mark.parametrize(
    "name", [b"<no at>", b"no-brackets@x", b"<a@b> <c@d>", b"<a@b\xe5>", b"<a@\0b>", b"<" + b"a" * 300 + b"@b>"]
)
def test_a_name_that_is_not_fit_is_not_repeated(name: bytes) -> None:
    """I7; and two names are none."""
    for original in (b"Message-ID: " + name + b"\r\n\r\n", b"Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n\r\n"):
        parsed = letter(Kind.FAILED, message(ret="HDRS"), fared(ANNA, NO[Kind.FAILED]), original=original).parsed
        assert "In-Reply-To" not in parsed
        assert "References" not in parsed


def test_the_status_tells_all_that_is_known() -> None:
    """RFC 3464 sections 2.2 and 2.3, of several recipients."""
    anna = replace(ANNA, orcpt="rfc822;anna+2Bsales@company.example")
    about = message(recipients=(anna, BO), envid="QQ314+2B159+3D")
    replies = (Reply(450, "4.2.2 Mailbox full " + "and more " * 30), Reply(451, "4.4.1 nobody answers"))
    found = letter(Kind.DELAYED, about, fared(anna, replies[0]), fared(BO, replies[1], ""))
    assert found.of_message == {
        "Original-Envelope-Id": "QQ314+159=",
        "Reporting-MTA": "dns; mx2.example.net",
        "Received-From-MTA": "dns; client.example ([192.0.2.1])",
        "Arrival-Date": "Mon, 23 Nov 2026 14:30:05 +0000",
    }
    assert found.of_recipients == [
        {
            "Original-Recipient": "rfc822; anna+sales@company.example",
            "Final-Recipient": "rfc822; anna@example.com",
            "Action": "delayed",
            "Status": "4.2.2",
            "Remote-MTA": "dns; mail.example.com",
            "Diagnostic-Code": f"smtp; {str(replies[0]).strip()}",
            "Last-Attempt-Date": "Mon, 23 Nov 2026 18:30:05 +0000",
            "Will-Retry-Until": "Thu, 03 Dec 2026 14:30:05 +0000",
        },
        {
            "Final-Recipient": "rfc822; bo@example.com",
            "Action": "delayed",
            "Status": "4.4.1",
            "Diagnostic-Code": "X-Backup-MX; 4.4.1 nobody answers",
            "Last-Attempt-Date": "Mon, 23 Nov 2026 18:30:05 +0000",
            "Will-Retry-Until": "Thu, 03 Dec 2026 14:30:05 +0000",
        },
    ]


@pytest.mark.parametrize(
    ("kind", "reply", "status"),
    [
        (Kind.FAILED, Reply(550, "5.1.1 nobody"), "5.1.1"),
        (Kind.FAILED, Reply(550, "5.7.509"), "5.7.509"),
        (Kind.FAILED, Reply(550, "nobody"), "5.0.0"),
        (Kind.FAILED, Reply(550, "4.1.1 out of step"), "5.0.0"),
        (Kind.FAILED, Reply(450, "4.2.2 full"), "5.0.0"),
        (Kind.FAILED, Reply(450, "5.2.2 full"), "5.0.0"),
        (Kind.FAILED, Reply(550, "5.01.1 nobody"), "5.0.0"),
        (Kind.FAILED, Reply(550, "5.1.1234 nobody"), "5.0.0"),
        (Kind.FAILED, Reply(550, "5.1.1.1 nobody"), "5.0.0"),
        (Kind.FAILED, Reply(550, "5.1.\u0661 nobody"), "5.0.0"),
        (Kind.DELAYED, Reply(450, "4.2.2 full"), "4.2.2"),
        (Kind.DELAYED, Reply(450, "full"), "4.0.0"),
        (Kind.DELAYED, Reply(550, "5.1.1 nobody"), "4.0.0"),
        (Kind.RELAYED, Reply(250, "2.1.5 Ok"), "2.1.5"),
        (Kind.RELAYED, Reply(250, "Ok"), "2.0.0"),
        (Kind.DELIVERED, Reply(250, "2.1.5 Ok"), "2.1.5"),
    ],
)
def test_the_status_code_is_the_server_s_where_it_means_what_we_tell(kind: Kind, reply: Reply, status: str) -> None:
    """RFC 3463: never one of another class."""
    (found,) = letter(kind, message(), fared(ANNA, reply)).of_recipients
    assert (found["Action"], found["Status"]) == (kind, status)
    assert ("Will-Retry-Until" in found) == (kind is Kind.DELAYED), "what is over has no end to come"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("mail.example.com[192.0.2.25]:25", "mail.example.com"),
        ("mail.example.com[2001:db8::25]:2525", "mail.example.com"),
        ("192.0.2.25:25", "[192.0.2.25]"),
        ("[2001:db8::25]:25", "[IPv6:2001:db8::25]"),
        ("somewhere\r\nelse", "somewhere??else"),
    ],
)
def test_the_remote_server_has_a_name(host: str, name: str) -> None:
    """RFC 3464 section 2.3.5."""
    found = letter(Kind.FAILED, message(), fared(ANNA, NO[Kind.FAILED], host))
    assert found.of_recipients[0]["Remote-MTA"] == f"dns; {name}"
    assert f"    {name} said: 550 5.1.1 nobody" in found.text


# Addresses that are not ASCII


def test_a_recipient_outside_ascii_is_told_to_any_sender() -> None:
    """RFC 6533 section 3: in the form that needs no SMTPUTF8 on the way back."""
    asa = Recipient("åsa+😀@example.com", "example.com", orcpt=r"utf-8;\x{E5}sa\x{2B}+2B@company.example")
    bo = Recipient("bo@münchen.example", "xn--mnchen-3ya.example")
    octets = content(
        Kind.FAILED, message(recipients=(asa, bo)), fared(asa, Reply(550, "5.1.1 känner inte")), fared(bo, NO[Kind.FAILED])
    )
    found = read(octets)
    assert octets.isascii()
    assert found.media[1] == "message/delivery-status"
    assert found.of_recipients[0]["Final-Recipient"] == r"utf-8; \x{E5}sa\x{2B}\x{1F600}@example.com"
    assert found.of_recipients[0]["Original-Recipient"] == r"utf-8; \x{E5}sa\x{2B}\x{2B}@company.example"
    assert found.of_recipients[0]["Diagnostic-Code"] == "smtp; 550 5.1.1 k?nner inte"
    assert found.of_recipients[1]["Final-Recipient"] == "rfc822; bo@xn--mnchen-3ya.example"
    assert "  åsa+😀@example.com\n" in found.text
    assert "said: 550 5.1.1 känner inte" in found.text


@pytest.mark.parametrize("ret", ["HDRS", "FULL"])
def test_a_sender_outside_ascii_is_told_in_utf_8(ret: str) -> None:
    """RFC 6533 sections 4 and 5: its own server takes SMTPUTF8, or it would have no such address."""
    asa = Recipient("åsa@example.com", "example.com", orcpt=r"utf-8;\x{E5}sa@company.example")
    header = HEADER + "Subject: Räksmörgås\r\n".encode()
    about = message(sender="örjan@sender.example", recipients=(asa,), ret=ret, smtputf8=True)
    octets = content(Kind.FAILED, about, fared(asa, Reply(550, "5.1.1 känner inte")), original=header + b"\r\nHej\r\n")
    found = read(octets)
    assert "To: <örjan@sender.example>\r\n".encode() in octets
    assert found.media[1:] == ["message/global-delivery-status", "message/global" if ret == "FULL" else "message/global-headers"]
    assert found.returned == header + (b"\r\nHej\r\n" if ret == "FULL" else b"")
    assert found.of_recipients[0]["Final-Recipient"] == "utf-8; åsa@example.com"
    assert found.of_recipients[0]["Original-Recipient"] == "utf-8; åsa@company.example"
    assert found.of_recipients[0]["Diagnostic-Code"] == "smtp; 550 5.1.1 känner inte"
