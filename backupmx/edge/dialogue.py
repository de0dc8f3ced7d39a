"""The conversation up to DATA: one command line in, one reply out.

Knows: the order of commands, the transaction so far, admission.
Does not know: sockets, content, time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from backupmx.admission.domains import Domains, Refuse
from backupmx.core import path, replies
from backupmx.core.message import NULL_SENDER, Client, Envelope, Recipient
from backupmx.core.replies import Answer
from backupmx.watch import log

LONGEST_LINE = 2048
"""Octets of a command with its line end; RFC 5321 section 4.5.3.1.4 asks for 512 at the least, extensions for more."""
_CONTROL = bytes(range(32)) + b"\x7f"


class Turn(Enum):
    """What the session must do beside replying."""

    DATA = 1
    TLS = 2
    QUIT = 3
    ALONE = 4
    """Nothing may follow before the client has the reply."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every session of this server."""

    hostname: str
    max_size: int
    max_recipients: int
    tls_offered: bool
    admission: Domains
    room: Callable[[], int]
    refused: Callable[[str, Answer, str], None]
    """Told of each refusal: the client's address, the reply, and what it is about."""


class Dialogue:
    """One client's conversation; begins anew after STARTTLS (RFC 3207 section 4.2)."""

    __slots__ = ("_address", "_body", "_helo", "_recipients", "_sender", "_terms", "_tls", "_utf8", "errors")

    def __init__(self, terms: Terms, address: str, tls: str | None = None) -> None:
        self._terms = terms
        self._address = address
        self._tls = tls
        self._helo: tuple[str, bool] | None = None
        self.errors = 0
        self.reset()

    def reset(self) -> None:
        """Forget the transaction."""
        self._sender: str | None = None
        self._recipients: dict[str, Recipient] = {}
        """By local part and configured domain: who is named twice is one recipient."""
        self._body = self._utf8 = False

    def envelope(self) -> Envelope:
        """The finished transaction; reset follows."""
        assert self._sender is not None and self._helo is not None
        helo, esmtp = self._helo
        client = Client(self._address, helo, esmtp, self._tls)
        return Envelope(self._sender, tuple(self._recipients.values()), client, self._body, self._utf8)

    @property
    def idle(self) -> bool:
        """Whether no transaction is open."""
        return self._sender is None

    @property
    def pipelining(self) -> bool:
        """Whether the client was offered PIPELINING (RFC 2920)."""
        return self._helo is not None and self._helo[1]

    def hear(self, line: bytes) -> tuple[bytes, Turn | None]:
        """Answer one line with its end. Nothing is carried out of a line that does not keep to the rules (I6)."""
        if len(line) > LONGEST_LINE:
            return self._no(replies.LINE_TOO_LONG), None
        if not line.endswith(b"\r\n") or line[:-2].translate(None, _CONTROL) != line[:-2]:
            return self._no(replies.BAD_LINE), None
        verb, _, rest = line[:-2].partition(b" ")
        handle = _VERBS.get(verb.upper())
        if handle is None:
            return self._no(replies.UNKNOWN_COMMAND), None
        try:
            return handle(self, rest)
        except Exception as error:  # noqa: BLE001 - a bug or a broken spool is our trouble: come again (I9)
            log.trouble("command", error)
            self.reset()
            return self._no(replies.TROUBLE), None

    def _no(self, answer: Answer, about: bytes = b"") -> bytes:
        if answer.code >= 500:
            self.errors += 1
        self._terms.refused(self._address, answer, about.decode("ascii", "backslashreplace"))
        return answer.line

    def _ehlo(self, rest: bytes) -> tuple[bytes, Turn | None]:
        if not self._hello(rest, True):
            return self._no(replies.BAD_SYNTAX), Turn.ALONE
        offers = ["PIPELINING", f"SIZE {self._terms.max_size}", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8"]
        if self._terms.tls_offered and not self._tls:
            offers.append("STARTTLS")
        return replies.hello(self._terms.hostname, *offers), Turn.ALONE

    def _hello(self, rest: bytes, esmtp: bool) -> bool:
        name = rest.strip(b" ").decode("utf-8", "replace")
        if not name or " " in name:
            return False
        self.reset()
        self._helo = (name, esmtp)
        return True

    def _plain_helo(self, rest: bytes) -> tuple[bytes, Turn | None]:
        if not self._hello(rest, False):
            return self._no(replies.BAD_SYNTAX), Turn.ALONE
        return replies.hello(self._terms.hostname), Turn.ALONE

    def _mail(self, rest: bytes) -> tuple[bytes, Turn | None]:
        if self._helo is None:
            return self._no(replies.HELLO_FIRST), None
        if self._sender is not None:
            return self._no(replies.BAD_SEQUENCE), None
        given = path.argument(rest[5:]) if rest[:5].upper() == b"FROM:" else None
        if given is None:
            return self._no(replies.BAD_SENDER, rest), None
        sender = path.mailbox(given.path)
        if sender is None and given.path:
            return self._no(replies.BAD_SENDER, rest), None
        problem = self._parameters(given.parameters)
        if problem is None and sender is not None and not (sender.ascii or "SMTPUTF8" in given.parameters):
            problem = replies.NEEDS_SMTPUTF8
        if problem is not None:
            return self._no(problem, rest), None
        self._sender = str(sender) if sender else NULL_SENDER
        self._body = given.parameters.get("BODY", "").upper() == "8BITMIME"
        self._utf8 = "SMTPUTF8" in given.parameters
        return replies.SENDER_OK.line, None

    def _parameters(self, parameters: dict[str, str]) -> Answer | None:
        """What is wrong with those of MAIL (RFC 1870, RFC 6152, RFC 6531)."""
        size = parameters.get("SIZE", "0")
        if not (size.isdecimal() and len(size) <= 20):
            return replies.BAD_SYNTAX
        if parameters.get("BODY", "7BIT").upper() not in ("7BIT", "8BITMIME") or parameters.get("SMTPUTF8"):
            return replies.BAD_SYNTAX
        plain = self._helo is not None and not self._helo[1]
        if not parameters.keys() <= (set() if plain else {"SIZE", "BODY", "SMTPUTF8"}):
            return replies.UNKNOWN_PARAMETER
        if int(size) > self._terms.max_size:
            return replies.TOO_BIG
        return replies.NO_SPACE if self._terms.room() <= int(size) else None

    def _rcpt(self, rest: bytes) -> tuple[bytes, Turn | None]:  # noqa: PLR0911 - one line a refusal
        if self._sender is None:
            return self._no(replies.BAD_SEQUENCE if self._helo else replies.HELLO_FIRST), None
        given = path.argument(rest[3:]) if rest[:3].upper() == b"TO:" else None
        mailbox = path.mailbox(given.path) if given else None
        if given is None or (mailbox is None and given.path.lower() != b"postmaster"):
            return self._no(replies.BAD_RECIPIENT, rest), None
        if given.parameters:
            return self._no(replies.UNKNOWN_PARAMETER, rest), None
        admission = self._terms.admission
        verdict = admission.judge(mailbox) if mailbox else admission.postmaster()
        if isinstance(verdict, Refuse):
            return self._no(verdict.answer, rest), None
        if mailbox and not mailbox.local.isascii() and not self._utf8:
            return self._no(replies.NEEDS_SMTPUTF8, rest), None
        recipient = verdict.recipient
        one = f"{mailbox.local if mailbox else 'postmaster'}@{recipient.domain}"
        if one not in self._recipients and len(self._recipients) >= self._terms.max_recipients:
            return self._no(replies.TOO_MANY_RECIPIENTS), None
        self._recipients.setdefault(one, recipient)
        return replies.RECIPIENT_OK.line, None

    def _data(self, rest: bytes) -> tuple[bytes, Turn | None]:
        # also when refused: what a client sent behind it blindly is content, and must not be heard as commands
        if rest.strip(b" "):
            return self._no(replies.BAD_SYNTAX), Turn.ALONE
        if self._sender is None:
            return self._no(replies.BAD_SEQUENCE if self._helo else replies.HELLO_FIRST), Turn.ALONE
        if not self._recipients:
            return self._no(replies.NO_RECIPIENTS), Turn.ALONE
        return b"", Turn.DATA

    def _rset(self, rest: bytes) -> tuple[bytes, Turn | None]:
        if rest.strip(b" "):
            return self._no(replies.BAD_SYNTAX), None
        self.reset()
        return replies.OK.line, None

    def _starttls(self, rest: bytes) -> tuple[bytes, Turn | None]:
        if rest.strip(b" "):
            return self._no(replies.BAD_SYNTAX), None
        if self._tls:
            return self._no(replies.ALREADY_TLS), None
        if not self._terms.tls_offered:
            return self._no(replies.TLS_UNAVAILABLE), None
        return b"", Turn.TLS

    def _quit(self, _rest: bytes) -> tuple[bytes, Turn | None]:
        return replies.BYE.line, Turn.QUIT

    def _noop(self, _rest: bytes) -> tuple[bytes, Turn | None]:
        return replies.OK.line, None

    def _vrfy(self, rest: bytes) -> tuple[bytes, Turn | None]:
        return (replies.CANNOT_VERIFY.line if rest else self._no(replies.BAD_SYNTAX)), None

    def _help(self, _rest: bytes) -> tuple[bytes, Turn | None]:
        return replies.HELP.line, None

    def _not_here(self, _rest: bytes) -> tuple[bytes, Turn | None]:
        return self._no(replies.NOT_DONE_HERE), None


_VERBS: dict[bytes, Callable[[Dialogue, bytes], tuple[bytes, Turn | None]]] = {
    b"EHLO": Dialogue._ehlo,
    b"HELO": Dialogue._plain_helo,
    b"MAIL": Dialogue._mail,
    b"RCPT": Dialogue._rcpt,
    b"DATA": Dialogue._data,
    b"RSET": Dialogue._rset,
    b"NOOP": Dialogue._noop,
    b"QUIT": Dialogue._quit,
    b"STARTTLS": Dialogue._starttls,
    b"VRFY": Dialogue._vrfy,
    b"HELP": Dialogue._help,
    b"EXPN": Dialogue._not_here,
    b"AUTH": Dialogue._not_here,
    b"TURN": Dialogue._not_here,
}
