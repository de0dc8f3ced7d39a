"""The one table of every reply that the edge can give (RFC 5321 section 4.2, RFC 3463).

Knows: names, codes, enhanced codes, words.
Does not know: when each is given.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from backupmx.core.ids import MessageId
from backupmx.core.outcome import Reply


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply, ready for the wire; `name` is the reason in log and metrics."""

    name: str
    code: int
    enhanced: str
    text: str
    line: bytes = field(init=False, repr=False, compare=False)
    """With its line end."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "line", f"{self}\r\n".encode("ascii"))

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}" if self.enhanced else f"{self.code} {self.text}"


# Good
OK = Answer("ok", 250, "2.0.0", "Ok")
SENDER_OK = Answer("sender_ok", 250, "2.1.0", "Ok")
RECIPIENT_OK = Answer("recipient_ok", 250, "2.1.5", "Ok")
CHUNK_OK = Answer("chunk_ok", 250, "2.0.0", "Chunk taken")
ETRN_OK = Answer("etrn_ok", 250, "2.0.0", "Queuing started")
GO_AHEAD = Answer("go_ahead", 354, "", "End data with <CR><LF>.<CR><LF>")
BYE = Answer("bye", 221, "2.0.0", "Bye")
CANNOT_VERIFY = Answer("cannot_verify", 252, "2.1.5", "Send some mail, and see")
HELP = Answer("help", 214, "2.0.0", "RFC 5321 tells it all")
START_TLS = Answer("start_tls", 220, "2.0.0", "Ready to start TLS")

# Not now: our trouble, or too much at once
SHUTTING_DOWN = Answer("shutting_down", 421, "4.3.2", "Going down for a moment, try again")
TOO_MANY_CONNECTIONS = Answer("too_many_connections", 421, "4.3.2", "Too many connections, try again later")
TOO_MANY_FROM_YOU = Answer("too_many_from_client", 421, "4.7.0", "Too many connections from your address")
UNDER_PRESSURE = Answer("under_pressure", 421, "4.3.2", "Very busy, only known senders are let in: try again later")
TOO_MANY_MESSAGES = Answer("too_many_messages", 421, "4.7.0", "Enough messages for one connection, open another")
TOO_MANY_ERRORS = Answer("too_many_errors", 421, "4.7.0", "Too many errors")
TIMEOUT = Answer("timeout", 421, "4.4.2", "Time-out")
TOO_SLOW = Answer("too_slow", 421, "4.4.2", "Too slow")
TROUBLE = Answer("trouble", 451, "4.3.0", "Trouble on our side, try again later")
UNVERIFIED_RECIPIENT = Answer("unverified_recipient", 450, "4.1.1", "Cannot verify this recipient now, try again later")
USE_PRIMARY = Answer("use_primary", 450, "4.3.2", "The primary server is up: use it")
HARVESTING = Answer("harvesting", 450, "4.7.1", "Too many unknown recipients, try again later")
NO_SPACE = Answer("no_space", 452, "4.3.1", "No space to hold mail, try again later")
TOO_MANY_RECIPIENTS = Answer("too_many_recipients", 452, "4.5.3", "Too many recipients, send the rest separately")
TLS_UNAVAILABLE = Answer("tls_unavailable", 454, "4.7.0", "TLS is not available")
ETRN_TOO_SOON = Answer("etrn_too_soon", 458, "4.7.0", "Asked a moment ago, try again later")
ETRN_NOT_OURS = Answer("etrn_not_ours", 459, "4.7.1", "Not a domain of ours")

# Never: rules of SMTP, and mail that is not ours
LINE_TOO_LONG = Answer("line_too_long", 500, "5.5.2", "Line too long")
BAD_LINE = Answer("bad_line", 500, "5.5.2", "Lines end in <CR><LF> and hold no control characters")
UNKNOWN_COMMAND = Answer("unknown_command", 500, "5.5.2", "Unknown command")
BAD_SYNTAX = Answer("bad_syntax", 501, "5.5.4", "Syntax error in parameters")
BAD_CHUNK = Answer("bad_chunk", 501, "5.5.4", "Not a chunk: BDAT SIZE [LAST]")
BAD_DSN = Answer("bad_dsn", 501, "5.5.4", "RET, ENVID, NOTIFY or ORCPT is not as RFC 3461 has it")
BAD_XCLIENT = Answer("bad_xclient", 501, "5.5.4", "Not an attribute of XCLIENT, or a bad value")
BAD_SENDER = Answer("bad_sender", 501, "5.1.7", "Not an address: MAIL FROM:<address>")
BAD_RECIPIENT = Answer("bad_recipient", 501, "5.1.3", "Not an address: RCPT TO:<address>")
NOT_DONE_HERE = Answer("not_done_here", 502, "5.5.1", "Not done here")
BAD_SEQUENCE = Answer("bad_sequence", 503, "5.5.1", "Bad sequence of commands")
HELLO_FIRST = Answer("hello_first", 503, "5.5.1", "Say EHLO first")
NO_RECIPIENTS = Answer("no_recipients", 503, "5.5.1", "No recipients")
CHUNKS_BEGUN = Answer("chunks_begun", 503, "5.5.1", "BDAT has begun: end it with BDAT SIZE LAST or RSET")
ALREADY_TLS = Answer("already_tls", 503, "5.5.1", "TLS is in use already")
UNKNOWN_PARAMETER = Answer("unknown_parameter", 555, "5.5.4", "Unknown parameter")
NEEDS_SMTPUTF8 = Answer("needs_smtputf8", 553, "5.6.7", "Such an address needs SMTPUTF8")
NOT_TRUSTED = Answer("not_trusted", 550, "5.7.0", "Not trusted to say who the client is")
TALKED_EARLY = Answer("talked_early", 554, "5.5.0", "Wait for our greeting")
TALKED_BEFORE_TLS = Answer("talked_before_tls", 554, "5.5.0", "Wait for our reply to STARTTLS")
NOT_SMTP = Answer("not_smtp", 554, "5.5.0", "This is SMTP")
BAD_PROXY = Answer("bad_proxy", 554, "5.5.0", "Not a PROXY header")
OUT_OF_TURN = Answer("out_of_turn", 554, "5.5.0", "Wait for our replies: pipelining begins after EHLO, and ends with DATA")
UNKNOWN_RECIPIENT = Answer("unknown_recipient", 550, "5.1.1", "No such recipient")
RELAYING_DENIED = Answer("relaying_denied", 550, "5.7.1", "Relaying denied: not a domain of ours")
AMBIGUOUS_END = Answer("ambiguous_end", 550, "5.5.2", "Only <CR><LF>.<CR><LF> ends data")
TOO_BIG = Answer("too_big", 552, "5.3.4", "Message too big")

TABLE = tuple(value for value in dict(globals()).values() if isinstance(value, Answer))


_CONTROL = re.compile(r"[^ -~]")
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3}) +")
LONGEST_WORDS = 400
"""Characters of a primary's reply that are passed on; a line has 512 octets (RFC 5321 section 4.5.3.1.5)."""
_CLASSES = {2: "relayed", 4: "primary_defers", 5: "primary_refuses"}


def of_primary(reply: Reply) -> Answer:
    """A primary's own words, passed on to the sender (I7: in printable ASCII)."""
    text = _CONTROL.sub("?", reply.text)
    enhanced = _ENHANCED.match(text)
    fits = enhanced is not None and enhanced[1].startswith(f"{reply.code // 100}.")
    words = text[enhanced.end() :] if enhanced else text
    return Answer(
        _CLASSES[reply.code // 100],
        reply.code,
        enhanced[1] if enhanced and fits else f"{reply.code // 100}.0.0",
        words[:LONGEST_WORDS].strip() or "said the primary",
    )


def greeting(hostname: str) -> bytes:
    """What a client hears first (RFC 5321 section 4.3.1)."""
    return f"220 {hostname} ESMTP Backup MX\r\n".encode("ascii")


@lru_cache(maxsize=16)
def hello(hostname: str, *offers: str) -> bytes:
    """To HELO, and with what we offer to EHLO (RFC 5321 section 4.1.1.1)."""
    *others, last = hostname, *offers
    return "".join([*(f"250-{text}\r\n" for text in others), f"250 {last}\r\n"]).encode("ascii")


def queued(id: MessageId) -> Answer:
    """Responsibility is ours (RFC 5321 section 4.2.5): said only after the commit (I1)."""
    return Answer("accepted", 250, "2.0.0", f"Ok: queued as {id}")
