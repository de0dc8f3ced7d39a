"""One's own second factor: a secret for an app, proven with a code, and recovery codes that are shown once.

Knows: the steps, and how the secret is drawn for a phone's camera.
Does not know: which codes count, where the secret is kept.

Until it is proven the secret is kept beside the session, in this process's memory; afterwards the page does not have it any more.
"""

import pyotp
from flask import Blueprint, flash, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from backupmx.control.answers import Made
from backupmx.control.requests import DropSecond, SetSecond
from webui.login import Access
from webui.settings.frame import back_to, by, shown, told
from webui.settings.own import wrong_password
from webui.tongue import gettext as _

SECRET, CODES = "secret", "recovery codes"
"""What is kept beside the session."""
QUIET_ZONE = 4
"""Modules around the drawing (ISO/IEC 18004)."""


def install(pages: Blueprint, access: Access) -> None:
    """Its doors."""

    @pages.get("/settings/second")
    def second() -> ResponseReturnValue:
        if _has_one(access):
            return back_to("settings")
        secret = _secret(access)
        app = pyotp.TOTP(secret, name=by(), issuer=f"Backup MX {access.questions.status().hostname}")
        parts = [secret[start : start + 4] for start in range(0, len(secret), 4)]
        return shown(access.questions, "settings_second.html", parts=parts, drawing=_drawn(app.provisioning_uri()))

    @pages.post("/settings/second")
    def set_second() -> ResponseReturnValue:
        if _has_one(access):
            return back_to("settings")
        key = current_user.session.key
        answer = access.questions.change(SetSecond(by(), _secret(access), request.form.get("code", "")[:64], by()))
        if not isinstance(answer, Made):
            flash(_("That code does not fit. Is the clock of your phone right?"))
            return back_to("second")
        access.sessions.take(key, SECRET)
        access.sessions.put_aside(key, CODES, answer.secrets)
        told(answer, _("From now on you are asked for a code when you log in."))
        return back_to("recovery")

    @pages.get("/settings/recovery")
    def recovery() -> ResponseReturnValue:
        codes = access.sessions.take(current_user.session.key, CODES)
        return shown(access.questions, "settings_recovery.html", codes=codes) if codes else back_to("settings")

    @pages.post("/settings/second/off")
    @access.attempts.few_from_one_place
    def drop_second() -> ResponseReturnValue:
        if not access.check(by(), request.form.get("password", "")):
            return wrong_password(access)
        told(access.questions.change(DropSecond(by(), by())), _("From now on your password alone lets you in."))
        return back_to("settings")


def _has_one(access: Access) -> bool:
    account = access.questions.account(by())
    return account is None or account.second


def _secret(access: Access) -> str:
    """The one that is being set up in this session: a reload must not make another than the phone has seen."""
    key = current_user.session.key
    kept = access.sessions.aside(key, SECRET)
    if not kept:
        kept = (pyotp.random_base32(),)
        access.sessions.put_aside(key, SECRET, kept)
    return kept[0]


def _drawn(uri: str) -> Markup:
    """Dark on light whatever the page looks like: many cameras read nothing else."""
    import segno  # noqa: PLC0415 - three megabytes, for what each user does once

    # the library writes it, from numbers alone
    return Markup(segno.make(uri, error="m").svg_inline(border=QUIET_ZONE, dark="#000", light="#fff", omitsize=True))  # noqa: S704
