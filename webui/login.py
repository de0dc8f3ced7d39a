"""How people come in and go out: a name and a password, then a code where there is a second factor.

Knows: forms, cookies, whose session a request belongs to.
Does not know: what anybody may do (`guard`), where accounts are kept, what the pages show.

The cookie is signed with a key that is made when the process starts, and holds nothing but a session's key. Sessions end as well
when the account is removed or gets a new password.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, Flask, flash, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf import CSRFProtect, FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from backupmx.control.accounts import Role
from backupmx.control.answers import Account
from backupmx.control.passwords import LONGEST
from backupmx.errors import ControlUnavailable
from webui import browsers
from webui.attempts import Attempts
from webui.control import Questions
from webui.guard import OURS, enough, guard
from webui.passwords import Passwords
from webui.sessions import Clock, Session, Sessions
from webui.tongue import gettext as _
from webui.tongue import lazy_gettext as _l

HALF = "half"
"""Where the cookie says whose password was right, until the code is."""
HALF_LASTS = timedelta(minutes=5)


class LoginForm(FlaskForm):  # type: ignore[misc]
    """What a person gives to come in."""

    name = StringField(_l("Name"), [InputRequired(), Length(max=64)])
    password = PasswordField(_l("Password"), [InputRequired(), Length(max=LONGEST)])
    next = HiddenField()


class CodeForm(FlaskForm):  # type: ignore[misc]
    """What a person with a second factor gives then."""

    code = StringField(_l("Code from your app, or a recovery code"), [InputRequired(), Length(max=64)])


class User(UserMixin):  # type: ignore[misc]
    """One who is signed in, in one session."""

    def __init__(self, name: str, role: str, session: Session) -> None:
        self.name = name
        self.role = role
        self.session = session
        self.id = session.key

    @property
    def may_act(self) -> bool:
        """Whether messages are this user's to move, and alerts to silence."""
        return enough(self.role, Role.OPERATOR)

    @property
    def may_look_inside(self) -> bool:
        """Whether this user may read what a message says."""
        return enough(self.role, Role.ADMIN)

    @property
    def may_govern(self) -> bool:
        """Whether accounts, tokens and the configuration are this user's to change."""
        return enough(self.role, Role.ADMIN)


class Cookies(SecureCookieSessionInterface):
    """Cookies are for TLS alone wherever the request came by TLS (also at a proxy on this machine)."""

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - the request decides
        """For the request at hand."""
        return request.is_secure


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to let somebody in."""

    questions: Questions
    passwords: Passwords
    sessions: Sessions
    attempts: Attempts
    clock: Clock

    def check(self, name: str, password: str) -> Account | None:
        """The account, if the password is right; a wrong name costs the same time. Raises ControlUnavailable."""
        account = self.questions.account(name)
        return account if self.passwords.right(account.password_hash if account else None, password) else None

    def let_in(self, account: Account) -> None:
        """From now on the browser at hand is this user's, under a new key: nothing that it brought along counts."""
        session.clear()
        browser = browsers.said(*browsers.known(request.user_agent.string))
        made = self.sessions.begin(account.name, _fingerprint(account), request.remote_addr or "", browser)
        login_user(User(account.name, account.role, made))

    def again(self, key: str) -> User | None:
        """The user of a session, if nothing changed since. While nobody can be asked, it may look at what is left to see."""
        found = self.sessions.again(key)
        if found is None:
            return None
        try:
            account = self.questions.account(found.name)
        except ControlUnavailable:
            return User(found.name, Role.VIEWER, found)
        if account is None or not hmac.compare_digest(_fingerprint(account), found.fingerprint):
            self.sessions.end(key)
            return None
        return User(account.name, account.role, found)

    # Between the password and the code

    def ask_for_code(self, account: Account, target: str) -> ResponseReturnValue:
        """The password was right; the cookie remembers that for a few minutes."""
        session.clear()
        session[HALF] = {
            "name": account.name,
            "fingerprint": _fingerprint(account),
            "at": self.clock().isoformat(),
            "next": target,
        }
        return redirect(url_for("login.code"))

    def halfway(self) -> Account | None:
        """Whose password was right, a short time ago and with the account as it still is."""
        half: Mapping[str, str] | None = session.get(HALF)
        if half is None or self.clock() - datetime.fromisoformat(half["at"]) >= HALF_LASTS:
            return None
        account = self.questions.account(half["name"])
        same = account and hmac.compare_digest(_fingerprint(account), half["fingerprint"])
        return account if same else None


def install(app: Flask, questions: Questions, programs: Iterable[Blueprint], clock: Clock) -> Access:
    """Close every door of an application, and put the login beside it; `programs` are the doors that take no forms."""
    access = Access(questions, Passwords(), Sessions(clock), Attempts(app), clock)
    manager = LoginManager(app)
    manager.session_protection = "strong"
    manager.user_loader(access.again)
    csrf = CSRFProtect(app)
    for doors in programs:
        # what changes something there takes a token, which no other site's page can send
        csrf.exempt(doors)
    app.session_interface = Cookies()
    app.before_request(lambda: guard(questions))
    app.register_blueprint(_blueprint(access))
    return access


def _blueprint(access: Access) -> Blueprint:
    pages = Blueprint("login", __name__)

    @pages.route("/login", methods=["GET", "POST"])
    @access.attempts.few_from_one_place
    def enter() -> ResponseReturnValue:
        return redirect(url_for("pages.overview")) if current_user.is_authenticated else _by_password(access)

    @pages.route("/login/code", methods=["GET", "POST"])
    @access.attempts.few_from_one_place
    @access.attempts.few_for_one_name(lambda: f"code of {session.get(HALF, {}).get('name', '')}")
    def code() -> ResponseReturnValue:
        account = access.halfway()
        return _by_code(access, account) if account else redirect(url_for("login.enter"))

    @pages.post("/logout")
    def leave() -> ResponseReturnValue:
        access.sessions.end(current_user.session.key)
        logout_user()
        session.clear()
        return redirect(url_for("login.enter"))

    return pages


def _by_password(access: Access) -> ResponseReturnValue:
    form = LoginForm(next=request.args.get("next", "")[:500])
    if form.validate_on_submit():
        account = access.check(form.name.data, form.password.data)
        if account and account.second:
            return access.ask_for_code(account, form.next.data or "")
        if account:
            access.let_in(account)
            return _onwards(form.next.data or "")
        flash(_("That name and password do not fit together."))
    return render_template("login.html", form=form), 401 if form.is_submitted() else 200


def _by_code(access: Access, account: Account) -> ResponseReturnValue:
    form = CodeForm()
    if form.validate_on_submit():
        if access.questions.spend_code(account.name, form.code.data):
            target = session[HALF]["next"]
            access.let_in(account)
            return _onwards(target)
        flash(_("That code is not right, or it was used before."))
    return render_template("login_code.html", form=form), 401 if form.is_submitted() else 200


def _onwards(target: str) -> ResponseReturnValue:
    return redirect(target if OURS.fullmatch(target) else url_for("pages.overview"))


def _fingerprint(account: Account) -> str:
    return hashlib.sha256(account.password_hash.encode()).hexdigest()[:32]
