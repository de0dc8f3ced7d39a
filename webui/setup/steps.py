"""The steps: the code, the answers, what was found, and waiting for the server that comes afterwards.

Knows: forms, which step follows on which, what to say when the code does not count any more.
Does not know: what is right, what makes the machine somebody's.
"""

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from msgspec.structs import replace

from backupmx.control.answers import CodeRefused, Done, MachineAnswer, Refused, SetupChecked
from backupmx.control.passwords import LONGEST, SHORTEST
from backupmx.core import words as common
from backupmx.core.finding import Finding, Level
from webui import tongue, words
from webui.attempts import Attempts
from webui.domains import dns
from webui.frame import partial, still
from webui.health import GRAVITY
from webui.passwords import Passwords
from webui.setup.asking import Asking, Gone
from webui.setup.visits import Visit, Visits, too_late
from webui.tongue import gettext as _

LONGEST_ANSWER = 2000
"""Characters."""
TYPED = ("domain", "primary", "hostname", "alert", "name")


def blueprint(asking: Asking, attempts: Attempts, passwords: Passwords) -> Blueprint:  # noqa: C901 - one door after the other
    """The doors of the set-up."""
    pages, visits = Blueprint("setup", __name__), Visits()

    @pages.get("/setup")
    def begin() -> ResponseReturnValue:
        return _form(visit) if (visit := visits.mine) else render_template("setup_code.html")

    @pages.post("/setup")
    @attempts.few_from_one_place
    def enter() -> ResponseReturnValue:
        code = request.form.get("code", "")[:64]
        answer = asking.begin(code)
        if not isinstance(answer, MachineAnswer):
            return _closed(visits, answer)
        visits.begin(code, answer)
        return redirect(url_for("setup.begin"), 303)

    @pages.post("/setup/answers")
    def answer() -> ResponseReturnValue:
        visit = visits.mine
        if visit is None:
            return redirect(url_for("setup.begin"), 303)
        fault = _take(visit, passwords)
        checked = asking.check(visit.code, visit.answers, afresh=True)
        if not isinstance(checked, SetupChecked):
            return _closed(visits, checked)
        faults = {each.key: each.said for each in checked.faults if each.key != "password"}
        if fault or (not faults and checked.faults):
            faults["password"] = fault or _("A password is needed.")
        visit.checked = not faults
        return _form(visit, faults) if faults else redirect(url_for("setup.check"), 303)

    @pages.get("/setup/check")
    def check() -> ResponseReturnValue:
        visit = visits.mine
        if visit is None or not visit.checked:
            return redirect(url_for("setup.begin"), 303)
        checked = asking.check(visit.code, visit.answers)
        if not isinstance(checked, SetupChecked):
            return _closed(visits, checked)
        if partial() and not checked.looking:
            # the page that asked waits no longer
            return "", 200, {"HX-Redirect": url_for("setup.check")}
        return _found(visit, checked)

    @pages.post("/setup/look")
    def look() -> ResponseReturnValue:
        visit = visits.mine
        if visit and visit.checked:
            asking.check(visit.code, visit.answers, afresh=True)
        return redirect(url_for("setup.check"), 303)

    @pages.post("/setup/claim")
    def claim() -> ResponseReturnValue:
        visit = visits.mine
        if visit is None or not visit.checked:
            return redirect(url_for("setup.begin"), 303)
        claimed = asking.claim(visit.code, visit.answers)
        if isinstance(claimed, Refused):
            flash("; ".join(claimed.problems), "trouble")
            return redirect(url_for("setup.check"), 303)
        if isinstance(claimed, SetupChecked):
            return _form(visit, {each.key: each.said for each in claimed.faults})
        if not isinstance(claimed, Done):
            return _closed(visits, claimed)
        visits.end_all()
        return redirect(url_for("setup.done"), 303)

    @pages.get("/setup/done")
    def done() -> ResponseReturnValue:
        if asking.serving():
            login = url_for("login.enter")
            return ("", 200, {"HX-Redirect": login}) if partial() else redirect(login, 303)
        return render_template("setup_done.html", layout="partial.html" if partial() else "live.html", here=request.path)

    return pages


def _closed(visits: Visits, answer: CodeRefused | Gone) -> ResponseReturnValue:
    """The code opens nothing: not now, not this one, or not any more."""
    if isinstance(answer, Gone):
        too_late()
        return redirect(url_for("setup.done"), 303)
    if answer.wait_s:
        # somebody guesses, and this is not the code either
        wait = common.span(timedelta(seconds=answer.wait_s), tongue)
        flash(_("Too many attempts. Please wait %(time)s.", time=wait), "trouble")
        return render_template("setup_code.html"), 429, {"Retry-After": str(answer.wait_s)}
    visits.end()
    flash(_("That is not the code of this machine."), "trouble")
    return render_template("setup_code.html"), 401


def _take(visit: Visit, passwords: Passwords) -> str:
    """What was typed; what is wrong with the password. One that was given before stays when nothing is typed in its place."""
    typed = {key: words.seen(request.form.get(key, "")).strip()[:LONGEST_ANSWER] for key in TYPED}
    password, again = request.form.get("password", ""), request.form.get("again", "")
    hashed, fault = visit.answers.password_hash, ""
    if password or again or not hashed:
        hashed, fault = "", _fault(password, again)
        if not fault:
            hashed = passwords.hashed(password)
    visit.answers = replace(visit.answers, **typed, password_hash=hashed)
    return fault


def _fault(password: str, again: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        said = _("A password has at least %(shortest)s characters, and at most %(longest)s.", shortest=SHORTEST, longest=LONGEST)
        return str(said)
    return "" if password == again else str(_("The password is not the same both times."))


def _form(visit: Visit, faults: dict[str, str] | None = None) -> ResponseReturnValue:
    page = render_template(
        "setup_answers.html",
        answers=visit.answers,
        machine=visit.machine,
        faults=faults or {},
        shortest=SHORTEST,
        longest=LONGEST,
        **still(),
    )
    return page, 422 if faults else 200


def _found(visit: Visit, checked: SetupChecked) -> ResponseReturnValue:
    """What was found: first what DNS should say, then everything else, what is to be mended first."""
    of_dns = [finding for finding in checked.findings if finding.topic in dns.ORDER]
    others = [finding for finding in checked.findings if finding.topic not in dns.ORDER]
    return render_template(
        "setup_check.html",
        answers=visit.answers,
        looking=checked.looking,
        records=dns.rows(of_dns),
        others=sorted(others, key=lambda finding: GRAVITY.index(finding.level)),
        all_well=_all_well(checked.findings),
        layout=("partial.html" if partial() else "live.html") if checked.looking else "base.html",
        here=request.path,
    )


def _all_well(findings: tuple[Finding, ...]) -> bool:
    return not any(finding.level in (Level.BAD, Level.ODD) for finding in findings)
