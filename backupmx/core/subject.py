"""What a message says it is about: found in its content, and made readable (RFC 2047).

Knows: header fields, encoded words.
Does not know: where content comes from, and who reads a subject. It is a stranger's words, in either form.
"""

import re
from email.header import decode_header

MOST = 200
"""Characters that are kept of it."""
_HEADER = 2**16
"""Octets in which the field is looked for."""
_LOOKED_AT = 2000
"""Octets of the field."""
_USUAL = b"\nSubject:"
_NAME = re.compile(rb"\nsubject[ \t]*:")
_VALUE = re.compile(rb"[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*")
_FOLD = re.compile(rb"[\r\n]+")
_WORD = r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?="
_WORDS = re.compile(rf"{_WORD}(?:\s+{_WORD})*")
_UNFINISHED = re.compile(r"(?:=\?[^?\s]*(?:\?(?:[bBqQ](?:\?[^?]*\??)?)?)?|(?<!\?)=)$")


def found(content: bytes) -> str:
    """The Subject field of a message, the first of them, as it stands there but unfolded; empty when there is none.

    `content` is its beginning. This is done for every message that is taken: what nearly all write is looked for first, which
    takes a microsecond or two, and only then all other ways to write it.
    """
    header = content.find(b"\r\n\r\n", 0, _HEADER)
    end = header if header >= 0 else _HEADER
    place = content.find(_USUAL, 0, end)
    if place < 0 or content[:1] in b"Ss":
        other = _NAME.search(b"\n" + content[:end].lower())
        if other is None:
            return ""
        start = other.end() - 1
    else:
        start = place + len(_USUAL)
    value = _VALUE.match(content, start, min(end, start + _LOOKED_AT))
    assert value is not None
    return _cut(_FOLD.sub(b"", value[0]).decode(errors="replace").strip())


def _cut(text: str) -> str:
    """As much as is kept; an encoded word is kept whole or not at all, for half of one is no word."""
    if len(text) <= MOST:
        return text
    return _UNFINISHED.sub("", text[: MOST - 1]).rstrip() + "…"


def shown(subject: str) -> str:
    """What a person reads, on one line: encoded words decoded as far as they can be. Never fails."""
    if "=?" in subject:
        subject = _WORDS.sub(lambda words: _decoded(words[0]), subject)
    return " ".join(subject.split())[:MOST]


def _decoded(words: str) -> str:
    try:
        # in one go: a letter may begin in one word and end in the next
        text = "".join(_text(part, charset or "ascii") for part, charset in decode_header(words))
        # some character sets know halves of characters, which nothing can write
        return text.encode(errors="replace").decode()
    except Exception:  # noqa: BLE001 - what cannot be decoded is shown as it came (I9)
        return words


def _text(part: bytes | str, charset: str) -> str:
    # a language may follow the character set (RFC 2231 section 5)
    return part if isinstance(part, str) else part.decode(charset.partition("*")[0], "replace")
