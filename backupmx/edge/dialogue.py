"""The conversation up to the content: one command line in, one reply out.

Knows: the verbs, and what may be said when.
Does not know: what MAIL, RCPT and BDAT lead to (`transaction`), sockets, content, time.
"""

from collections.abc import Callable, Iterator

from backupmx.core import notation, replies, xclient
from backupmx.core.message import Client, Envelope
from backupmx.core.replies import Answer
from backupmx.edge.terms import Chunk, Terms, Turn
from backupmx.edge.transaction import Asking, Transaction
from backupmx.ports import Handover
from backupmx.watch import log

LONGEST_LINE = 2048
"""Octets of a command with its line end; RFC 5321 section 4.5.3.1.4 asks for 512 at the least, extensions for more."""
_CONTROL = bytes(range(32)) + b"\x7f"
_HTTP = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"PATCH", b"TRACE"})
_REFUSALS = 1000
"""After so many, those that mean "not now" count as errors, too."""
_NO_CHUNK = Chunk(0, last=False, refusal=None)


class Dialogue:
    """One client's conversation; begins anew after STARTTLS (RFC 3207 section 4.2) and XCLIENT."""

    __slots__ = (
        "_address",
        "_awaited",
        "_client",
        "_helo",
        "_refusals",
        "_terms",
        "_tls",
        "_transaction",
        "_trusted",
        "chunk",
        "errors",
        "new_client",
    )

    def __init__(self, terms: Terms, address: str, *, tls: str | None = None, trusted: bool = False) -> None:
        self._terms = terms
        self._address = address
        self._tls = tls
        self._trusted = trusted
        """Whether XCLIENT is believed."""
        self._helo: tuple[str, bool] | None = None
        self._client: Client | None = None
        self._transaction = Transaction(terms)
        self._refusals = 0
        self._awaited: tuple[Asking, bytes] | None = None
        self.errors = 0
        self.chunk = _NO_CHUNK
        """What BDAT announced, after `Turn.CHUNK`."""
        self.new_client: xclient.Client | None = None
        """Who XCLIENT said the client is, after `Turn.CLIENT`."""

    def reset(self) -> None:
        """Forget the transaction."""
        if self._awaited is not None:
            self._awaited[0].close()
            self._awaited = None
        self._transaction.reset()

    def introduce(self, helo: tuple[str, bool] | None) -> None:
        """XCLIENT told what the client had called itself."""
        self._helo, self._client = helo, None

    def envelope(self) -> Envelope:
        """The finished transaction; reset follows."""
        return self._transaction.envelope(self._who())

    def handover(self) -> Handover | None:
        """The primary that takes the content at once, if one does."""
        return self._transaction.handover()

    def _who(self) -> Client:
        """Made once: every recipient and every message is of the same client."""
        assert self._helo is not None
        if self._client is None:
            self._client = Client(self._address, *self._helo, self._tls)
        return self._client

    @property
    def pipelining(self) -> bool:
        """Whether the client was offered PIPELINING (RFC 2920)."""
        return self._helo is not None and self._helo[1]

    @property
    def exhausted(self) -> bool:
        """Whether there were as many errors as we bear."""
        return self.errors >= self._terms.max_errors

    @property
    def chunked(self) -> int | None:
        """The number of the open transaction when its content comes by chunks, else None."""
        return self._transaction.begun if self._transaction.in_chunks else None

    def hear(self, line: bytes) -> tuple[bytes, Turn | None]:
        """Answer one line with its end. Nothing is carried out of a line that does not keep to the rules (I6)."""
        if len(line) > LONGEST_LINE:
            return self._no(replies.LINE_TOO_LONG), None
        if not line.endswith(b"\r\n") or line[:-2].translate(None, _CONTROL) != line[:-2]:
            return self._no(replies.BAD_LINE), None
        verb, _, rest = line[:-2].partition(b" ")
        handle = _VERBS.get(verb.upper())
        if handle is None:
            return (self._no(replies.NOT_SMTP), Turn.OVER) if verb in _HTTP else (self._no(replies.UNKNOWN_COMMAND), None)
        try:
            return handle(self, rest)
        except Exception as error:  # noqa: BLE001 - a bug or a broken spool is our trouble: come again (I9)
            log.trouble("command", error)
            self.reset()
            return self._no(replies.TROUBLE), None

    def _no(self, answer: Answer, about: bytes = b"") -> bytes:
        self._refusals += 1
        if answer.code >= 500 or self._refusals > _REFUSALS:
            self.errors += 1
        self._terms.refused(self._address, answer, about.decode("ascii", "backslashreplace"))
        return answer.line

    def _say(self, answer: Answer, about: bytes) -> bytes:
        return answer.line if answer.code < 400 else self._no(answer, about)

    def _ehlo(self, rest: bytes) -> tuple[bytes, Turn | None]:
        if not self._hello(rest, True):
            return self._no(replies.BAD_SYNTAX), Turn.ALONE
        return replies.hello(self._terms.hostname, *self._offers()), Turn.ALONE

    def _offers(self) -> Iterator[str]:
        terms = self._terms
        yield from (
            "PIPELINING",
            f"SIZE {terms.max_size}",
            "8BITMIME",
            "ENHANCEDSTATUSCODES",
            "SMTPUTF8",
            "CHUNKING",
            "DSN",
            "ETRN",
        )
        yield f"LIMITS MAILMAX={terms.max_messages} RCPTMAX={terms.max_recipients}"
        if self._trusted:
            yield xclient.OFFER
        if self._tls:
            yield "REQUIRETLS"
        elif terms.tls_offered:
            yield "STARTTLS"

    def _hello(self, rest: bytes, esmtp: bool) -> bool:
        name = rest.strip(b" ").decode("utf-8", "replace")
        if not name or " " in name:
            return False
        self.reset()
        self._helo, self._client = (name, esmtp), None
        return True

    def _plain_helo(self, rest: bytes) -> tuple[bytes, Turn | None]:
        if not self._hello(rest, False):
            return self._no(replies.BAD_SYNTAX), Turn.ALONE
        return replies.hello(self._terms.hostname), Turn.ALONE

    def _mail(self, rest: bytes) -> tuple[bytes, Turn | None]:
        if self._helo is None:
            return self._no(replies.HELLO_FIRST), None
        answer = self._transaction.mail(rest, esmtp=self._helo[1], tls=self._tls is not None)
        return self._say(answer, rest), Turn.OVER if answer is replies.TOO_MANY_MESSAGES else None

    def _rcpt(self, rest: bytes) -> tuple[bytes, Turn | None]:
        if self._helo is None:
            return self._no(replies.HELLO_FIRST), None
        answer = self._transaction.rcpt(rest, esmtp=self._helo[1], client=self._who())
        if isinstance(answer, Answer):
            return self._say(answer, rest), None
        self._awaited = (answer, rest)
        return b"", Turn.ASK

    async def answer(self) -> bytes:
        """The reply that takes a while, after `Turn.ASK`."""
        assert self._awaited is not None
        (answer, about), self._awaited = self._awaited, None
        try:
            return self._say(await answer, about)
        except Exception as error:  # noqa: BLE001 - as in `hear`
            log.trouble("recipient", error)
            return self._no(replies.TROUBLE)

    def _data(self, rest: bytes) -> tuple[bytes, Turn | None]:
        # also when refused: what a client sent behind it blindly is content, and must not be heard as commands
        if rest.strip(b" "):
            return self._no(replies.BAD_SYNTAX), Turn.ALONE
        problem = self._transaction.data() if self._helo else replies.HELLO_FIRST
        return (self._no(problem), Turn.ALONE) if problem else (b"", Turn.DATA)

    def _bdat(self, rest: bytes) -> tuple[bytes, Turn | None]:
        chunk = self._transaction.bdat(rest)
        if chunk is None:
            return self._no(replies.BAD_CHUNK, rest), Turn.OVER  # where its content ends cannot be known
        self.chunk = chunk
        return b"", Turn.CHUNK

    def refuse_chunk(self, answer: Answer) -> bytes:
        """The reply to a chunk that is not the last, and was swallowed."""
        self._transaction.spoil()
        return self._no(answer)

    def finished(self, answer: Answer, id: str) -> bytes:
        """The reply to a message; the transaction is over."""
        self._transaction.reset()
        return self._say(answer, id.encode())

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
        self._transaction.reset()
        return b"", Turn.TLS

    def _etrn(self, rest: bytes) -> tuple[bytes, Turn | None]:
        """A primary that is back asks for its queue (RFC 1985)."""
        node = rest.strip(b" ").decode("utf-8", "replace")
        if self._helo is None or self._transaction.open:
            return self._no(replies.BAD_SEQUENCE if self._helo else replies.HELLO_FIRST), Turn.ALONE
        if not node or " " in node:
            return self._no(replies.BAD_SYNTAX), Turn.ALONE
        try:
            domain = self._terms.admission.configured(notation.domain(node.removeprefix("@")))
        except ValueError:
            domain = None
        if domain is None:
            return self._no(replies.ETRN_NOT_OURS, rest), Turn.ALONE
        return (replies.ETRN_OK.line if self._terms.ask(domain) else self._no(replies.ETRN_TOO_SOON, rest)), Turn.ALONE

    def _xclient(self, rest: bytes) -> tuple[bytes, Turn | None]:
        if not self._trusted:
            return self._no(replies.NOT_TRUSTED), Turn.ALONE
        if self._transaction.open:
            return self._no(replies.BAD_SEQUENCE), Turn.ALONE
        self.new_client = xclient.parse(rest, xclient.Client(self._address))
        if self.new_client is None:
            return self._no(replies.BAD_XCLIENT, rest), Turn.ALONE
        return b"", Turn.CLIENT

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
    b"BDAT": Dialogue._bdat,
    b"RSET": Dialogue._rset,
    b"NOOP": Dialogue._noop,
    b"QUIT": Dialogue._quit,
    b"STARTTLS": Dialogue._starttls,
    b"VRFY": Dialogue._vrfy,
    b"HELP": Dialogue._help,
    b"ETRN": Dialogue._etrn,
    b"XCLIENT": Dialogue._xclient,
    b"EXPN": Dialogue._not_here,
    b"AUTH": Dialogue._not_here,
    b"TURN": Dialogue._not_here,
}
