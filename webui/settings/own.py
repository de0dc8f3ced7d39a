"""One's own account: password and sessions.

Knows: the forms, and that a new password takes the old one.
Does not know: who may send them, other users; the second factor has a page of its own.
"""

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from backupmx.control.answers import Done
from backupmx.control.requests import SetPassword
from webui.login import Access
from webui.settings.frame import back_to, by, shown, told, too_short
from webui.tongue import gettext as _
from webui.tongue import ngettext


def install(pages: Blueprint, access: Access) -> None:
    """Its doors."""

    @pages.get("/settings")
    def settings() -> ResponseReturnValue:
        return own_page(access)

    @pages.post("/settings/password")
    @access.attempts.few_from_one_place
    def change_password() -> ResponseReturnValue:
        old, new = request.form.get("old", ""), request.form.get("new", "")
        if new != request.form.get("again", ""):
            flash(_("The new password is not the same both times."))
            return back_to("settings")
        if too_short(new):
            return back_to("settings")
        if not access.check(by(), old):
            return wrong_password(access)
        answer = access.questions.change(SetPassword(by(), access.passwords.hashed(new), by()))
        account = access.questions.account(by())
        if account and isinstance(answer, Done):
            # who knew the old one is out, in whichever browser; this one comes in anew
            access.sessions.end_all(by())
            access.let_in(account)
        told(answer, _("Your password is changed. All other sessions of yours have ended."))
        return back_to("settings")

    @pages.post("/settings/sessions/end")
    def end_session() -> ResponseReturnValue:
        anybodys = current_user.may_govern
        ended = access.sessions.end_labelled(request.form.get("session", ""), None if anybodys else by())
        if ended and ended.key == current_user.session.key:
            return redirect(url_for("login.enter"), 303)
        flash(_("That session has ended.") if ended else _("That session is over already."), "done")
        return back_to("users" if anybodys and request.form.get("back") == "users" else "settings")

    @pages.post("/settings/sessions/others")
    def end_others() -> ResponseReturnValue:
        count = access.sessions.end_all(by(), but=current_user.session.key)
        flash(ngettext("%(num)s other session has ended.", "%(num)s other sessions have ended.", count), "done")
        return back_to("settings")


def own_page(access: Access) -> str:
    """As it is now."""
    people = access.questions.accounts().users
    return shown(
        access.questions,
        "settings_own.html",
        person=next((person for person in people if person.name == by()), None),
        sessions=[session for session in access.sessions.all() if session.name == by()],
        now=access.clock(),
    )


def wrong_password(access: Access) -> ResponseReturnValue:
    """The page again, and one attempt fewer."""
    flash(_("That is not your password."))
    return own_page(access), 401
