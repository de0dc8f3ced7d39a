"""What became of one recipient in one attempt: a closed union.

Knows: the three outcomes and the reply that led to each.
Does not know: who speaks SMTP to get them, and what the spool does with them.
"""

from msgspec import Struct


class Reply(Struct, frozen=True):
    """A server's reply (RFC 5321 section 4.2), or our own trouble in the same form."""

    code: int
    text: str
    """All lines joined by a space, enhanced code first if there is one; untrusted."""

    @property
    def positive(self) -> bool:
        """2xx: judged by the first digit alone (RFC 5321 section 4.2.1)."""
        return self.code // 100 == 2

    @property
    def permanent(self) -> bool:
        """5xx; everything that is neither 2xx nor 5xx is a deferral."""
        return self.code // 100 == 5

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Delivered(Struct, frozen=True):
    """The primary took responsibility (2xx to the content)."""

    reply: Reply
    host: str
    tls: str | None = None
    reports: bool = True
    """Whether it tells the sender of it, where that was asked for: it offers DSN (RFC 3461)."""
    last: bool = False
    """Whether it is the end of the way, as LMTP says."""


class Deferred(Struct, frozen=True):
    """Not now: 4xx, a broken line, a time-out, or anything unexpected."""

    reply: Reply
    host: str
    tls: str | None = None


class Failed(Struct, frozen=True):
    """Never: the primary's own 5xx, a loop, or the end of the holding window."""

    reply: Reply
    host: str
    tls: str | None = None
    by_primary: bool = False
    """Whether the primary said so, and not we."""
    of_recipient: bool = False
    """Whether it was said to RCPT."""


Outcome = Delivered | Deferred | Failed
