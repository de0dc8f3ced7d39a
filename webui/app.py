"""The application: pages, doors for programs, the login, and what every answer carries.

Knows: the parts, the headers that keep a browser safe, what is said when something goes wrong.
Does not know: how it is served, how control is reached.
"""

import hashlib
import secrets
import traceback
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from flask import Flask, Response, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_limiter import RateLimitExceeded
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from backupmx.core import words
from backupmx.errors import ControlUnavailable
from webui import acting, api, languages, login, markup, names, openapi, pages, recipients, tongue
from webui.control import Control, Questions
from webui.domains import roster
from webui.frame import frame, partial
from webui.sessions import LIVES, Clock
from webui.settings import backup
from webui.setup import gate, steps
from webui.setup.asking import Asking
from webui.tongue import gettext as _

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # the check against forged requests wants to see our own pages, and nobody else shall
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
UNASKABLE = "Backup MX is not running or cannot be asked."
REQUEST_LIMIT = 16 * 1024
"""Octets of a form."""


def now() -> datetime:
    """The time that it is."""
    return datetime.now(UTC)


class Page(Flask):
    """A Flask whose log holds one line for each bug, without a stranger's control characters (I7)."""

    def log_exception(self, exc_info: object) -> None:  # noqa: ARG002 - it is the one being handled
        """A traceback, escaped."""
        self.logger.error("trouble at %s %s: %s", request.method, ascii(request.path), ascii(traceback.format_exc()))


def create_app(control: Control, clock: Clock = now) -> Flask:
    """The page for a server that `control` can ask; `clock` says when sessions are over."""
    app = Page(__name__)
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),
        SESSION_COOKIE_NAME="backupmx",
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=LIVES,
        MAX_CONTENT_LENGTH=REQUEST_LIMIT,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    questions = Questions(control)
    languages.install(app)
    markup.teach(app)
    programs = (api.blueprint(questions, openapi.document()), recipients.blueprint(questions), acting.blueprint(questions))
    asking = Asking(control)
    gate.install(app, asking)
    # before what is looked for in a form
    roster.make_room(app)
    backup.make_room(app)
    access = login.install(app, questions, programs, clock)
    app.register_blueprint(steps.blueprint(asking, access.attempts, access.passwords))
    app.register_blueprint(pages.blueprint(questions, access))
    for doors in programs:
        app.register_blueprint(doors)
    _assets(app)
    app.register_error_handler(ControlUnavailable, _unaskable)
    app.register_error_handler(RateLimitExceeded, _too_often)
    app.register_error_handler(CSRFError, _forged)
    app.register_error_handler(HTTPException, _wrong)
    app.after_request(_headers)
    return app


def _assets(app: Flask) -> None:
    """Files are named with their content's hash, so that a browser may keep them for ever."""
    assert app.static_folder
    hashes = {
        file.name: hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest() for file in Path(app.static_folder).iterdir()
    }
    app.jinja_env.globals["asset"] = lambda name: url_for("static", filename=name, v=hashes[name])


def _headers(response: Response) -> Response:
    # an answer may be stricter than the rest
    policy = response.headers.get("Content-Security-Policy", POLICY)
    response.headers.update(HEADERS | {"Content-Security-Policy": policy})
    if request.endpoint == "static" and response.status_code == 200 and "v" in request.args:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def _for_programs() -> bool:
    return request.blueprint == "api" or request.path.startswith("/api/")


def _unaskable(error: ControlUnavailable) -> ResponseReturnValue:
    if _for_programs():
        return {"error": UNASKABLE}, 503
    why = str(error) if current_user.is_authenticated else ""
    page = render_template("unaskable.html", why=why, **frame())
    return page, 200 if partial() else 503


def _too_often(error: RateLimitExceeded) -> ResponseReturnValue:
    wait = timedelta(seconds=error.limit.limit.get_expiry())
    flash(_("Too many attempts. Please wait %(time)s.", time=words.span(wait, tongue)))
    return _again(), 429, {"Retry-After": str(int(wait.total_seconds()))}


def _forged(_error: CSRFError) -> ResponseReturnValue:
    flash(_("This page was open for too long. Please try again."))
    return _again(), 400


def _again() -> str:
    """Where to go on from a form that was not taken."""
    if request.blueprint == "setup":
        return render_template("setup_code.html")
    if current_user.is_authenticated:
        return render_template("wrong.html", name=_("Nothing was changed."), code=HTTPStatus.BAD_REQUEST)
    return render_template("login.html", form=login.LoginForm(formdata=None))


def _wrong(error: HTTPException) -> ResponseReturnValue:
    headers = {"Allow": ", ".join(sorted(error.valid_methods or ()))} if isinstance(error, MethodNotAllowed) else {}
    if _for_programs():
        return {"error": error.name}, error.code or 500, headers
    return render_template("wrong.html", name=names.fault(error), code=error.code), error.code or 500, headers
