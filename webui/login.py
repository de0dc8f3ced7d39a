"""Who may read and act: a login for people, a bearer token for programs; everything that is not named as open is closed.

Knows: sessions, passwords' hashes, roles and what each may do, tokens, how often one may try.
Does not know: what the pages show, where accounts are kept.

The key that signs sessions is made when the process starts: sessions end with it. They end as well when the account is removed or
gets a new password.
"""

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from flask import Blueprint, Flask, Response, abort, flash, g, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf import CSRFProtect, FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from backupmx.control.accounts import MEMORY_KIB, Role, Scope
from backupmx.control.answers import Account
from backupmx.errors import ControlUnavailable
from webui.control import Questions

OPEN = {"static", "login.enter", "api.healthz"}
"""What a stranger may ask for."""
READING = {"GET", "HEAD", "OPTIONS"}
FOR_ALL = {"login.enter", "login.leave"}
"""Forms for every role; any other takes an operator."""
FOR_ADMINS = {"pages.content"}
"""What people wrote to each other is for nobody else."""
CHANGING = {Scope.RECIPIENTS: {"recipients.put"}}
"""What a token may do that does not read."""
REALM = 'Bearer realm="Backup MX"'
TRIES = "5 per minute"
"""Failed logins from one address; for IPv6, from one /64."""
OURS = re.compile(r"/((queue|track|report)(\?[!-~]{0,400})?|message/[0-9A-Za-z]{1,26})?", re.ASCII)
"""Where a login may lead: to our own pages, and nowhere else."""


class LoginForm(FlaskForm):  # type: ignore[misc]
    """What a person gives to come in."""

    name = StringField("Name", [InputRequired(), Length(max=64)])
    password = PasswordField("Password", [InputRequired(), Length(max=1024)])
    next = HiddenField()


class User(UserMixin):  # type: ignore[misc]
    """One who is signed in; the id in the session dies with the password."""

    def __init__(self, name: str, fingerprint: str, role: str) -> None:
        self.name = name
        self.id = f"{fingerprint}:{name}"
        self._role = role

    @property
    def may_act(self) -> bool:
        """Whether messages are this user's to move."""
        return self._role in (Role.OPERATOR, Role.ADMIN)

    @property
    def may_look_inside(self) -> bool:
        """Whether this user may read what a message says."""
        return self._role == Role.ADMIN


class Sessions(SecureCookieSessionInterface):
    """Cookies are for TLS alone wherever the request came by TLS (also at a proxy on this machine)."""

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - the request decides
        """For the request at hand."""
        return request.is_secure


class Login:
    """Asks who it is; a wrong name costs the same time as a wrong password."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._hasher = PasswordHasher(time_cost=2, memory_cost=MEMORY_KIB, parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_urlsafe())
        # one at a time: each takes MEMORY_KIB
        self._hashing = threading.Lock()

    def check(self, name: str, password: str) -> User | None:
        """The user, if the password is right. Raises ControlUnavailable."""
        account = self._questions.account(name)
        with self._hashing:
            right = self._verified(account.password_hash if account else self._nobody, password)
        return User(account.name, _fingerprint(account), account.role) if account and right else None

    def again(self, id: str) -> User | None:
        """The user of a session, if nothing changed since. While nobody can be asked, it may look at what is left to see."""
        fingerprint, _, name = id.partition(":")
        try:
            account = self._questions.account(name)
        except ControlUnavailable:
            return User(name, fingerprint, Role.VIEWER)
        known = account and hmac.compare_digest(_fingerprint(account), fingerprint)
        return User(name, fingerprint, account.role) if account and known else None

    def _verified(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password)
        except (Argon2Error, InvalidHashError):
            return False


def install(app: Flask, questions: Questions, programs: Iterable[Blueprint]) -> None:
    """Close every door of an application, and put the login beside it; `programs` are the doors that take no forms."""
    login = Login(questions)
    manager = LoginManager(app)
    manager.session_protection = "strong"
    manager.user_loader(login.again)
    csrf = CSRFProtect(app)
    for doors in programs:
        # what changes something there takes a token, which no other site's page can send
        csrf.exempt(doors)
    limiter = Limiter(_neighbourhood, app=app, storage_uri="memory://", headers_enabled=False)
    app.session_interface = Sessions()
    app.before_request(lambda: _guard(questions))
    app.register_blueprint(_blueprint(login, limiter))


def _blueprint(login: Login, limiter: Limiter) -> Blueprint:
    pages = Blueprint("login", __name__)

    @pages.route("/login", methods=["GET", "POST"])
    @limiter.limit(TRIES, methods=["POST"], deduct_when=lambda response: response.status_code == 401)
    def enter() -> ResponseReturnValue:
        if current_user.is_authenticated:
            return redirect(url_for("pages.overview"))
        form = LoginForm(next=request.args.get("next", "")[:500])
        if form.validate_on_submit():
            user = login.check(form.name.data, form.password.data)
            if user:
                session.clear()
                login_user(user)
                return redirect(form.next.data if OURS.fullmatch(form.next.data or "") else url_for("pages.overview"))
            flash("That name and password do not fit together.")
        return render_template("login.html", form=form), 401 if form.is_submitted() else 200

    @pages.post("/logout")
    def leave() -> ResponseReturnValue:
        logout_user()
        session.clear()
        return redirect(url_for("login.enter"))

    return pages


def _guard(questions: Questions) -> ResponseReturnValue | None:
    """Let in who may come in; None lets the request go on."""
    if request.endpoint in OPEN:
        return None
    if request.path.startswith(("/api/", "/metrics")):
        return _guard_programs(questions)
    if current_user.is_authenticated:
        return None if _allowed() else abort(403)
    asked = request.full_path.removesuffix("?")
    target = url_for("login.enter", next=asked) if OURS.fullmatch(asked) else url_for("login.enter")
    if "HX-Request" in request.headers:
        return Response(status=401, headers={"HX-Redirect": target})
    return redirect(target)


def _allowed() -> bool:
    """Whether the role of the one who is signed in is enough."""
    if request.endpoint in FOR_ADMINS:
        return bool(current_user.may_look_inside)
    return request.method in READING or request.endpoint in FOR_ALL or bool(current_user.may_act)


def _guard_programs(questions: Questions) -> ResponseReturnValue | None:
    """A token opens what it is for and nothing else; a login reads alone, for other sites' pages can send its cookie."""
    reads = request.method in READING
    if not request.authorization:
        return None if reads and current_user.is_authenticated else _challenge()
    token = request.authorization.token if request.authorization.type == "bearer" else None
    key = questions.key(token) if token else None
    if key is None:
        return _challenge()
    g.by = f"token {key.name}"
    if (reads and key.scope is Scope.READ) or request.endpoint in CHANGING.get(key.scope, ()):
        return None
    return {"error": "this token is not for that"}, 403, {"WWW-Authenticate": f'{REALM}, error="insufficient_scope"'}


def _challenge() -> ResponseReturnValue:
    return {"error": "a login or a token is needed"}, 401, {"WWW-Authenticate": REALM}


def _fingerprint(account: Account) -> str:
    return hashlib.sha256(account.password_hash.encode()).hexdigest()[:32]


def _neighbourhood() -> str:
    """Who shares one count of failed logins. What a proxy says is not believed: behind one, all share."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    return str(address if address.version == 4 else ip_network((address, 64), strict=False))
