"""Which language a page is in: what the reader chose, else what the browser asks for, else English.

Knows: the catalogues in `translations`, the cookie, `Accept-Language`, Babel.
Does not know: what is said (the catalogues), how numbers and times are written (`webui.tongue`).

Another language is another directory beside those that are there. Beside each catalogue stands what `make messages` compiled of
it: to read what people write would take this small process megabytes.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.support import NullTranslations, Translations
from flask import Blueprint, Flask, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import Babel, Domain, get_locale

from webui import locales, tongue
from webui.tongue import SOURCE

CATALOGUES = Path(__file__).parent / "translations"
COOKIE = "backupmx_language"
A_YEAR_S = 365 * 86400
OURS = re.compile(r"/(?![/\\])[!-~]{0,1000}|/", re.ASCII)
"""Where a choice may lead back to: an address of this server."""


@dataclass(frozen=True, slots=True)
class Language:
    """One that a page can be in."""

    code: str
    """As a cookie and `lang` have it."""
    name: str
    """What it is called by those who speak it."""


class Catalogues(Domain):  # type: ignore[misc]
    """All texts in all languages."""

    def __init__(self) -> None:
        super().__init__()
        self._read = {place.name: _translations(place) for place in sorted(CATALOGUES.iterdir()) if place.is_dir()}
        locales.lighten([*self._read, SOURCE.language, str(SOURCE)])
        codes = sorted([SOURCE.language, *(name.replace("_", "-") for name in self._read)])
        self.languages = tuple(Language(code, Locale.parse(code, sep="-").get_display_name() or code) for code in codes)

    def get_translations(self) -> NullTranslations:
        """Those of the request at hand."""
        locale = get_locale() or SOURCE
        return self._read.get(str(locale)) or self._read.get(locale.language) or _NONE


_NONE = NullTranslations()


def install(app: Flask) -> None:
    """Give each request a language, and a reader the choice."""
    catalogues = Catalogues()
    babel = Babel(app, locale_selector=lambda: _asked(catalogues))
    babel.domain_instance = catalogues
    app.jinja_env.install_gettext_callables(tongue.gettext, _form, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.globals.update(languages=catalogues.languages, language=lambda: _language(catalogues), back=_back)
    app.register_blueprint(_blueprint(catalogues))
    app.after_request(lambda response: _labelled(response, catalogues))


def _form(one: str, many: str, count: int) -> str:
    """For templates, which fill in what is missing themselves."""
    return tongue.spoken().texts.ngettext(one, many, count)


def _blueprint(catalogues: Catalogues) -> Blueprint:
    doors = Blueprint("languages", __name__)

    @doors.post("/language")
    def choose() -> ResponseReturnValue:
        code, back = request.form.get("language", ""), request.form.get("back", "")
        answer = redirect(back if OURS.fullmatch(back) else url_for("pages.overview"), 303)
        if code in {language.code for language in catalogues.languages}:
            answer.set_cookie(COOKIE, code, max_age=A_YEAR_S, secure=request.is_secure, httponly=True, samesite="Lax")
        return answer

    return doors


def _back() -> str:
    """Where a reader is who makes a choice; to the overview, from where one cannot come back to."""
    asked = request.full_path.removesuffix("?")
    return asked if request.method == "GET" and OURS.fullmatch(asked) else url_for("pages.overview")


def _language(catalogues: Catalogues) -> str:
    """The code of what the page at hand is in."""
    codes = [language.code for language in catalogues.languages]
    own = request.cookies.get(COOKIE, "")
    if own in codes:
        return own
    # the browser's likings count in their order, whether or not they name a country
    fitting = (code for asked in _liked() for code in (asked, asked.partition("-")[0]) if code in codes)
    return next(fitting, SOURCE.language)


def _liked() -> list[str]:
    """What the browser asks for, the dearest first."""
    return [asked for asked, quality in request.accept_languages if quality > 0]


def _asked(catalogues: Catalogues) -> Locale:
    """The language, with the country's ways of a reader who says which."""
    code = _language(catalogues)
    for asked in _liked():
        if asked.startswith(f"{code}-"):
            try:
                return Locale.parse(asked, sep="-")
            except (UnknownLocaleError, ValueError):
                continue
    return SOURCE if code == SOURCE.language else Locale.parse(code, sep="-")


def _labelled(response: Response, catalogues: Catalogues) -> Response:
    if response.mimetype == "text/html":
        response.headers["Content-Language"] = _language(catalogues)
        response.vary.update(("Accept-Language", "Cookie"))
    return response


def _translations(place: Path) -> Translations:
    with (place / "LC_MESSAGES" / "messages.mo").open("rb") as compiled:
        return Translations(compiled)
