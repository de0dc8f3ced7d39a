"""Who may do what: a role for people, a scope for programs; everything that is not named as open is closed.

Knows: every door that is not just for reading, and what it takes to come in.
Does not know: who somebody is (`login`), what the doors do.
"""

import re
from collections.abc import Mapping

from flask import Response, abort, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.exceptions import MethodNotAllowed

from backupmx.control.accounts import Role, Scope
from webui.control import Questions

SETUP = {f"setup.{door}" for door in ("begin", "enter", "answer", "check", "look", "claim", "done")}
"""There while a machine is nobody's, for who has its code (`webui.setup.gate`)."""
OPEN = {"static", "login.enter", "login.code", "languages.choose", "api.healthz"} | SETUP
"""What a stranger may ask for."""
READING = {"GET", "HEAD", "OPTIONS"}
LEAST: Mapping[str, Role] = {
    "login.leave": Role.VIEWER,
    "pages.change_password": Role.VIEWER,
    "pages.set_second": Role.VIEWER,
    "pages.drop_second": Role.VIEWER,
    "pages.end_session": Role.VIEWER,
    "pages.end_others": Role.VIEWER,
    "pages.preview": Role.OPERATOR,
    "pages.act": Role.OPERATOR,
    "pages.test_alerts": Role.OPERATOR,
    "pages.mute_alerts": Role.OPERATOR,
    "pages.look_again": Role.OPERATOR,
    "pages.resume": Role.OPERATOR,
    "pages.preview_list": Role.OPERATOR,
    "pages.hand_in_list": Role.OPERATOR,
    "pages.approve_list": Role.OPERATOR,
    "pages.verify_recipient": Role.OPERATOR,
    "pages.protect": Role.ADMIN,
    "pages.add_domain": Role.ADMIN,
    "pages.domain_settings": Role.ADMIN,
    "pages.set_domain": Role.ADMIN,
    "pages.leave_domain": Role.ADMIN,
    "pages.remove_domain": Role.ADMIN,
    # what people wrote to each other is for nobody else
    "pages.content": Role.ADMIN,
    "pages.users": Role.ADMIN,
    "pages.add_user": Role.ADMIN,
    "pages.set_role": Role.ADMIN,
    "pages.set_password": Role.ADMIN,
    "pages.reset_second": Role.ADMIN,
    "pages.end_sessions": Role.ADMIN,
    "pages.remove_user": Role.ADMIN,
    "pages.tokens": Role.ADMIN,
    "pages.create_token": Role.ADMIN,
    "pages.revoke_token": Role.ADMIN,
    "pages.backup": Role.ADMIN,
    "pages.download_backup": Role.ADMIN,
    "pages.look_at_backup": Role.ADMIN,
    "pages.restore_backup": Role.ADMIN,
}
"""The least role for each door. One that is not here is for everybody who is signed in, if it is read, and else for admins."""
RANK = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)

READERS = {Scope.READ, Scope.ACT}
"""Tokens that may read."""
CHANGING: Mapping[Scope, set[str]] = {Scope.RECIPIENTS: {"recipients.put"}, Scope.ACT: {"acting.act", "acting.resume"}}
"""What a token may do that does not read."""
REALM = 'Bearer realm="Backup MX"'
OURS = re.compile(
    r"/((queue|track|report)(\?[!-~]{0,400})?|message/[0-9A-Za-z]{1,26}|settings(/[a-z]{1,20})?"
    r"|protect|domains(/[a-z0-9.-]{1,253}(/(settings|remove))?)?)?",
    re.ASCII,
)
"""Where a login may lead: to our own pages, and nowhere else."""


def enough(role: str, least: Role) -> bool:
    """Whether somebody of this role may do what takes at least that one. A role that nobody knows is no more than a viewer."""
    known = Role(role) if role in RANK else Role.VIEWER
    return RANK.index(known) >= RANK.index(least)


def guard(questions: Questions) -> ResponseReturnValue | None:
    """Let in who may come in; None lets the request go on."""
    if request.endpoint in OPEN:
        return None
    if request.path.startswith(("/api/", "/metrics")):
        return _programs(questions)
    if isinstance(request.routing_exception, MethodNotAllowed):
        return None
    if current_user.is_authenticated:
        return None if enough(current_user.role, _least()) else abort(403)
    asked = request.full_path.removesuffix("?")
    target = url_for("login.enter", next=asked) if OURS.fullmatch(asked) else url_for("login.enter")
    if "HX-Request" in request.headers:
        return Response(status=401, headers={"HX-Redirect": target})
    return redirect(target)


def _least() -> Role:
    return LEAST.get(request.endpoint or "", Role.VIEWER if request.method in READING else Role.ADMIN)


def _programs(questions: Questions) -> ResponseReturnValue | None:
    """A token opens what it is for and nothing else; a login reads alone, for other sites' pages can send its cookie."""
    reads = request.method in READING
    if not request.authorization:
        return None if reads and current_user.is_authenticated else _challenge()
    token = request.authorization.token if request.authorization.type == "bearer" else None
    key = questions.key(token) if token else None
    if key is None:
        return _challenge()
    g.by = f"token {key.name}"
    if (reads and key.scope in READERS) or request.endpoint in CHANGING.get(key.scope, ()):
        return None
    return {"error": "this token is not for that"}, 403, {"WWW-Authenticate": f'{REALM}, error="insufficient_scope"'}


def _challenge() -> ResponseReturnValue:
    return {"error": "a login or a token is needed"}, 401, {"WWW-Authenticate": REALM}
