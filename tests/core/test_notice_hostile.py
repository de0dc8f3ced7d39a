"""Notifications of what strangers made up: they are always written, and always sound (I7)."""

from datetime import UTC, datetime
from email import message_from_bytes

from flufl.bounce import all_failures
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from backupmx import languages
from backupmx.core import ids, notice
from backupmx.core.message import Client, Envelope, Kind, Message, Proof, Recipient
from backupmx.core.notice import Fared
from backupmx.core.outcome import Reply
from tests.core.reading import Letter, read

NOW = datetime(2026, 11, 23, 14, 30, 5, tzinfo=UTC)
ID = ids.encode(bytes(range(16)))
HOST = "mail.example.com[192.0.2.25]:25"
PIECES = [
    "\r\nBcc: victim@example.org\r\n",
    "\r\n\r\n<html>",
    "\n.\n",
    "\r",
    "\0",
    "\x85",
    "\u2028",
    "\u202e\u2066",
    "\ud800",
    "\udcff",
    "=?utf-8?q?=0d=0aBcc:_x?=",
    f"--=_{ID}--",
    "a@b.example",
    "<a@b.example>",
    '"\\"',
    "(((",
    "{reply}",
    "5.1.1 ",
    "x" * 1100,
    "å" * 600,
    "\U0001f600" * 300,
    "\\x{D800}\\x{FFFFFF}",
    "+0D+0A+7F",
    " " * 80,
]
TEXT = st.lists(st.sampled_from(PIECES) | st.text(st.characters(max_codepoint=0x10FFFF), max_size=20), max_size=4).map("".join)
OCTETS = st.lists(
    st.sampled_from([piece.encode("utf-8", "surrogatepass") for piece in PIECES])
    | st.binary(max_size=20)
    | st.sampled_from([b"Received: x\r\n", b"Message-ID: <a@b>\r\n", b"\r\n", b"Subject: \xe4\r\n", b" more\r\n"]),
    max_size=8,
).map(b"".join)
ASA = "åsa@example.com"


def written(
    text: str,
    *,
    sender: str = "c@d.example",
    kind: Kind = Kind.FAILED,
    original: bytes = b"",
    ret: str = "",
    language: str = "en",
) -> bytes:
    """A notification in which all that others say is this text."""
    somebody = Recipient(text, text, orcpt=text)
    asking = replace(somebody, orcpt=f"utf-8;{text}")
    asa = Recipient(ASA, "example.com", orcpt=f"rfc822;{text}")
    client = Client("192.0.2.1", text)
    envelope = Envelope(sender, (somebody, asking, asa), client, ret=ret, envid=text, proof=Proof.SPF)
    fared = [
        Fared(somebody, Reply(550, text), text, NOW),
        Fared(asking, Reply(450, f"4.2.2 {text}"), HOST, NOW),
        Fared(asa, Reply(250, f"2.0.0 {text}"), "", NOW),
    ]
    about = Message(ID, NOW, len(original), 1, b"", envelope, {})
    words = languages.words(language)
    return notice.compose(kind, about, fared, original, id=ID, hostname="mx2.example.net", now=NOW, until=NOW, words=words)


def sound(content: bytes) -> Letter:
    """Also in the eyes of another."""
    all_failures(message_from_bytes(content))
    letter = read(content)
    assert len(letter.of_recipients) == 3
    assert not any(0xD800 <= ord(letter) <= 0xDFFF or 0x202A <= ord(letter) <= 0x202E for letter in letter.text)
    return letter


@settings(deadline=None)
@given(TEXT, st.sampled_from(["c@d.example", "ç@d.example"]), st.sampled_from(Kind), st.sampled_from(languages.known()))
@example("å" * 600, "c@d.example", Kind.FAILED, "en")
@example("å" * 600, "ç@d.example", Kind.FAILED, "en")
@example("a" * 300 + ":25", "c@d.example", Kind.FAILED, "en")
@example("\\x{FFFFFF}", "ç@d.example", Kind.FAILED, "en")
def test_whatever_others_say_stays_in_its_place(text: str, sender: str, kind: Kind, language: str) -> None:
    """Replies, addresses, HELO, ORCPT, ENVID and host names make no field, no line and no part."""
    content = written(text, sender=sender, kind=kind, original=b"Received: x\r\n", language=language)
    assert sound(content).parsed["To"].addresses
    assert content.isascii() or sender != "c@d.example"


@settings(deadline=None)
@given(TEXT)
@example('"=?utf-8?q?=0d=0aBcc:_x?="@d.example')
@example('"a b"@d.example')
@example('"\\"<>,"@[192.0.2.1]')
@example("å" * 250 + "@d.example")
@example("a\u202eb@d.example")
@example("a,b@d.example")
@example("c@d.example\r\nBcc: victim@example.org")
def test_whatever_the_sender_is_called_makes_no_field(sender: str) -> None:
    """It is written as it is, or not at all."""
    content = written("x", sender=sender)
    sound(content)
    to = content.partition(b"\r\nTo: ")[2].partition(b"\r\n")[0].decode()
    assert to in (f"<{sender}>", "undisclosed-recipients:;")


@settings(deadline=None)
@given(OCTETS, st.sampled_from(["c@d.example", "ç@d.example"]), st.sampled_from(["", "HDRS", "FULL"]))
@example(b"Received: x\r\n\r\n" + b"\xff" * 1200, "ç@d.example", "FULL")
@example(b"Received: \xff" + b"y" * 1200 + b"\r\n", "ç@d.example", "HDRS")
def test_whatever_the_original_is_can_come_back(original: bytes, sender: str, ret: str) -> None:
    """With its octets, but for those that are no part of mail; and its text never, if only the header was asked for."""
    letter = sound(written("x", sender=sender, original=original, ret=ret))
    mended = original.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\0", b" ").replace(b"\n", b"\r\n")
    header = notice.head(mended)
    if letter.returned is None:
        assert not original or not header
    elif letter.media[2].endswith("-headers"):
        assert letter.returned in (header, notice.head(mended + b"\r\n"))
    else:
        assert ret != "HDRS"
        assert letter.returned.rstrip(b"\r\n").split() == original.replace(b"\0", b" ").rstrip(b"\r\n").split()


@given(OCTETS)
def test_whether_mail_is_automatic_can_be_told_of_anything(header: bytes) -> None:
    """No header breaks it."""
    assert notice.automatic(header) in (True, False)
    assert notice.head(notice.head(header)) == notice.head(header)


def test_a_reply_of_a_megabyte_is_cut() -> None:
    """I4: what a notification repeats is bounded, whatever it is made of."""
    for text in ("x" * 2**20, "å " * 2**19, "\r\n" * 2**19):
        content = written(text, sender="ç@d.example", original=b"X: y\r\n" * 2**18)
        sound(content)
        assert len(content) < 150_000
