"""The queue: messages by filter, and what an admin does with some of them or with all that the filter means.

Knows: pages of a queue of any length, the way from a choice over a preview to the deed.
Does not know: how it looks, who may act, how messages are moved.
"""

import time
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from backupmx.control.answers import Refused, Row
from backupmx.control.requests import MOVES, Act, ActMatching, CountMatching, ListQueue, Verb
from backupmx.core import ids, notation
from backupmx.core import words as common
from backupmx.core.message import NOTICES, State
from backupmx.core.status import Status
from webui import names, rows, selection, tongue, verbs, words
from webui.control import Questions
from webui.frame import address, frame, still, tidied
from webui.selection import Chosen

PAGE = 50
"""Messages on one page."""
LOOK_S = 0.15
"""How long is looked for them: a page is there at once, and says how far it came."""
SHOWN = 10
"""Messages that are named before something is done to many."""
BUSY_S = 2.0
"""How long one request may go on doing what was asked; the next one goes on from there."""
REASON = 200
"""Characters of an admin's reason."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be done, as a form has it."""

    verb: Verb
    ids: tuple[str, ...]
    everything: bool
    """To all that the filter means, and not to these ids."""
    chosen: Chosen
    upto: datetime | None
    """What came later was not counted, and is left alone."""
    why: str = ""
    after: str | None = None
    done: int = 0
    back: str = ""
    """The message on whose page it was asked for."""


def install(pages: Blueprint, questions: Questions) -> None:
    """Its doors."""

    @pages.get("/queue")
    def queue() -> ResponseReturnValue:
        if elsewhere := tidied():
            return elsewhere
        chosen, wrong = selection.chosen(request.args)
        status = questions.status()
        wanted = ListQueue(chosen.filter(status.time), PAGE, chosen.after or None, LOOK_S)
        found, after = questions.queue_page(wanted)
        return render_template(
            "queue.html",
            status=status,
            now=status.time,
            chosen=chosen,
            wrongly=wrong,
            lines=[rows.line(row, status) for row in found],
            after=after,
            # the time was over before the page was full
            searched=after is not None and len(found) < PAGE,
            offers=_offers(status, chosen),
            deeds=verbs.DEEDS,
            **frame(),
        )

    @pages.post("/queue/preview")
    def preview() -> ResponseReturnValue:
        plan = _plan(request.form)
        status = questions.status()
        count, everything, upto, shown = _counted(questions, plan, status)
        return render_template(
            "preview.html",
            status=status,
            now=status.time,
            plan=plan,
            count=count,
            all=everything,
            upto=upto,
            deed=verbs.DEEDS[plan.verb],
            lines=[rows.line(row, status) for row in shown],
            home=_home(plan),
            **still(),
        )

    @pages.post("/queue/act")
    def act() -> ResponseReturnValue:
        plan = _plan(request.form)
        if plan.everything:
            return _act_on_all(questions, plan)
        if plan.ids:
            answer = questions.act(Act(plan.verb, plan.ids, current_user.name, plan.why))
            if isinstance(answer, Refused):
                flash("; ".join(answer.problems), "trouble")
            else:
                flash(verbs.did(plan.verb, len(answer.ids), len(plan.ids)), "done")
        return redirect(_home(plan), 303)


def _act_on_all(questions: Questions, plan: Plan) -> ResponseReturnValue:
    """As much as can be done in a moment; then the browser asks again, and it goes on from there."""
    if plan.upto is None:
        abort(400)
    wanted = plan.chosen.filter(plan.upto)
    after, done, until = plan.after, plan.done, time.monotonic() + BUSY_S
    while True:
        answer = questions.act(ActMatching(plan.verb, wanted, current_user.name, plan.upto, plan.why, after))
        if isinstance(answer, Refused):
            flash("; ".join((verbs.did(plan.verb, done), *answer.problems)), "trouble")
            return redirect(_home(plan), 303)
        done, after = done + len(answer.ids), answer.after
        if after is None:
            flash(verbs.did(plan.verb, done), "done")
            return redirect(_home(plan), 303)
        if time.monotonic() > until:
            return render_template(
                "working.html", plan=plan, said=verbs.did(plan.verb, done), done=done, after=after, home=_home(plan), **still()
            )


def _plan(form: MultiDict[str, str]) -> Plan:
    """What a form asks for; a form that our pages did not make is a bad request."""
    try:
        chosen, wrong = selection.chosen(form)
        plan = Plan(
            Verb(form.get("verb", "")),
            tuple(dict.fromkeys(form.getlist("id"))),
            "everything" in form,
            chosen,
            selection.moment(form["upto"]) if form.get("upto") else None,
            words.seen(form.get("why", "")).strip()[:REASON],
            form.get("from") or None,
            int(form.get("done", "0")),
            form.get("back", ""),
        )
        for id in (*plan.ids, *filter(None, (plan.after, plan.back))):
            ids.decode(id)
    except (ValueError, OverflowError):
        abort(400)
    if wrong:
        # a filter without one of its parts means more than was meant
        abort(400)
    return plan


def _counted(questions: Questions, plan: Plan, status: Status) -> tuple[int, bool, datetime, list[Row]]:
    """To how many it would be done, whether these are all, up to which moment, and the first of them."""
    if not plan.everything:
        found = [row for row in map(questions.message, plan.ids) if isinstance(row, Row)]
        moved = [row for row in found if row.message.state() in MOVES[plan.verb]]
        return len(moved), True, status.time, moved[:SHOWN]
    wanted = plan.chosen.filter(status.time)
    counted = questions.count(CountMatching(plan.verb, wanted))
    listed, _ = questions.queue_page(ListQueue(wanted, SHOWN, seconds=LOOK_S))
    shown = [row for row in listed if row.message.state() in MOVES[plan.verb]]
    return counted.messages, counted.all, counted.upto or status.time, shown


def _home(plan: Plan) -> str:
    """Where one was before."""
    return url_for("pages.message", id=plan.back) if plan.back else address(url_for("pages.queue"), plan.chosen.args())


def _offers(status: Status, chosen: Chosen) -> dict[str, list[tuple[str, str]]]:
    """What the filter's lists have, and whatever else is chosen now: values and their names."""
    domains = [domain.domain for domain in status.domains]
    if chosen.domain and chosen.domain not in domains:
        domains.append(chosen.domain)
    ages = list(selection.AGES)
    if chosen.older and chosen.older not in ages:
        ages.append(chosen.older)
    return {
        "domain": [(name, words.domain_name(name)) for name in dict.fromkeys([*domains, NOTICES])],
        "state": [(state.value, names.state(state.value)) for state in State],
        "older": [(age, common.span(notation.duration(age), tongue)) for age in ages],
    }
