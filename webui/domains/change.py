"""Domains being added, changed and removed, for admins.

Knows: forms of settings, what is wrong beside each, that nobody's change is lost over another one's.
Does not know: values and their limits, the file, how a change is taken: the server sees to all of it.
"""

import time
from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from backupmx.control.answers import Refused
from backupmx.control.requests import AmendDomain
from backupmx.core import notation
from backupmx.core.amendment import Amended, Change, Sheet
from backupmx.core.status import Status
from backupmx.errors import ControlUnavailable
from webui import words
from webui.control import Questions
from webui.domains import words as domain_words
from webui.domains.sheet import known, nobody
from webui.frame import still
from webui.tongue import gettext as _

LONGEST = 2000
"""Characters of one value."""
TAKEN_S, ROUND_S = 8.0, 0.1
"""How long the next page waits for the server to go by the changed file, so that it shows what holds."""


def install(pages: Blueprint, questions: Questions) -> None:  # noqa: C901 - one door after the other
    """Its doors."""

    @pages.get("/protect")
    def protect() -> ResponseReturnValue:
        return _form(questions.status(), questions.domain("").sheet, name=words.seen(request.args.get("name", ""))[:253])

    @pages.post("/protect")
    def add_domain() -> ResponseReturnValue:
        status, name = questions.status(), words.seen(request.form.get("name", "")).strip()[:253]
        try:
            domain = notation.domain(name)
        except ValueError as error:
            return _form(status, questions.domain("").sheet, name=name, typed=request.form, faults={"name": str(error)})
        sheet = questions.domain(domain).sheet
        if sheet.there:
            fault = _("It is protected already.")
            return _form(status, sheet, name=name, typed=request.form, faults={"name": fault}, new=True)
        return _amend(questions, status, Change.ADD, sheet, name)

    @pages.get("/domains/<name>/settings")
    def domain_settings(name: str) -> ResponseReturnValue:
        status = questions.status()
        sheet = _sheet(questions, status, name)
        return _form(status, sheet) if sheet else nobody(status, name)

    @pages.post("/domains/<name>/settings")
    def set_domain(name: str) -> ResponseReturnValue:
        status = questions.status()
        sheet = _sheet(questions, status, name)
        return _amend(questions, status, Change.SET, sheet) if sheet else nobody(status, name)

    @pages.get("/domains/<name>/remove")
    def leave_domain(name: str) -> ResponseReturnValue:
        return _leave(questions, name)

    @pages.post("/domains/<name>/remove")
    def remove_domain(name: str) -> ResponseReturnValue:
        status = questions.status()
        sheet = _sheet(questions, status, name)
        if sheet is None:
            return nobody(status, name)
        if request.form.get("name", "").strip().lower().rstrip(".") != sheet.domain:
            flash(_("Nothing was removed: type the name of the domain to remove it."), "trouble")
            return _leave(questions, name)
        answer = _ask(questions, Change.REMOVE, sheet, {})
        if isinstance(answer, Refused) or answer.faults:
            problems = answer.problems if isinstance(answer, Refused) else tuple(fault.said for fault in answer.faults)
            flash("; ".join(problems), "trouble")
            return _leave(questions, name)
        _wait(questions, sheet.domain)
        flash(_("%(domain)s is protected no longer.", domain=sheet.domain), "done")
        return redirect(url_for("pages.domains"), 303)

    def _leave(questions: Questions, name: str) -> ResponseReturnValue:
        status = questions.status()
        found = known(questions, status, name)
        if found is None or not found[0].sheet.there:
            return nobody(status, name)
        return render_template("domain_remove.html", status=status, sheet=found[0].sheet, domain=found[1], **still())


def _amend(questions: Questions, status: Status, change: Change, sheet: Sheet, name: str = "") -> ResponseReturnValue:
    """What a form asks for."""
    form = request.form
    only_shown = form.get("do") == "show"
    if form.get("made_from") != sheet.digest:
        return _not_lost(status, change, sheet, name)
    wanted = _wanted(sheet, form)
    answer = _ask(questions, change, sheet, wanted, dry_run=only_shown)
    if isinstance(answer, Refused):
        flash("; ".join(answer.problems), "trouble")
        return _form(status, sheet, name=name, typed=form)
    faults = {fault.key: fault.said for fault in answer.faults}
    if faults or only_shown:
        return _form(status, sheet, name=name, typed=form, faults=faults, amended=answer)
    if not answer.difference:
        flash(_("Nothing was to be changed."), "done")
    elif _wait(questions, sheet.domain):
        flash(_("Done. It holds from now on."), "done")
    else:
        flash(_("The change is in the file, and is being applied."), "done")
    return redirect(url_for("pages.domain", name=sheet.domain), 303)


def _not_lost(status: Status, change: Change, sheet: Sheet, name: str) -> ResponseReturnValue:
    """The form was made from another state of the file: what is there now is shown, and what was typed is said once more."""
    typed = [f"{key} = {text}" for key, text in _wanted(sheet, request.form).items()]
    flash(_("Somebody changed the file meanwhile: nothing of yours was written. Here is what it says now."), "trouble")
    if typed:
        flash(_("Yours was, where it differs: %(typed)s", typed="; ".join(typed)), "trouble")
    return _form(status, sheet, name=name, new=change is Change.ADD)


def _ask(
    questions: Questions, change: Change, sheet: Sheet, wanted: Mapping[str, str], *, dry_run: bool = False
) -> Amended | Refused:
    made_from = request.form.get("made_from", "")
    return questions.amend(AmendDomain(change, sheet.domain, made_from, current_user.name, wanted, dry_run))


def _wanted(sheet: Sheet, form: Mapping[str, str]) -> dict[str, str]:
    """What was typed, where it is something else than what the file has."""
    typed = {
        setting.key: words.seen(form[setting.key]).strip()[:LONGEST]
        for setting in sheet.settings
        if setting.key in form and not setting.by_hand
    }
    own = {setting.key: setting.own or "" for setting in sheet.settings}
    return {key: text for key, text in typed.items() if text != own[key]}


def _form(
    status: Status,
    sheet: Sheet,
    *,
    name: str = "",
    typed: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
    amended: Amended | None = None,
    new: bool = False,
) -> ResponseReturnValue:
    """With the values that hold, or that were typed; what is wrong beside each."""
    values = {setting.key: setting.own or "" for setting in sheet.settings}
    if typed is not None:
        values |= {key: words.seen(typed[key])[:LONGEST] for key in values if key in typed}
    faults = faults or {}
    page = render_template(
        "domain_form.html",
        status=status,
        sheet=sheet,
        new=new or not sheet.there,
        name=name,
        values=values,
        groups=domain_words.grouped(sheet.settings),
        faults=faults,
        rest=[said for key, said in faults.items() if key not in values and key != "name"],
        difference=amended.difference if amended and not faults else None,
        words_of=domain_words,
        **still(),
    )
    return page, 422 if faults else 200


def _sheet(questions: Questions, status: Status, name: str) -> Sheet | None:
    found = known(questions, status, name)
    return found[0].sheet if found and found[0].sheet.there else None


def _wait(questions: Questions, domain: str) -> bool:
    """Until the server goes by what the file says; its processes are being replaced meanwhile. False when that takes long."""
    until = time.monotonic() + TAKEN_S
    while time.monotonic() < until:
        try:
            if questions.domain(domain).sheet.applied:
                return True
        except ControlUnavailable:
            # the old one has gone, and the new one does not answer yet
            pass
        time.sleep(ROUND_S)
    return False
