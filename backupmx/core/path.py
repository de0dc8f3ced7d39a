"""Mailbox and path, strictly (RFC 5321 section 4.1.2, RFC 6531 section 3.3).

Knows: the grammar, on the bytes of a command's argument.
Does not know: which addresses exist, or are ours. Nothing is decoded, unfolded or mended: what does not match is no address.
"""

import re

from msgspec import Struct

LONGEST_PATH = 512
"""Octets; RFC 5321 section 4.5.3.1.3 asks for 256 at the least."""

_ATEXT = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]"
_DOT_STRING = rb"%b+(?:\.%b+)*" % (_ATEXT, _ATEXT)
_QUOTED = rb'"(?:[ !#-\[\]-~\x80-\xff]|\\[ -~])*"'
_LABEL = rb"[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_\x80-\xff-]{0,62}[A-Za-z0-9_\x80-\xff])?"
_DOMAIN = rb"%b(?:\.%b)*" % (_LABEL, _LABEL)
_LITERAL = rb"\[[A-Za-z0-9:.-]{3,60}\]"
_MAILBOX = re.compile(rb"(%b|%b)@(%b\.?|%b)" % (_DOT_STRING, _QUOTED, _DOMAIN, _LITERAL))
_ARGUMENT = re.compile(rb"<((?:[^<>\"]|\"(?:[^\"\\]|\\.)*\")*)>(?: +(.*))?", re.DOTALL)


class Mailbox(Struct, frozen=True):
    """An address in its parts, as they came."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def ascii(self) -> bool:
        """Whether it can be sent without SMTPUTF8."""
        return self.local.isascii() and self.domain.isascii()


class Argument(Struct, frozen=True):
    """What MAIL FROM: or RCPT TO: was given: the text between the brackets, and the parameters by upper-case keyword."""

    path: bytes
    parameters: dict[str, str]


def argument(text: bytes) -> Argument | None:
    """Take `<path> KEY=value …` apart; None when it has not this form."""
    match = _ARGUMENT.fullmatch(text.strip(b" "))
    if match is None:
        return None
    parameters: dict[str, str] = {}
    if match[2]:
        try:
            words = match[2].decode("ascii").split()
        except UnicodeDecodeError:
            return None
        for word in words:
            key, _, value = word.partition("=")
            if not key or key.upper() in parameters:
                return None
            parameters[key.upper()] = value
    return Argument(match[1], parameters)


def mailbox(path: bytes) -> Mailbox | None:
    """An address; None for anything else, source routes too: they are not used in good faith any more."""
    if len(path) > LONGEST_PATH:
        return None
    match = _MAILBOX.fullmatch(path)
    if match is None:
        return None
    try:
        return Mailbox(match[1].decode(), match[2].decode())
    except UnicodeDecodeError:
        return None
