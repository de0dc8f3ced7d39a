"""Alerts: what is wrong now, whom that is told, whether messages arrive, and a time without any.

Knows: the forms, how long a time without messages may be chosen to be.
Does not know: who may send them, what is wrong, how messages are carried.
"""

from datetime import datetime, timedelta

from flask import Blueprint, abort, flash, request
from flask.typing import ResponseReturnValue

from backupmx.control.requests import MuteAlerts
from webui import words
from webui.login import Access
from webui.settings.frame import back_to, by, shown, told
from webui.tongue import gettext as _

MORNING = 8
"""When "until tomorrow" is over, by the clock of the page."""
LENGTHS = {"1h": timedelta(hours=1), "4h": timedelta(hours=4)}


def install(pages: Blueprint, access: Access) -> None:
    """Its doors."""

    @pages.get("/settings/alerts")
    def alerts() -> ResponseReturnValue:
        now = access.questions.status().time
        answer = access.questions.alerts()
        return shown(access.questions, "settings_alerts.html", alerts=answer, now=now, tomorrow=_tomorrow(now))

    @pages.post("/settings/alerts/test")
    def test_alerts() -> ResponseReturnValue:
        for each in access.questions.test_alerts(by()):
            if each.why is None:
                flash(_("%(place)s: a message is sent. Look whether it arrives.", place=each.place), "done")
            else:
                flash(_("%(place)s: it could not be sent. %(why)s", place=each.place, why=each.why))
        return back_to("alerts")

    @pages.post("/settings/alerts/mute")
    def mute_alerts() -> ResponseReturnValue:
        now = access.questions.status().time
        until = _until(request.form.get("until", ""), now)
        if until is None:
            done = _("From now on admins are told again.")
        else:
            done = _("Nobody is told of anything until %(moment)s.", moment=words.clock(until, now))
        told(access.questions.change(MuteAlerts(until, by())), done)
        return back_to("alerts")


def _until(chosen: str, now: datetime) -> datetime | None:
    """None: no longer."""
    if chosen == "end":
        return None
    if chosen == "tomorrow":
        return _tomorrow(now)
    if chosen not in LENGTHS:
        abort(400)
    return now + LENGTHS[chosen]


def _tomorrow(now: datetime) -> datetime:
    return (now + timedelta(days=1)).replace(hour=MORNING, minute=0, second=0, microsecond=0)
