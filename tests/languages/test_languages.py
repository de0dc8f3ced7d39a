"""Each language says all that there is to say, and fills in what the first one does."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from string import Formatter
from typing import Any

import msgspec
import pytest

from backupmx import languages
from backupmx.core import ids
from backupmx.core.message import Client, Envelope, Kind, Message, Proof, Recipient
from backupmx.core.notice_status import Fared
from backupmx.core.notice_text import Words, tell
from backupmx.core.outcome import Reply

NOW = datetime(2026, 11, 23, 14, 30, 5, tzinfo=UTC)
ANNA = Recipient("anna@example.com", "example.com")
MESSAGE = Message(
    ids.encode(bytes(16)), NOW, 1000, 1, b"", Envelope("a@b.example", (ANNA,), Client("192.0.2.1", "x"), proof=Proof.SPF), {}
)


def texts(table: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """All texts with their places in the file."""
    for key, value in table.items():
        if isinstance(value, str):
            yield f"{place}{key}", value
        else:
            yield from texts(value, f"{place}{key}.")


def file(language: str) -> dict[str, str]:
    return dict(texts(tomllib.loads((files(languages) / f"{language}.toml").read_text("utf-8"))))


def blanks(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def test_there_are_english_and_swedish() -> None:
    """More come by adding a file."""
    assert {"en", "sv"} <= set(languages.known())
    assert languages.FIRST in languages.known()


@pytest.mark.parametrize("language", languages.known())
def test_each_language_is_complete(language: str) -> None:
    """Every text is there and says something, none that nobody says, and it fills in what the first language does."""
    assert languages.words(language)
    first, own = file(languages.FIRST), file(language)
    assert own.keys() == first.keys()
    for place, text in own.items():
        assert text.strip() == text != "", place
        assert text.isprintable(), f"{place}: one line"
        assert blanks(text) == blanks(first[place]), place


@pytest.mark.parametrize("language", [name for name in languages.known() if name != languages.FIRST])
def test_each_language_is_one_of_its_own(language: str) -> None:
    """Nothing was left as it was copied."""
    first = file(languages.FIRST)
    assert [place for place, text in file(language).items() if text == first[place]] == []


def test_a_language_that_lacks_a_text_or_has_one_too_many_is_no_language() -> None:
    """A file is read whole or not at all."""
    table = tomllib.loads((files(languages) / "en.toml").read_text("utf-8"))
    assert msgspec.convert(table, Words)
    for wrong in ({**table, "more": "?"}, {key: table[key] for key in table if key != "said"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, Words)


@pytest.mark.parametrize("language", languages.known())
@pytest.mark.parametrize("kind", Kind)
def test_whatever_is_told_has_no_blank_left(language: str, kind: Kind) -> None:
    """Each kind, of each thing that can have happened."""
    first = {Kind.FAILED: 5, Kind.DELAYED: 4, Kind.RELAYED: 2, Kind.DELIVERED: 2}[kind]
    codes = ["0.0", "1.1", "2.2", "3.4", "4.1", "4.6", "4.7", "6.7", "7.1", "7.30"]
    fared = [
        Fared(ANNA, Reply(first * 100 + 50, f"{first}.{code} {{braces}} stay"), host, NOW)
        for code in codes
        for host in ("", "mail.example.com[192.0.2.1]:25")
    ]
    text = tell(
        kind, MESSAGE, fared, languages.words(language), hostname="mx2.example.net", until=NOW + timedelta(days=1), enclosed=""
    )
    assert text.count("{") == text.count("{braces}") == len(fared)
    assert ("2026-11-24 14:30 UTC" in text) == (kind is Kind.DELAYED)
    assert "mx2.example.net" in text
    assert "2026-11-23 14:30 UTC" in text
    assert max(map(len, text.splitlines())) <= 72


@pytest.mark.parametrize(
    ("kind", "reply", "host", "why"),
    [
        (Kind.FAILED, Reply(550, "5.1.1 unknown"), "mail.example.com[192.0.2.1]:25", "failures.nobody"),
        (Kind.FAILED, Reply(553, "5.1.3 no SMTP command can carry this address"), "", "failures.nobody"),
        (Kind.FAILED, Reply(552, "5.2.2 over quota"), "mail.example.com[192.0.2.1]:25", "failures.full"),
        (Kind.FAILED, Reply(552, "5.3.4 too big"), "mail.example.com[192.0.2.1]:25", "failures.too_big"),
        (Kind.FAILED, Reply(554, "5.4.6 too many Received fields"), "", "failures.loop"),
        (Kind.FAILED, Reply(554, "5.4.7 the holding window is over"), "", "failures.too_late"),
        (Kind.FAILED, Reply(550, "5.7.1 spam"), "mail.example.com[192.0.2.1]:25", "failures.refused"),
        (Kind.FAILED, Reply(554, "5.7.1 returned by the administrator"), "", "failures.returned"),
        (Kind.FAILED, Reply(553, "5.6.7 no"), "mail.example.com[192.0.2.1]:25", "failures.not_ascii"),
        (Kind.FAILED, Reply(550, "5.7.30 no"), "mail.example.com[192.0.2.1]:25", "failures.tls"),
        (Kind.FAILED, Reply(550, "no"), "mail.example.com[192.0.2.1]:25", "failures.other"),
        (Kind.DELAYED, Reply(451, "4.4.1 nobody answers"), "", "delays.away"),
        (Kind.DELAYED, Reply(452, "4.2.2 over quota"), "mail.example.com[192.0.2.1]:25", "delays.full"),
        (Kind.DELAYED, Reply(451, "4.7.30 no"), "", "delays.tls"),
        (Kind.DELAYED, Reply(450, "4.7.1 greylisted"), "mail.example.com[192.0.2.1]:25", "delays.asked"),
        (Kind.DELAYED, Reply(451, "4.3.0 trouble of our own"), "", "delays.other"),
    ],
)
@pytest.mark.parametrize("language", languages.known())
def test_what_it_means_is_said_in_plain_words(language: str, kind: Kind, reply: Reply, host: str, why: str) -> None:
    """One reason for each recipient, and after it what was said."""
    words = languages.words(language)
    text = tell(kind, MESSAGE, [Fared(ANNA, reply, host, NOW)], words, hostname="mx2.example.net", until=None, enclosed="")
    said = " ".join(text.split())
    own = file(language)
    assert [place for place in own if place.startswith(("failures.", "delays.")) and own[place] in said] == [why]
    assert (f"{reply.code} {reply.text}" in said) == bool(host), "a code is a server's"
    assert reply.text in said


@pytest.mark.parametrize("kind", [Kind.RELAYED, Kind.DELIVERED])
def test_success_needs_no_reason(kind: Kind) -> None:
    """Nothing to be done, and nothing to be explained."""
    fared = [Fared(ANNA, Reply(250, "2.0.0 Ok"), "mail.example.com[192.0.2.1]:25", NOW)]
    text = tell(kind, MESSAGE, fared, languages.words("en"), hostname="mx2.example.net", until=None, enclosed="")
    assert "  anna@example.com\n    mail.example.com said: 250 2.0.0 Ok\n\nYou need not do anything." in text
