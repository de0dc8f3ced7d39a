"""The overview: is mail safe, how much waits, for whom, since when, when will it go.

Knows: which questions make the page.
Does not know: how it looks, who may read.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from msgspec.structs import replace

from backupmx.control.requests import ListQueue
from backupmx.core.books import date_of, day
from backupmx.core.history import History, Span
from backupmx.core.status import DomainStatus, PrimaryState
from backupmx.errors import ControlUnavailable
from webui import books, health, rows, trends
from webui.control import Questions
from webui.frame import frame

NEWEST = 5
"""Messages on the overview; the queue's page has all."""
LOOK_BACK = 61
"""Days of the books: no message waits for longer."""
MONTH_KEPT = timedelta(minutes=1)
"""How long a month's history serves: it costs the server a tenth of a second, and moves by steps of hours."""
URGENCY = (PrimaryState.DOWN, PrimaryState.UNKNOWN, PrimaryState.UP)
T = TypeVar("T")


class Month:
    """The last month's history, asked for now and then; outages are as new as the span that is asked for each time."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._known: tuple[datetime, History] | None = None

    def told(self, fresh: History, now: datetime) -> History:
        """With what is newer in `fresh`."""
        known = self._known
        if known is None or not timedelta(0) <= now - known[0] < MONTH_KEPT:
            self._known = known = (now, self._questions.history(Span.MONTH))
        outages = {(outage.domain, outage.began): outage for outage in (*known[1].outages, *fresh.outages)}
        return replace(known[1], outages=tuple(outages.values()))


def install(pages: Blueprint, questions: Questions) -> None:
    """Its door."""
    last_month = Month(questions)

    @pages.get("/")
    def overview() -> ResponseReturnValue:
        status = questions.status()
        now = status.time
        span = _span(request.args.get("span", ""))
        fresh = if_known(lambda: questions.history(Span.HOUR if span is Span.MONTH else span))
        month = if_known(lambda: last_month.told(fresh, now)) if fresh else None
        history = month if span is Span.MONTH else fresh
        booked = if_known(lambda: questions.books(day(now) - LOOK_BACK))
        all_books = books.total(booked) if booked is not None else None
        return render_template(
            "overview.html",
            status=status,
            now=now,
            domains=sorted(status.domains, key=_urgency),
            pasts={domain.domain: _past(month, domain, now) for domain in status.domains},
            trends=trends.trends(history, now) if history else None,
            spans=tuple(Span),
            grid=books.ages(booked, day(now)) if booked else None,
            books=all_books,
            since=date_of(day(now) - LOOK_BACK),
            health=health.health(
                if_known(questions.stats), history.points if history else (), all_books, if_known(questions.findings)
            ),
            lines=[rows.line(row, status) for row in questions.listing(ListQueue(limit=NEWEST))],
            **frame(),
        )


def if_known(ask: Callable[[], T]) -> T | None:
    """What makes the page richer is not to take it away: the sentence of truth needs none of it."""
    try:
        return ask()
    except ControlUnavailable:
        return None


def _span(text: str) -> Span:
    return Span(text) if text in tuple(Span) else Span.DAY


def _urgency(domain: DomainStatus) -> tuple[int, int]:
    return 0 if domain.doubtful else URGENCY.index(domain.primary.state), -domain.messages


def _past(month: History | None, domain: DomainStatus, now: datetime) -> trends.Past | None:
    return trends.past(month, domain.domain, now) if month else None
