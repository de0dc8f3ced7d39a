"""Texts without secrets and without people.

Knows: what an address looks like, what keys and tokens begin with, where in a line about the configuration its value stands.
Does not know: where texts come from; which secrets this machine has, it is told.

What remains: in free words of others, like a primary's replies, a person who is named in no address (a display name, a login), or
by several words; a secret that was never in the configuration as it is now; what was typed in the place of a key's name.
"""

import json
import re
from collections.abc import Collection, Iterable
from urllib.parse import parse_qsl, unquote, urlsplit

from backupmx.core.destination import SHORTEST, shown

GONE = "(removed)"
_ADDRESS = re.compile(r'(?:"(?:[^"\\\n]|\\.)*"|[^\s<>,"()\[\]{}|]+)@(?=[\w\[])')
_LOCAL = re.compile(r'(?:"((?:[^"\\\n]|\\.)+)"|([^\s<>,"()\[\]{}|:/]+))@(?=[\w\[])')
_WORD = re.compile(r"[^\s<>,\"'()\[\]{}|:;/=@]+")
_KEYS = re.compile(
    r"bmx_[\w-]{8,}|AGE-SECRET-KEY-[\w-]+|\$argon2[^\s\"]*|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END|\Z)", re.DOTALL
)


class Scrubber:
    """Takes out what it was told to, and whatever looks like an address, a key or a token."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Secrets of less than four characters would take everything else along."""
        # the longest first: one may be a part of another
        self._secrets = sorted({each for each in secrets if len(each) >= SHORTEST}, key=len, reverse=True)

    def clean(self, text: str, people: Iterable[str] = ()) -> str:
        """Of addresses the domain stays; `people` are local parts that may stand in the text alone."""
        for secret in self._secrets:
            text = text.replace(secret, GONE)
        text = _ADDRESS.sub("…@", _KEYS.sub(GONE, text))
        for local in sorted(people, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", "…", text, flags=re.IGNORECASE)
        return text


def without_names(text: str, people: Collection[str]) -> str:
    """Where one of these local parts, in small letters, is a word by itself."""
    return _WORD.sub(lambda word: "…" if word[0].strip(".").lower() in people else word[0], text)


def without_value(problem: str) -> str:
    """What is wrong with a configuration is told as `FILE: KEY = VALUE: WHY`; where the value has no end, all of it goes."""
    key, equals, rest = problem.partition(" = ")
    if not equals:
        return problem
    try:
        _, end = json.JSONDecoder().raw_decode(rest)
    except ValueError:
        end = len(rest)
    return f"{key} = {GONE}{rest[end:]}"


def parts(secret: str) -> set[str]:
    """Of a URL each part that may be a secret of its own; what is none is one itself."""
    scheme, separator, rest = secret.partition("://")
    if not separator:
        return {secret}
    try:
        url = urlsplit(secret)
        words = [value for _, value in parse_qsl(url.query)]
    except ValueError:
        return {secret, rest}
    user, _, host = url.netloc.rpartition("@")
    # of others than servers the place of the host is a token's
    public = scheme in ("http", "https") or shown(secret).partition("://")[2].lower() == (url.hostname or "")
    pieces = [*user.split(":"), *url.path.split("/"), *words, url.fragment, *([] if public else [host])]
    return {secret, rest, *pieces, *map(unquote, pieces)}


def people(text: str) -> set[str]:
    """The local parts of all addresses in a text."""
    return {quoted or plain for quoted, plain in _LOCAL.findall(text)}
