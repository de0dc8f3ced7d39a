"""The catalogues: every text of the source is in each of them, whole."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from webui.languages import CATALOGUES

ROOT = Path(__file__).parents[2]
KEYWORDS = DEFAULT_KEYWORDS | {"_l": None, "forms": (1, 2)}
"""As `make messages` has them."""
LANGUAGES = sorted(place.name for place in CATALOGUES.iterdir())
PLACEHOLDER = re.compile(r"%\(\w+\)\w|%%|%")
TAG = re.compile(r"<[^>]*>")


@pytest.fixture(scope="module")
def source() -> Catalog:
    """All texts that people read, from templates and modules."""
    found = Catalog()
    with (ROOT / "webui/babel.cfg").open() as mapping:
        methods, options = parse_mapping_cfg(mapping)
    for place in ("webui", "backupmx/core"):
        # paths are as the patterns have them, from the root of the tree
        for file, line, message, comments, context in extract_from_dir(
            ROOT / place, [(pattern.removeprefix(f"{place}/"), method) for pattern, method in methods], options, KEYWORDS
        ):
            found.add(message, locations=[(f"{place}/{file}", line)], auto_comments=comments, context=context)
    return found


def catalogue(language: str) -> Catalog:
    with (CATALOGUES / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def forms(text: str | tuple[str, ...] | list[str]) -> Iterator[str]:
    yield from (text,) if isinstance(text, str) else text


def texts(there: Catalog) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {tuple(forms(message.id)): tuple(forms(message.string)) for message in there if message.id}


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_missing_and_nothing_is_left_over(source: Catalog, language: str) -> None:
    """`make messages`, then translate what is empty."""
    there = catalogue(language)
    known = {message.id for message in source if message.id}
    assert len(known) > 300
    assert sorted(map(str, known - {message.id for message in there})) == []
    assert sorted(map(str, {message.id for message in there if message.id} - known)) == []
    for message in there:
        assert not message.id or (not message.fuzzy and all(forms(message.string))), message.id
        assert len(list(forms(message.string))) == (there.num_plurals if message.pluralizable else 1), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_filled_in_is_the_same(language: str) -> None:
    """The same placeholders and the same tags; no text has more than the page can give it."""
    for message in catalogue(language):
        if message.id:
            original = list(forms(message.id))
            for text in forms(message.string):
                for pattern in (PLACEHOLDER, TAG):
                    assert set(pattern.findall(text)) in [set(pattern.findall(one)) for one in original], message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_people_wrote(language: str) -> None:
    """`make messages` was the last that was done to it."""
    with (CATALOGUES / language / "LC_MESSAGES" / "messages.mo").open("rb") as file:
        assert texts(read_mo(file)) == texts(catalogue(language))


def test_a_text_may_be_of_one_and_of_many(source: Catalog) -> None:
    """Nothing is found twice, once with a plural and once without: who translates would see one of them."""
    singular = {message.id for message in source if isinstance(message.id, str)}
    assert not singular & {message.id[0] for message in source if not isinstance(message.id, str)}


WORD = re.compile(r"[A-Za-z]{2,}")
SPOKEN = re.compile(r'\b(?:aria-label|placeholder|title|alt)="([^"]*)"')
NO_TEXT = re.compile(
    r"{#.*?#}|{% block kind %}.*?{% endblock %}|{%-?\s*trans\b.*?{%-?\s*endtrans\s*-?%}|{{.*?}}|{%.*?%}|<code\b.*?</code>"
    # names are the same in every language
    r"|Backup MX|DNS|example\.com|user@|AGE-SECRET-KEY-1…|age1…",
    re.DOTALL,
)


@pytest.mark.parametrize("template", sorted((ROOT / "webui/templates").iterdir()), ids=lambda path: path.name)
def test_no_template_speaks_english_alone(template: Path) -> None:
    """All that is read, or read aloud, goes through a catalogue."""
    left = NO_TEXT.sub("", template.read_text())
    assert WORD.findall("".join(SPOKEN.findall(left))) == []
    assert WORD.findall(TAG.sub("", left)) == []
