"""The part of a notification that people read, in the words of one language.

Knows: what happened to whom, what it means, and what its reader has to do about it.
Does not know: which languages there are, what machines read, and how it is packed.

The words of a language are a file, in which {hostname} stands for this server, {arrived} and {until} for times, {host} for who
said something, and {reply} for what.
"""

import textwrap
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from backupmx.core.message import Kind, Message
from backupmx.core.notice_status import LONGEST_REPLY, Fared, plain, server, status

_WIDTH = 72
_LONGEST_ADDRESS = 512
"""Characters; only rubbish is longer."""


class Telling(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of notification."""

    subject: str
    opening: str
    """Before the recipients; has {arrived}."""
    closing: str
    """What to do, or not to do."""


class Failures(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a message will never be delivered, and what its sender can do."""

    nobody: str
    full: str
    too_big: str
    loop: str
    too_late: str
    refused: str
    returned: str
    """By the administrator."""
    not_ascii: str
    tls: str
    """Nothing is as safe as REQUIRETLS asks."""
    other: str


class Delays(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a message is not delivered yet."""

    away: str
    full: str
    tls: str
    asked: str
    """The server asks to wait."""
    other: str


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """All that is said in one language."""

    name: str
    """Who writes, beside the address."""
    introduction: str
    """Has {hostname}."""
    said: str
    """Has {host} and {reply}."""
    noted: str
    """What we say ourselves, in English; has {reply}."""
    until: str
    """Has {until}."""
    with_message: str
    with_headers: str
    with_headers_for_tls: str
    failed: Telling
    delayed: Telling
    relayed: Telling
    delivered: Telling
    failures: Failures
    delays: Delays


def telling(kind: Kind, words: Words) -> Telling:
    """What is said in notifications of a kind."""
    return {
        Kind.FAILED: words.failed,
        Kind.DELAYED: words.delayed,
        Kind.RELAYED: words.relayed,
        Kind.DELIVERED: words.delivered,
    }[kind]


def tell(
    kind: Kind, message: Message, fared: Sequence[Fared], words: Words, *, hostname: str, until: datetime | None, enclosed: str
) -> str:
    """The whole text; `enclosed` is the sentence that says what goes along."""
    frame = telling(kind, words)
    closing = [frame.closing]
    if until and kind is Kind.DELAYED:
        closing.append(words.until.format(until=_time(until)))
    paragraphs = [
        _wrapped(words.introduction.format(hostname=hostname)),
        _wrapped(frame.opening.format(arrived=_time(message.arrived))),
        *(_recipient(kind, each, words) for each in fared),
        _wrapped(" ".join(closing)),
    ]
    if enclosed:
        paragraphs.append(_wrapped(enclosed))
    return "\n\n".join(paragraphs) + "\n"


def _recipient(kind: Kind, fared: Fared, words: Words) -> str:
    lines = [f"  {plain(fared.recipient.address[:_LONGEST_ADDRESS])}"]
    if why := _why(kind, fared, words):
        lines.append(_wrapped(why, "    "))
    code, text = fared.reply.code, plain(fared.reply.text[:LONGEST_REPLY])
    if fared.host:
        lines.append(_wrapped(words.said.format(host=server(fared.host), reply=f"{code} {text}"), "    "))
    else:
        lines.append(_wrapped(words.noted.format(reply=text), "    "))
    return "\n".join(lines)


def _why(kind: Kind, fared: Fared, words: Words) -> str:
    """In plain words, as far as the enhanced code tells (RFC 3463 section 3); success needs no reason."""
    subject, _, detail = status(kind, fared.reply)[2:].partition(".")
    if kind is Kind.FAILED:
        return _failure(subject, detail, words.failures, by_server=bool(fared.host))
    return _delay(subject, detail, words.delays, by_server=bool(fared.host)) if kind is Kind.DELAYED else ""


def _failure(subject: str, detail: str, said: Failures, *, by_server: bool) -> str:
    known = {
        **dict.fromkeys([("1", "1"), ("1", "2"), ("1", "3"), ("1", "6"), ("1", "10"), ("2", "1")], said.nobody),
        ("2", "2"): said.full,
        ("2", "3"): said.too_big,
        ("3", "4"): said.too_big,
        ("4", "6"): said.loop,
        ("4", "7"): said.too_late,
        ("6", "7"): said.not_ascii,
        ("7", "30"): said.tls,
    }
    if (subject, detail) in known:
        return known[subject, detail]
    if subject == "7":
        return said.refused if by_server else said.returned
    return said.other


def _delay(subject: str, detail: str, said: Delays, *, by_server: bool) -> str:
    if subject == "4":
        return said.away
    if (subject, detail) == ("2", "2"):
        return said.full
    if (subject, detail) == ("7", "30"):
        return said.tls
    return said.asked if by_server else said.other


def _time(at: datetime) -> str:
    """The same in every language."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
