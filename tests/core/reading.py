"""Reads a notification as strictly as the RFCs have it: what does not fit is an assertion that fails."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime

_DATE = (
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
)
_ATOM = r"[!#-'*+/-9=?A-Z^-~-]+"
_LINE = r"[^\x00-\x1f\x7f]*"
_STATUS = r"[245]\.(?:0|[1-9]\d{0,2})\.(?:0|[1-9]\d{0,2})"
_XTEXT_ADDRESS = r"(?:[!-*,-<>-\[\]-~]|\\x\{[0-9A-F]{2,6}\})+"
# RFC 3464 sections 2.2 and 2.3, RFC 6533 section 3, in the order of the grammar: name, value, whether it has to be there
OF_MESSAGE = [
    ("Original-Envelope-Id", r"[ -~]*", False),
    ("Reporting-MTA", r"dns; [a-z0-9.-]+", True),
    ("Received-From-MTA", r"dns; [!-~]+ \([!-~]+\)", False),
    ("Arrival-Date", _DATE, False),
]
OF_RECIPIENT = [
    ("Original-Recipient", rf"{_ATOM}; {_LINE}", False),
    ("Final-Recipient", rf"rfc822; [ -~]*|utf-8; (?:{_XTEXT_ADDRESS}|.*[^\x00-\x7f].*)", True),
    ("Action", r"failed|delayed|delivered|relayed", True),
    ("Status", _STATUS, True),
    ("Remote-MTA", r"dns; [ -~]+", False),
    ("Diagnostic-Code", rf"{_ATOM};{_LINE}", False),
    ("Last-Attempt-Date", _DATE, False),
    ("Will-Retry-Until", _DATE, False),
]
HEADER = [
    ("Date", _DATE),
    ("From", r".+ <MAILER-DAEMON@[a-z0-9.-]+>"),
    ("To", r"<[^\r\n]+@[^<>\r\n]+>|undisclosed-recipients:;"),
    ("Subject", r"[ -~]+(?:\r\n [ -~]+)*"),
    ("Message-ID", r"<[0-9A-Z]{26}@[a-z0-9.-]+>"),
    ("In-Reply-To", r"<[!-;=?-~]+@[!-;=?-~]+>"),
    ("References", r"<[!-;=?-~]+@[!-;=?-~]+>"),
    ("Auto-Submitted", "auto-replied"),
    ("MIME-Version", r"1\.0"),
    ("Content-Type", r'multipart/report; report-type=delivery-status;\r\n boundary="=_[0-9a-f]{32}"'),
    ("Content-Transfer-Encoding", "7bit|8bit"),
]


@dataclass(frozen=True, slots=True)
class Letter:
    """A notification that was found sound."""

    parsed: EmailMessage
    of_message: dict[str, str]
    of_recipients: list[dict[str, str]]
    text: str
    returned: bytes | None
    """What came back of the original, decoded; None if nothing."""
    media: list[str]
    """The type of each part."""


def read(content: bytes) -> Letter:
    """Take a notification apart, and hold every octet of it to the rules."""
    _octets(content)
    header, _, body = content.partition(b"\r\n\r\n")
    _fields(header.decode("utf-8"), [(*field, field[0] not in ("In-Reply-To", "References")) for field in HEADER])
    boundary = content.split(b'boundary="', 1)[1].split(b'"', 1)[0]
    before, *raw, end = (b"\r\n" + body).split(b"\r\n--" + boundary)
    assert (before, end) == (b"", b"--\r\n")
    parsed = message_from_bytes(content, policy=default)
    assert isinstance(parsed, EmailMessage)
    assert parsed.defects == []
    parts = list(parsed.iter_parts())
    media = [part.get_content_type() for part in parts]
    assert media[0] == "text/plain"
    assert media[1] in ("message/delivery-status", "message/global-delivery-status")
    assert 2 <= len(parts) <= 3
    for part, octets in zip(parts, raw, strict=True):
        assert part.defects == []
        encoding = octets.partition(b"\r\n\r\n")[0].lower().partition(b"content-transfer-encoding: ")[2].split(b"\r\n")[0]
        assert octets.isascii() or (encoding == b"8bit" and parsed["Content-Transfer-Encoding"] == "8bit")
    of_message, *of_recipients = _status(raw[1].partition(b"\r\n\r\n")[2].decode("utf-8"), media[1])
    return Letter(parsed, of_message, of_recipients, parts[0].get_content().replace("\r\n", "\n"), _returned(raw, media), media)


def _octets(content: bytes) -> None:
    assert content.endswith(b"\r\n")
    assert b"\0" not in content
    assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
    assert max(map(len, content.split(b"\r\n"))) <= 998


def _returned(raw: Sequence[bytes], media: Sequence[str]) -> bytes | None:
    """By hand: nobody else should have to agree with the email package on what a message within a message is."""
    if len(raw) == 2:
        return None
    assert media[2] in ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
    header, _, body = raw[2].partition(b"\r\n\r\n")
    if b"quoted-printable" not in header:
        return body
    assert media[2].endswith("-headers"), "a message within a message is never encoded"
    assert max(map(len, body.split(b"\r\n"))) <= 76
    text = re.sub(rb"=\r\n", b"", body)
    assert re.fullmatch(rb"(?:[\r\n\t !-<>-~]|=[0-9A-F]{2})*", text)
    return re.sub(rb"=([0-9A-F]{2})", lambda code: bytes([int(code[1], 16)]), text)


def _status(text: str, media: str) -> list[dict[str, str]]:
    assert text.endswith("\r\n")
    assert text.isascii() == (media == "message/delivery-status")
    first, *others = text.removesuffix("\r\n").split("\r\n\r\n")
    assert others, "somebody has to be spoken of"
    return [_fields(first, OF_MESSAGE), *(_fields(other, OF_RECIPIENT) for other in others)]


def _fields(text: str, grammar: Sequence[tuple[str, str, bool]]) -> dict[str, str]:
    """Each at most once, in order, known, and of the right form."""
    found: dict[str, str] = {}
    folded = re.split(r"\r\n(?![ \t])", text)
    names = [name for name, _, _ in grammar]
    for field in folded:
        name, colon, value = field.partition(": ")
        assert colon and name in names, field
        names = names[names.index(name) + 1 :]
        form = {known: form for known, form, _ in grammar}[name]
        assert not re.search(r"\r\n[ \t]*(?:\r\n|$)", value), "a line of nothing but spaces"
        unfolded = value if "\\r" in form else value.replace("\r\n", "")
        assert re.fullmatch(form, unfolded), field
        if form == _DATE:
            assert parsedate_to_datetime(unfolded)
        found[name] = unfolded
    assert {name for name, _, needed in grammar if needed} <= found.keys()
    return found
