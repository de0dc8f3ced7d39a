"""What all pages of the settings share: the way from one to the other, and how it is told what came of a form.

Knows: which pages there are, in which words a refusal is told.
Does not know: what is on them, who may see and send them.
"""

from collections.abc import Mapping

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from backupmx.control import accounts
from backupmx.control.accounts import Role
from backupmx.control.answers import Done, Made, Refused
from backupmx.control.passwords import LONGEST, SHORTEST
from webui.control import Questions
from webui.frame import still
from webui.guard import LEAST, enough
from webui.tongue import gettext as _
from webui.tongue import lazy_gettext as _l

ROOMS = (
    ("settings", _l("Your account")),
    ("users", _l("Users")),
    ("tokens", _l("Tokens")),
    ("alerts", _l("Alerts")),
    ("backup", _l("Backup")),
)
"""By their endpoints."""
_REFUSALS: Mapping[str, object] = {
    accounts.TAKEN: _l("There is one of this name already."),
    accounts.UNKNOWN: _l("There is none of this name any more."),
    accounts.LAST_ADMIN: _l("The last admin must stay one: nobody could come in here any more."),
    accounts.BAD_NAME: _l("A name is made of letters without accents, digits and . _ @ + -, at most 64 of them."),
}


def shown(questions: Questions, template: str, /, **parts: object) -> str:
    """One of the pages."""
    status = questions.status()
    rooms = [(name, said) for name, said in ROOMS if enough(current_user.role, LEAST.get(f"pages.{name}", Role.VIEWER))]
    return render_template(template, status=status, rooms=rooms, shortest=SHORTEST, longest=LONGEST, **parts, **still())


def told(answer: Done | Made | Refused, done: str) -> bool:
    """Have the next page say what came of a request; returns whether it was done."""
    if isinstance(answer, Refused):
        for problem in answer.problems:
            flash(str(_REFUSALS.get(problem, problem)))
        return False
    flash(done, "done")
    return True


def back_to(room: str) -> ResponseReturnValue:
    """After a form, so that a reload sends nothing again."""
    return redirect(url_for(f"pages.{room}"), 303)


def too_short(password: str) -> bool:
    """Whether a new password protects nothing, or is endless; if so, the next page says it."""
    if SHORTEST <= len(password) <= LONGEST:
        return False
    flash(_("A password has at least %(shortest)s characters, and at most %(longest)s.", shortest=SHORTEST, longest=LONGEST))
    return True


def by() -> str:
    """Who asks, for the log."""
    return str(current_user.name)
