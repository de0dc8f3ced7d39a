"""The monthly report on one sheet: outages, what was kept, what was lost, and the books.

Knows: months, as they stand in an address.
Does not know: how it looks, where the figures come from.
"""

from datetime import datetime, timedelta

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from backupmx.control.answers import Refused, ReportAnswer
from backupmx.core.history import month_named, next_month
from webui.control import Questions
from webui.frame import still

MONTH = "%Y-%m"
OFFERED = 3
"""Months that can be chosen: those of which outages are still known, and one more for its books."""


def install(pages: Blueprint, questions: Questions) -> None:
    """Its door."""

    @pages.get("/report")
    def report() -> ResponseReturnValue:
        status = questions.status()
        first = _month(request.args.get("month", ""), status.time)
        answer = questions.report(first.strftime(MONTH))
        months = answer.months if isinstance(answer, ReportAnswer) else ()
        since = answer.since if isinstance(answer, ReportAnswer) else None
        offered = _months(status.time)
        return render_template(
            "report.html",
            status=status,
            now=status.time,
            first=first,
            over=next_month(first) <= status.time,
            total=next((month for month in months if not month.domain), None),
            months=[month for month in months if month.domain],
            problem="; ".join(answer.problems) if isinstance(answer, Refused) else "",
            known_since=since,
            offered=offered if first in offered else [*offered, first],
            **still(),
        )


def _month(text: str, now: datetime) -> datetime:
    """The one that is named; this one, where none is, or none that can be."""
    try:
        found = month_named(text)
    except ValueError:
        found = now
    meant = found if found.year >= 1970 and found <= now else now
    return meant.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _months(now: datetime) -> list[datetime]:
    """This one and those before it."""
    found = [_month("", now)]
    while len(found) < OFFERED:
        found.append(_month("", found[-1] - timedelta(days=1)))
    return found
