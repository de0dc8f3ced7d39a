"""Users, for admins: who they are, what they may do, where they are signed in.

Knows: the forms.
Does not know: who may send them, how accounts are kept; that an admin is left, the server sees to.
"""

from collections import Counter

from flask import Blueprint, abort, flash, request
from flask.typing import ResponseReturnValue

from backupmx.control.accounts import Role
from backupmx.control.requests import AddUser, DropSecond, RemoveUser, SetPassword, SetRole
from webui.login import Access
from webui.settings.frame import back_to, by, shown, told, too_short
from webui.tongue import gettext as _
from webui.tongue import lazy_gettext as _l
from webui.tongue import ngettext

ROLES = {
    Role.VIEWER: _l("viewer: reads"),
    Role.OPERATOR: _l("operator: reads, and moves messages"),
    Role.ADMIN: _l("admin: everything, also what messages say"),
}


def install(pages: Blueprint, access: Access) -> None:  # noqa: C901 - one door after the other
    """Its doors."""

    @pages.get("/settings/users")
    def users() -> ResponseReturnValue:
        sessions = access.sessions.all()
        return shown(
            access.questions,
            "settings_users.html",
            people=access.questions.accounts().users,
            sessions=sessions,
            counts=Counter(session.name for session in sessions),
            roles=ROLES,
            now=access.clock(),
        )

    @pages.post("/settings/users/add")
    def add_user() -> ResponseReturnValue:
        name, role, password = _name(), _role(), request.form.get("password", "")
        if not too_short(password):
            answer = access.questions.change(AddUser(name, role, access.passwords.hashed(password), by()))
            told(answer, _("%(name)s is added.", name=name))
        return back_to("users")

    @pages.post("/settings/users/role")
    def set_role() -> ResponseReturnValue:
        name, role = _name(), _role()
        answer = access.questions.change(SetRole(name, role, by()))
        told(answer, _("%(name)s is %(role)s from now on.", name=name, role=role.value))
        return back_to("users")

    @pages.post("/settings/users/password")
    def set_password() -> ResponseReturnValue:
        name, password = _name(), request.form.get("password", "")
        if too_short(password):
            return back_to("users")
        answer = access.questions.change(SetPassword(name, access.passwords.hashed(password), by()))
        if told(answer, _("%(name)s has a new password.", name=name)):
            access.sessions.end_all(name)
        return back_to("users")

    @pages.post("/settings/users/second")
    def reset_second() -> ResponseReturnValue:
        name = _name()
        answer = access.questions.change(DropSecond(name, by()))
        told(answer, _("%(name)s is asked for no code any more.", name=name))
        return back_to("users")

    @pages.post("/settings/users/sessions")
    def end_sessions() -> ResponseReturnValue:
        count = access.sessions.end_all(_name())
        flash(ngettext("%(num)s session has ended.", "%(num)s sessions have ended.", count), "done")
        return back_to("users")

    @pages.post("/settings/users/remove")
    def remove_user() -> ResponseReturnValue:
        name = _name()
        if told(access.questions.change(RemoveUser(name, by())), _("%(name)s is removed.", name=name)):
            access.sessions.end_all(name)
        return back_to("users")


def _name() -> str:
    return request.form.get("name", "").strip()[:200]


def _role() -> Role:
    try:
        return Role(request.form.get("role", ""))
    except ValueError:
        abort(400)
