"""Notifications: whom they may concern, what goes along with them, and how they are packed (RFC 3461, 3464, 6522, 6533).

Knows: what senders asked for, what mail is never warned about (RFC 3834), the form of a notification.
Does not know: when there is a reason for one, how it gets into the spool, and how it leaves.

Python's email package reads headers and encodes text. The three parts are put together here: it would take the original apart and
write it anew, and nobody is helped by mail that comes back other than it went.
"""

import binascii
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.header import Header
from email.message import Message as Fields
from email.message import MIMEPart
from email.parser import BytesHeaderParser
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from hashlib import blake2b

from backupmx.core import notice_status, notice_text, path
from backupmx.core.ids import MessageId
from backupmx.core.message import NULL_SENDER, Envelope, Kind, Message, Proof, Recipient
from backupmx.core.notice_status import Fared as Fared  # noqa: PLC0414 - the rooms know it as ours
from backupmx.core.notice_text import Words

WHOLE_LIMIT = 50_000
"""Octets of an original that goes along whole, as in Postfix."""
HEAD_LIMIT = 2**16
"""Octets of a header that goes along."""
_LONGEST_LINE = 998
"""Octets without the line's end (RFC 5322 section 2.1.1)."""

_ASKED = {Kind.FAILED: "FAILURE", Kind.DELAYED: "DELAY", Kind.RELAYED: "SUCCESS", Kind.DELIVERED: "SUCCESS"}
_HEAD = re.compile(rb"(?:[!-9;-~]+[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*)*")
_MESSAGE_ID = re.compile(r"<[!#-'*+\-./-9=?A-Z^-~]{1,200}@[!#-'*+\-./-9=?A-Z\[\]^-~:]{1,200}>")
_OF_MACHINES = frozenset(
    {"mailing-list", "x-mailing-list", "x-beenthere", "feedback-id", "x-autoreply", "x-autorespond", "x-loop"}
)
_BULK = frozenset({"bulk", "list", "junk"})
_NO_REPORTS = frozenset({"all", "dr"})
"""Values of X-Auto-Response-Suppress: no delivery reports."""


def concerned(kind: Kind, envelope: Envelope, addresses: Iterable[str], *, warn_unasked: bool = False) -> tuple[Recipient, ...]:
    """Of which of these recipients the sender may be told.

    Nobody is told whose address may be somebody else's (I3), nor anything about a notification (RFC 5321 section 4.5.5).
    """
    if envelope.sender == NULL_SENDER or envelope.proof is Proof.NONE:
        return ()
    unasked = kind is Kind.FAILED or (kind is Kind.DELAYED and warn_unasked)
    among = frozenset(addresses)
    return tuple(
        recipient
        for recipient in envelope.recipients
        if recipient.address in among and (_ASKED[kind] in recipient.notify.split(",") if recipient.notify else unasked)
    )


def automatic(header: bytes) -> bool:
    """Whether a header is that of list, bulk or automatic mail: nobody waits for an answer to it (RFC 3834 section 2)."""
    return any(_of_machines(name.lower(), str(value).strip().lower()) for name, value in _fields(header).items())


def _of_machines(name: str, value: str) -> bool:
    words = re.split(r"[\s,;(]+", value)
    match name:
        case "auto-submitted":
            return words[0] != "no"
        case "precedence":
            return words[0] in _BULK
        case "x-auto-response-suppress":
            return not _NO_REPORTS.isdisjoint(words)
        case "content-type":
            return words[0] == "multipart/report"
        case _:
            return name.startswith("list-") or name in _OF_MACHINES


def wants_whole(kind: Kind, message: Message) -> bool:
    """Whether the original goes along whole: with a failure, if it is small, and the sender did not ask for its header only.

    Nothing asked is as good as FULL, as in Postfix. What had to be encrypted all the way goes back without its text, whatever was
    asked (RFC 8689 section 5).
    """
    envelope = message.envelope
    return kind is Kind.FAILED and envelope.ret != "HDRS" and message.size <= WHOLE_LIMIT and not envelope.requires_tls


def head(content: bytes) -> bytes:
    """The header section in full lines, without the empty one; where no header is, the text begins."""
    match = _HEAD.match(content[:HEAD_LIMIT])
    return match[0] if match else b""


def compose(  # noqa: PLR0913 - all that a notification is made of
    kind: Kind,
    message: Message,
    fared: Sequence[Fared],
    original: bytes,
    *,
    id: MessageId,
    hostname: str,
    now: datetime,
    until: datetime | None,
    words: Words,
) -> bytes:
    """A notification to the message's sender, named `id`; `until` is the end of our patience, for a delay.

    `original` is the whole content where it is wanted, else its header; empty if it cannot be read.
    The notification is ASCII, unless the sender's address is not, or the text of an original that goes along whole.
    """
    utf8 = not message.envelope.sender.isascii()
    original = _mended(original)
    whole = wants_whole(kind, message) and _goes_whole(original, utf8)
    returned = original if whole else head(original)
    status = notice_status.report(kind, message, fared, hostname=hostname, until=until, utf8=utf8)
    enclosed = _enclosed(message, whole, words) if returned else ""
    text = notice_text.tell(kind, message, fared, words, hostname=hostname, until=until, enclosed=enclosed)
    parts = [_text(text), _status(status)]
    if returned:
        parts.append(_returned(returned, whole, utf8))
    # no part can hold a digest of them all
    boundary = f"=_{blake2b(''.join(parts).encode('utf-8', 'surrogateescape'), digest_size=16).hexdigest()}"
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
    fields = [
        ("Date", format_datetime(now)),
        ("From", formataddr((words.name, f"MAILER-DAEMON@{hostname}"))),
        ("To", _to(message.envelope.sender)),
        ("Subject", Header(notice_text.telling(kind, words).subject, header_name="Subject").encode(linesep="\r\n")),
        ("Message-ID", f"<{id}@{hostname}>"),
        *_threaded(original),
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"'),
        ("Content-Transfer-Encoding", "7bit" if body.isascii() else "8bit"),
    ]
    return ("".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n" + body).encode("utf-8", "surrogateescape")


def _text(text: str) -> str:
    part = MIMEPart(policy=SMTP)
    part.set_content(text, cte="7bit" if text.isascii() else "quoted-printable")
    return part.as_string()


def _status(status: str) -> str:
    if status.isascii():
        return f"Content-Type: message/delivery-status\r\n\r\n{status}"
    return f"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{status}"


def _returned(original: bytes, whole: bool, utf8: bool) -> str:
    """The message, or only its header; as plain text whatever octets a header holds."""
    abroad = utf8 and not head(original).isascii()
    if whole:
        media = "message/global" if abroad else "message/rfc822"
    else:
        media = "message/global-headers" if abroad else "text/rfc822-headers"
    if original.isascii() and _fits(original):
        encoding = "7bit"
    elif whole or (abroad and _fits(original)):
        encoding = "8bit"
    else:
        encoding, original = "quoted-printable", binascii.b2a_qp(original)
    text = original.decode("utf-8", "surrogateescape")
    return f"Content-Type: {media}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{text}"


def _goes_whole(original: bytes, utf8: bool) -> bool:
    """A message within a message cannot be encoded (RFC 2046 section 5.2.1): it has to be fit to be sent as it is."""
    return _fits(original) and (utf8 or head(original).isascii())


def _fits(content: bytes) -> bool:
    return all(len(line) <= _LONGEST_LINE for line in content.split(b"\r\n"))


def _enclosed(message: Message, whole: bool, words: Words) -> str:
    if whole:
        return words.with_message
    return words.with_headers_for_tls if message.envelope.requires_tls else words.with_headers


def _mended(content: bytes) -> bytes:
    """Lines that end in CRLF, and nothing that another server would take for an end (I6); the spool's are like that already."""
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\0", b" ").replace(b"\n", b"\r\n")
    return content if not content or content.endswith(b"\n") else content + b"\r\n"


def _to(sender: str) -> str:
    """The sender's address; what is none was never authenticated, and makes no field (I7)."""
    mailbox = path.mailbox(sender.encode("utf-8", "replace"))
    return f"<{sender}>" if str(mailbox) == sender == notice_status.plain(sender) else "undisclosed-recipients:;"


def _threaded(original: bytes) -> list[tuple[str, str]]:
    """So that it stands beside what it is about (RFC 3834 section 3.1.5); if that has a name that is fit to be repeated."""
    ids = [str(value).strip() for value in _fields(original).get_all("Message-ID", [])]
    return [("In-Reply-To", ids[0]), ("References", ids[0])] if len(ids) == 1 and _MESSAGE_ID.fullmatch(ids[0]) else []


def _fields(content: bytes) -> Fields:
    return BytesHeaderParser().parsebytes(head(content))
