"""Short client scripts for the differential with Postfix: what is accepted, and what is refused.

A step is a line, or octets as they are with the number of replies that a client waits for after them.
"""

from pathlib import Path

from tests.peer.test_corpus import stuffed, with_crlf

Step = str | tuple[bytes, int]

EHLO, MAIL, RCPT = "EHLO client.test", "MAIL FROM:<a@sender.test>", "RCPT TO:<user@example.com>"
HIDDEN = b"MAIL FROM:<b@sender.test>\r\nRCPT TO:<user@example.com>\r\nDATA\r\nhidden\r\n.\r\n"
HEAD = b"Subject: x\r\n\r\n"


def from_(sender: str) -> list[Step]:
    return [EHLO, f"MAIL FROM:{sender}"]


def to(recipient: str, parameters: str = "") -> list[Step]:
    return [EHLO, MAIL + parameters, f"RCPT TO:{recipient}"]


def mail(octets: bytes, parameters: str = "") -> list[Step]:
    return [EHLO, MAIL + parameters, RCPT, "DATA", (octets, 1)]


def content(octets: bytes) -> list[Step]:
    return mail(octets + b".\r\n")


def chunks(*octets: bytes) -> list[Step]:
    return [EHLO, MAIL, RCPT, *((chunk, 1) for chunk in octets)]


SESSIONS: dict[str, list[Step]] = {
    # Hello
    "helo": ["HELO old.test", MAIL, RCPT, "DATA", (HEAD + b"body\r\n.\r\n", 1), "QUIT"],
    "ehlo lower case": [
        "ehlo client.test",
        "mail from:<a@sender.test>",
        "rcpt to:<user@example.com>",
        "data",
        (HEAD + b".\r\n", 1),
    ],
    "ehlo literal": ["EHLO [192.0.2.1]", MAIL, RCPT],
    "ehlo without a name": ["EHLO", MAIL],
    "ehlo with two names": ["EHLO a b", MAIL],
    "ehlo with underscore": ["EHLO my_host", MAIL],
    "ehlo in the middle": [EHLO, MAIL, EHLO, RCPT],
    "no hello": [MAIL, RCPT],
    # Order
    "rcpt first": [EHLO, RCPT],
    "data first": [EHLO, "DATA"],
    "data without rcpt": [EHLO, MAIL, "DATA"],
    "mail twice": [EHLO, MAIL, MAIL],
    "rset": [EHLO, MAIL, RCPT, "RSET", "DATA"],
    "two messages": [*content(HEAD + b"one\r\n"), MAIL, RCPT, "DATA", (HEAD + b"two\r\n.\r\n", 1), "QUIT"],
    "rcpt twice": [*to("<user@example.com>"), RCPT, "DATA", (HEAD + b"once\r\n.\r\n", 1)],
    "one of two is refused": [*to("<user@elsewhere.test>"), RCPT, "DATA", (HEAD + b".\r\n", 1)],
    "all are refused": [*to("<user@elsewhere.test>"), "DATA"],
    # Commands
    "noop": [EHLO, "NOOP", "NOOP with words", "noop"],
    "quit": ["QUIT"],
    "quit with words": [EHLO, "QUIT now"],
    "rset with words": [EHLO, "RSET now"],
    "data with words": [*to("<user@example.com>"), "DATA now"],
    "help": [EHLO, "HELP"],
    "vrfy": [EHLO, "VRFY user@example.com"],
    "vrfy of nobody": [EHLO, "VRFY"],
    "expn": [EHLO, "EXPN list"],
    "unknown": [EHLO, "XYZZY", "NOOP"],
    "empty line": [EHLO, ""],
    "auth": [EHLO, "AUTH PLAIN AGEAYg=="],
    "starttls": [EHLO, "STARTTLS"],
    "xclient": [EHLO, "XCLIENT NAME=x"],
    "etrn": [EHLO, "ETRN example.com"],
    "etrn of another": [EHLO, "ETRN elsewhere.test"],
    "etrn of nobody": [EHLO, "ETRN"],
    "spaces before the end": [EHLO + "  ", MAIL + " ", RCPT + " "],
    "tab for space": [EHLO, "MAIL\tFROM:<a@sender.test>"],
    "http": [(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", 1)],
    "tls hello": [(b"\x16\x03\x01\x00\x05hello\r\n", 1)],
    "600 octets": [EHLO, "NOOP " + "x" * 600],
    "3000 octets": [EHLO, "NOOP " + "x" * 3000],
    "25 errors": [EHLO, *["XYZZY"] * 25],
    "bare line feed": [EHLO, (b"NOOP\n", 1)],
    "command behind a bare line feed": [EHLO, (b"NOOP\nMAIL FROM:<a@sender.test>\r\n", 1)],
    "bare return in ehlo": [(b"EHLO a\rX-Spam: No\r\n", 1)],
    "nul in mail": [EHLO, (b"MAIL FROM:<a\0@sender.test>\r\n", 1)],
    # Senders
    "null sender": [*from_("<>"), RCPT, "DATA", (HEAD + b".\r\n", 1)],
    "sender after a space": from_(" <a@sender.test>"),
    "sender without brackets": from_("a@sender.test"),
    "sender half in brackets": from_("<a@sender.test"),
    "sender without domain": from_("<a>"),
    "sender at a literal": from_("<a@[192.0.2.1]>"),
    "sender quoted": from_('<"a b"@sender.test>'),
    "sender with a route": from_("<@relay.test:a@sender.test>"),
    "sender with two dots": from_("<a..b@sender.test>"),
    "sender with a comment": from_("<a(b)@sender.test>"),
    "sender with words behind": from_("<a@sender.test> hello"),
    "mail to": [EHLO, "MAIL TO:<a@sender.test>"],
    "sender in UTF-8, unasked": from_("<\u00e5@sender.test>"),
    "sender in UTF-8": from_("<\u00e5@sender.test> SMTPUTF8"),
    # Recipients
    "recipient elsewhere": to("<user@elsewhere.test>"),
    "recipient in a subdomain": to("<user@sub.example.com>"),
    "recipient in upper case": to("<USER@EXAMPLE.COM>"),
    "recipient with a last dot": to("<user@example.com.>"),
    "recipient quoted": to('<"a quoted user"@example.com>'),
    "recipient with a percent sign": to("<user%elsewhere.test@example.com>"),
    "recipient with a bang": to("<elsewhere.test!user@example.com>"),
    "recipient quoted with an at": to('<"user@elsewhere.test"@example.com>'),
    "recipient with two ats": to("<user@elsewhere.test@example.com>"),
    "recipient with a route": to("<@example.com:user@elsewhere.test>"),
    "recipient with a route to us": to("<@elsewhere.test:user@example.com>"),
    "recipient at a literal": to("<user@[127.0.0.1]>"),
    "recipient without domain": to("<user>"),
    "recipient null": to("<>"),
    "recipient without brackets": to("user@example.com"),
    "recipient with an encoded word": to("<=?utf-8?q?user=40elsewhere.test?=@example.com>"),
    "recipient with 70 octets": to(f"<{'u' * 70}@example.com>"),
    "recipient with 300 octets": to(f"<{'u' * 300}@example.com>"),
    "postmaster": to("<postmaster>"),
    "postmaster of ours": to("<Postmaster@example.com>"),
    # Parameters
    "size": mail(HEAD + b".\r\n", " SIZE=1000"),
    "size too big": from_("<a@sender.test> SIZE=99999999"),
    "size no number": from_("<a@sender.test> SIZE=x"),
    "size twice": from_("<a@sender.test> SIZE=1 SIZE=2"),
    "body 8bit": mail(HEAD + "Gr\u00fc\u00dfe\r\n.\r\n".encode(), " BODY=8BITMIME"),
    "body binary": from_("<a@sender.test> BODY=BINARYMIME"),
    "body unknown": from_("<a@sender.test> BODY=9BIT"),
    "parameter unknown": from_("<a@sender.test> XYZZY=1"),
    "dsn": [*from_("<a@sender.test> RET=HDRS ENVID=q+2B1"), RCPT + " NOTIFY=FAILURE,DELAY ORCPT=rfc822;u@example.com"],
    "ret unknown": from_("<a@sender.test> RET=SOME"),
    "notify never": to("<user@example.com> NOTIFY=NEVER"),
    "notify never and more": to("<user@example.com> NOTIFY=NEVER,DELAY"),
    "orcpt without a type": to("<user@example.com> ORCPT=u@example.com"),
    "parameter of rcpt unknown": to("<user@example.com> XYZZY=1"),
    "parameter after helo": ["HELO old.test", MAIL + " SIZE=1000"],
    # Content
    "empty": mail(b".\r\n"),
    "dots": content(HEAD + b"..\r\n...\r\n..a\r\na.b.\r\n"),
    "8bit unasked": content(HEAD + b"\xe4\xff\r\n"),
    "utf-8 in a header": content("Subject: \u00e4\r\n\r\nx\r\n".encode()),
    "line of 5000": content(HEAD + b"x" * 5000 + b"\r\n"),
    "no header": content(b"just text\r\n"),
    "header alone": content(b"Subject: x\r\n"),
    "mbox line": content(b"From a@sender.test Sun May  3 14:35:00 2026\r\n" + HEAD),
    "begins with a space": content(b" x\r\n" + HEAD),
    "begins with an empty line": content(b"\r\nx\r\n"),
    "header folded by a tab": content(b"Subject: a\r\n\tb\r\n c\r\n\r\nx\r\n"),
    "header with space before the colon": content(b"Subject : a\r\n\r\nx\r\n"),
    "bcc": content(b"Bcc: hidden@example.com\r\n" + HEAD),
    "content-length": content(b"Content-Length: 5\r\n" + HEAD),
    "return-path": content(b"Return-Path: <x@sender.test>\r\n" + HEAD),
    "no date": content(b"From: a@sender.test\r\n\r\nx\r\n"),
    "trailing spaces": content(HEAD + b"x  \r\n\t\r\n"),
    "too big": content(HEAD + b"x" * 70 * 1024 + b"\r\n"),
    "60 received fields": content(b"Received: from a by b; Sun, 3 May 2026 14:35:00 +0000\r\n" * 60 + HEAD),
    "bare line feed in content": content(HEAD + b"a\nb\r\n"),
    "dot behind a bare line feed": content(HEAD + b"a\n.b\n..c\r\n"),
    "bare return in content": content(HEAD + b"a\rb\r\n"),
    "bare return before the end": content(HEAD + b"a\r\r\n"),
    "nul in content": content(HEAD + b"a\0b\r\n"),
    # The end of data, and what hides behind it
    **{
        f"end {name}": [EHLO, MAIL, RCPT, "DATA", (HEAD + b"body" + end + HIDDEN, 1)]
        for name, end in {
            "CRLF . CRLF": b"\r\n.\r\n",
            "LF . LF": b"\n.\n",
            "LF . CRLF": b"\n.\r\n",
            "CRLF . LF": b"\r\n.\n",
            "CR . CR": b"\r.\r",
            "CR . LF": b"\r.\n",
            "CR . CRLF": b"\r.\r\n",
            "LF . CR": b"\n.\r",
            "CRLF . CR": b"\r\n.\rx",
            "CRLF NUL . CRLF": b"\r\n\0.\r\n",
            "CRLF . NUL CRLF": b"\r\n.\0\r\n",
        }.items()
    },
    # Chunks
    "chunks": chunks(b"BDAT 14\r\n" + HEAD, b"BDAT 3\r\n.\r\n", b"BDAT 6 LAST\r\nbody\r\n"),
    "chunks cut in a line end": chunks(b"BDAT 15\r\n" + HEAD + b"\r", b"BDAT 5 LAST\r\n\nx..\n"),
    "chunk without a last line end": chunks(b"BDAT 18 LAST\r\n" + HEAD + b"body"),
    "chunks ended by none": chunks(b"BDAT 14\r\n" + HEAD, b"BDAT 0 LAST\r\n"),
    "chunk with a nul": chunks(b"BDAT 19 LAST\r\n" + HEAD + b"a\0b\r\n"),
    "chunk of nobody": [EHLO, (b"BDAT 6 LAST\r\nQUIT\r\n", 1), "NOOP"],
    "chunk without a number": chunks(b"BDAT LAST\r\n"),
    "chunk, then data": [*chunks(b"BDAT 14\r\n" + HEAD), "DATA"],
    "chunk, then rset": [*chunks(b"BDAT 14\r\n" + HEAD), "RSET", "NOOP"],
    # Pipelining
    "batch": [EHLO, (f"{MAIL}\r\nRCPT TO:<u@elsewhere.test>\r\n{RCPT}\r\nDATA\r\n".encode(), 4), (HEAD + b".\r\n", 1)],
    "batch after helo": ["HELO old.test", (f"{MAIL}\r\n{RCPT}\r\n".encode(), 2)],
    "batch with ehlo": [(f"{EHLO}\r\n{MAIL}\r\n".encode(), 2)],
    "batch with content": [EHLO, (f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode() + HEAD + b".\r\nQUIT\r\n", 5)],
    "batch behind a refused data": [EHLO, (f"{MAIL}\r\nDATA\r\n".encode() + HIDDEN, 2)],
}


def of_corpus(place: Path) -> dict[str, list[Step]]:
    """Real messages, each a script of its own."""
    return {path.name: content(stuffed(with_crlf(path.read_bytes()))) for path in sorted(place.glob("*.eml"))}
