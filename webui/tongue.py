"""The reader's language: texts, plurals, numbers, lists, days and times. The module itself is a `backupmx.core.tongue.Tongue`.

Knows: how the locale of the request at hand writes what it is given; outside of any request, English.
Does not know: which language that is and why (`webui.languages`), what is said.

Times are those of UTC, by a clock of 24 hours wherever the reader lives: they are held against logs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import flask_babel
from babel import Locale, dates, lists, numbers
from babel.support import NullTranslations
from flask import g, has_app_context

SOURCE = Locale("en", territory="001")
"""Of the texts in the source: English, and no country's way to write a date."""
REMEMBERED = 1024
"""Numbers and times that are written again and again: a page that refreshes itself has hundreds."""
Forms = tuple[str, str]
"""A text with a number in it: of one, and of many."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a request is answered in."""

    locale: Locale
    name: str
    texts: NullTranslations


_SOURCE = Spoken(SOURCE, str(SOURCE), NullTranslations())


def spoken() -> Spoken:
    """For the request at hand; looked up once for each, and asked for a thousand times."""
    if not has_app_context():
        return _SOURCE
    found: Spoken | None = g.get("spoken")
    if found is None:
        locale: Locale = flask_babel.get_locale()
        found = g.spoken = Spoken(locale, str(locale), flask_babel.get_translations())
    return found


def gettext(text: str, /, **parts: object) -> str:
    """A text, with its parts filled in."""
    said = spoken().texts.gettext(text)
    return said % parts if parts else said


def ngettext(one: str, many: str, count: int, /, **parts: object) -> str:
    """A text in the form that the number asks for; `%(num)s` is the number as it is written."""
    return spoken().texts.ngettext(one, many, count) % {"num": number(count), **parts}


def lazy_gettext(text: str, /) -> Any:
    """A text that finds its language when it is shown: for what is written down before anybody asks."""
    return flask_babel.lazy_gettext(text)


def forms(one: str, many: str, /) -> Forms:
    """What `ngettext` is to be given later, written down where the catalogue finds it."""
    return one, many


def number(value: float, /, digits: int = 0) -> str:
    """`1,204`, `3.4`, as it is written there."""
    return _number(value, digits, spoken().name)


def listed(parts: Sequence[str], /) -> str:
    """`a, b and c`."""
    return lists.format_list(parts, locale=spoken().locale)


def day(at: date) -> str:
    """`3 May`."""
    return _time("MMMd", at, spoken().name)


def day_of_year(at: date) -> str:
    """`3 May 2026`."""
    return _time("yMMMd", at, spoken().name)


def month(at: date) -> str:
    """`May 2026`."""
    return _time("yMMMM", at, spoken().name)


def hour(at: datetime) -> str:
    """`14:35`."""
    return _time("Hm", at, spoken().name)


def second(at: datetime) -> str:
    """`14:35:07`."""
    return _time("Hms", at, spoken().name)


def on_day(said_day: str, said_time: str) -> str:
    """A day and a time of it, in the order that is usual: `3 May, 14:35`."""
    pattern = str(spoken().locale.datetime_formats["medium"]).replace("'", "")
    return pattern.replace("{0}", said_time).replace("{1}", said_day)


@lru_cache(REMEMBERED)
def _number(value: float, digits: int, locale: str) -> str:
    pattern = f"#,##0.{'0' * digits}" if digits else "#,##0"
    return numbers.format_decimal(value, format=pattern, locale=locale)


@lru_cache(REMEMBERED)
def _time(skeleton: str, at: date, locale: str) -> str:
    moment = at if isinstance(at, datetime) else datetime(at.year, at.month, at.day)  # noqa: DTZ001 - a day has no zone
    return dates.format_skeleton(skeleton, moment, locale=locale)
