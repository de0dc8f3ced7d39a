"""Tokens, for admins: which programs come in, and what is open to them.

Knows: the forms, and that a new token is shown once.
Does not know: who may send them, how tokens are kept.
"""

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from backupmx.control.accounts import Scope
from backupmx.control.answers import Made
from backupmx.control.requests import CreateToken, RevokeToken
from webui.login import Access
from webui.settings.frame import back_to, by, shown, told
from webui.tongue import gettext as _
from webui.tongue import lazy_gettext as _l

SCOPES = {
    Scope.READ: _l("reads all that the page shows, and the metrics"),
    Scope.ACT: _l("reads, and moves messages as an operator"),
    Scope.RECIPIENTS: _l("puts lists of recipients in place, and reads nothing"),
}
TOKEN = "token"  # noqa: S105 - under this name it is kept beside the session, until it was shown


def install(pages: Blueprint, access: Access) -> None:
    """Its doors."""

    @pages.get("/settings/tokens")
    def tokens() -> ResponseReturnValue:
        return shown(
            access.questions,
            "settings_tokens.html",
            tokens=access.questions.accounts().tokens,
            new=access.sessions.take(current_user.session.key, TOKEN),
            scopes=SCOPES,
            now=access.clock(),
        )

    @pages.post("/settings/tokens/create")
    def create_token() -> ResponseReturnValue:
        name = _name()
        try:
            scope = Scope(request.form.get("scope", ""))
        except ValueError:
            abort(400)
        answer = access.questions.change(CreateToken(name, scope, by()))
        if told(answer, _("%(name)s is made.", name=name)) and isinstance(answer, Made):
            access.sessions.put_aside(current_user.session.key, TOKEN, (name, *answer.secrets))
        return back_to("tokens")

    @pages.post("/settings/tokens/revoke")
    def revoke_token() -> ResponseReturnValue:
        name = _name()
        told(access.questions.change(RevokeToken(name, by())), _("%(name)s opens nothing any more.", name=name))
        return back_to("tokens")


def _name() -> str:
    return request.form.get("name", "").strip()[:200]
