"""Did the sender's domain sign this message (DKIM, RFC 6376)?

Knows: dkimpy, and what a stranger's header, body or key could do to it.
Does not know: threads, what is remembered, and for what the answer is used.

Blocks while DNS is asked. dkimpy works with loops, regular expressions and arithmetic whose time grows with the square or the
cube of what a stranger chose, and lets no other thread run meanwhile: what is too large is not looked at, and proves nothing.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

import dkim
from dkim.canonicalization import compress_whitespace
from dkim.util import InvalidTagValueList, parse_tag_value

from backupmx.admission.records import Inquiry

LARGEST_HEAD = 64 * 1024
MOST_LINES = 1000
"""In the head."""
MOST_SIGNATURES = 5
"""Looked at, from the top."""
LARGEST_SIGNATURE = 8 * 1024
LONGEST_BLANK = 100
"""Blanks and line ends one after the other in a signature: no program folds like that."""
MOST_NAMES = 100
"""Fields that a signature says to cover."""
LARGEST_RECORD = 2048
"""Octets of a key's record."""
SHORTEST_KEY = 1024
"""Bits (RFC 8301 section 3.2); how long one can be, the record's length says."""
LONGEST_EXPONENT = 64
"""Bits. Everybody takes 65537, which has 17."""

_RUBBISH = (dkim.DKIMException, InvalidTagValueList, ValueError, IndexError)
"""What dkimpy raises on it, on purpose or not."""
_SELECTOR = re.compile(rb"[A-Za-z0-9._-]{1,200}")
_BLANKS = bytes.maketrans(b"\t\r\n\v\f", b"     ")
_QUIET = logging.Logger("dkim")
"""dkimpy tells of every bad signature: any stranger could fill our log."""
_QUIET.disabled = True

Tags = Mapping[bytes, bytes]


def signed(content: bytes) -> bool:
    """Whether there is a signature that is worth a look."""
    end = content.find(b"\r\n\r\n", 0, LARGEST_HEAD)
    return end >= 0 and b"\r\ndkim-signature:" in b"\r\n" + content[:end].lower()


def vouches(content: bytes, domain: str, inquiry: Inquiry) -> bool:
    """Whether a signature of this domain, or of one above it, holds."""
    head = content[: content.index(b"\r\n\r\n")]
    if head.count(b"\r\n") >= MOST_LINES:
        return False
    try:
        verifier = dkim.DKIM(content, logger=_QUIET, minkey=SHORTEST_KEY)
    except _RUBBISH:
        return False  # a line of the head is no field
    signatures = [value for name, value in verifier.headers if name.lower() == b"dkim-signature"]
    body = verifier.body
    for number, signature in enumerate(signatures[:MOST_SIGNATURES]):
        verifier.body = body
        try:
            if _holds(verifier, number, signature, domain, inquiry):
                return True
        except _RUBBISH:
            pass  # the next one may hold all the same
    return False


def _holds(verifier: Any, number: int, signature: bytes, domain: str, inquiry: Inquiry) -> bool:
    if len(signature) > LARGEST_SIGNATURE or b" " * LONGEST_BLANK in signature.translate(_BLANKS):
        return False
    tags = parse_tag_value(signature)
    if not _sound(tags, domain):
        return False
    if tags.get(b"c", b"").endswith(b"/relaxed"):
        # what it does next anyway, but with a search for blanks before a line's end that takes minutes for a line of blanks
        verifier.body = compress_whitespace(verifier.body)
    held: bool = verifier.verify(number, dnsfunc=lambda name, **_: _key(name, tags, inquiry))
    return held


def _sound(tags: Tags, domain: str) -> bool:
    """Whether a signature would prove anything, should it hold."""
    names = tags.get(b"h", b"").lower().split(b":")
    return bool(
        # Ed25519 would take another library, and who signs with it signs with RSA as well, for all those who cannot read it;
        # SHA-1 is over (RFC 8301 section 3.1)
        tags.get(b"a") == b"rsa-sha256"
        # with a length, what was signed may be any old beginning, and the rest anybody's
        and b"l" not in tags
        and len(names) <= MOST_NAMES
        and b"from" in [name.strip() for name in names]
        and _SELECTOR.fullmatch(tags.get(b"s", b""))
        and _above(tags.get(b"d", b"").decode("ascii", "replace").lower(), domain)
    )


def _above(signer: str, domain: str) -> bool:
    """Whether it is the domain, or one that the domain is a part of.

    Which of those are public suffixes need not be known: whoever can publish a key there, a registry or a provider, delegates the
    domain, and could publish one in the domain's own name. Those with one label have no mail of their own.
    """
    return "." in signer and (signer == domain or domain.endswith(f".{signer}"))


def _key(name: bytes, tags: Tags, inquiry: Inquiry) -> bytes | None:
    """The record of a signature's key; None unless there is one that may be used, and can be without danger."""
    texts = inquiry.texts(name.decode("ascii"))
    if not texts or len(texts) != 1 or len(texts[0]) > LARGEST_RECORD:
        return None
    key, _, kind, _ = dkim.evaluate_pk(name, texts[0])
    if kind != b"rsa" or key["publicExponent"].bit_length() > LONGEST_EXPONENT:
        return None
    flags = [flag.strip() for flag in parse_tag_value(texts[0]).get(b"t", b"").split(b":")]
    agent = tags.get(b"i", b"").rpartition(b"@")[2].lower()
    # RFC 6376 section 3.6.1: `y` is a test, which is as good as no signature; `s` does without the names below the domain
    if b"y" in flags or (b"s" in flags and agent not in (b"", tags[b"d"].lower())):
        return None
    return texts[0]
