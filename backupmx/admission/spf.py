"""May this client send for the sender's domain? The owner says so in DNS (SPF, RFC 7208).

Knows: pyspf, and what a stranger's record could do to it.
Does not know: threads, what is remembered, and for what the answer is used.

Blocks while DNS is asked. pyspf's limits are those of RFC 7208 section 4.6.4: ten terms that ask, two questions without answer,
ten MX or PTR names. It works with regular expressions whose time grows with the square of a term's length, and lets no other
thread run meanwhile: what is too long is a permanent error.
"""

import re
from typing import Any, NamedTuple

import spf

from backupmx.admission.records import Inquiry

LONGEST_RECORD = 2048
"""Octets. RFC 7208 section 3.4 advises 450."""
LONGEST_TERM = 255
MOST_RECORDS = 100
"""In one answer."""
LONGEST_SENDER = 320
LONGEST_HELO = 255
"""Both come into a term as often as the term names them."""
_PERSONAL = re.compile(r"%\{[slh]", re.IGNORECASE)
_UNKNOWN = "unknown"
"""What RFC 7208 section 7.3 has for a name that is not known."""


class Question(NamedTuple):
    """Who sends, and for whom."""

    client: str
    local: str
    domain: str
    """A-labels."""
    helo: str

    @classmethod
    def of(cls, client: str, local: str, domain: str, helo: str) -> "Question | None":
        """None for an address that is too long: it cannot be asked for."""
        if len(local) + len(domain) >= LONGEST_SENDER:
            return None
        return cls(client, local, domain, helo if len(helo) <= LONGEST_HELO else _UNKNOWN)


class Finding(NamedTuple):
    """What the record says of it."""

    passes: bool
    personal: bool
    """Whether it is only said of this sender and this HELO, not of every sender of the domain."""
    final: bool
    """False: DNS was in trouble, it may be told later."""


class _Query(spf.query):  # type: ignore[misc]
    """pyspf's, with our resolver in the place of a global one."""

    def __init__(self, question: Question, inquiry: Inquiry) -> None:
        super().__init__(i=question.client, s=f"{question.local}@{question.domain}", h=question.helo)
        # it parts an address at its first @, also within quotes: whose domain that would be, the sender could choose
        self.l, self.o, self.d = question.local, question.domain, question.domain
        self.personal = False
        self._inquiry = inquiry

    def dns(self, name: Any, qtype: str, *, ignore_void: bool = False) -> list[Any]:
        """The records of one kind of a name; aliases have been followed."""
        asked = str(name).lower().rstrip("."), qtype
        if asked not in self.cache:
            self.cache[asked] = self._asked(*asked)
        found: list[Any] = self.cache[asked]
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("too many questions without answer")
        return found

    def _asked(self, name: str, kind: str) -> list[Any]:
        if not name.isascii():
            return []  # a local part that is not ASCII matches nothing (RFC 8616 section 4)
        inquiry = self._inquiry
        found: Any
        if kind == "TXT":
            texts = inquiry.texts(name)
            found = texts and [(text,) for text in texts]
        elif kind == "MX":
            found = inquiry.exchanges(name)
        elif kind == "PTR":
            found = inquiry.names(name)
        else:
            found = inquiry.addresses(name, kind)
        if found is None:
            raise spf.TempError(f"{kind} of {name} cannot be told")
        if len(found) > MOST_RECORDS:
            raise spf.PermError(f"too many {kind} records")
        return list(found)

    def dns_spf(self, domain: str) -> str | None:
        """The record of a domain; refuses one that would take too long to read."""
        record: str | None = super().dns_spf(domain)
        if record and (len(record) > LONGEST_RECORD or max(map(len, record.split(" "))) > LONGEST_TERM):
            raise spf.PermError("record too long")
        return record

    def expand(self, s: str, stripdot: bool = True) -> str:
        """Expand macros, and note whether they name the sender or HELO."""
        if _PERSONAL.search(s):
            self.personal = True
        expanded: str = super().expand(s, stripdot)
        return expanded

    def get_explanation(self, _spec: str) -> None:
        """What the owner would have us tell a client that fails: nobody is told."""


def check(question: Question, inquiry: Inquiry) -> Finding:
    """Ask for the sender's domain; a HELO that passes is no proof of it. Raises anything that pyspf does on rubbish."""
    query = _Query(question, inquiry)
    result, _, _ = query.check()
    return Finding(result == "pass", query.personal, result != "temperror")
