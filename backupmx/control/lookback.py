"""What may be asked about how things went: the last hour, day or month, the books, a month's report.

Knows: the history's and the spool's doors.
Does not know: sockets, and who asks.
"""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from backupmx.control.answers import AnyAnswer, BooksAnswer, HistoryAnswer, Refused, ReportAnswer
from backupmx.control.requests import GetBooks, GetHistory, GetReport, LookBack
from backupmx.core import books, history
from backupmx.core.books import Line
from backupmx.core.history import Month
from backupmx.core.message import NOTICES
from backupmx.ports import Clock, Spool
from backupmx.watch.history import History

NONE = timedelta(0)


class LookBackDesk:
    """An admin's view of the past."""

    def __init__(self, past: History, spool: Spool, domains: Collection[str], clock: Clock) -> None:
        self._past = past
        self._spool = spool
        self._domains = domains
        self._clock = clock

    async def answer(self, request: LookBack) -> AnyAnswer:
        """Each question has one answer. The file is read in a thread: it may be slow, and mail is not to wait for it."""
        now = self._clock()
        match request:
            case GetHistory():
                return HistoryAnswer(await asyncio.to_thread(self._past.told, request.span, now))
            case GetBooks():
                return BooksAnswer(self._spool.books(request.since))
            case GetReport():
                return await self._report(request.month, now)

    async def _report(self, named: str, now: datetime) -> AnyAnswer:
        try:
            first = history.month_named(named)
        except ValueError as error:
            return Refused((str(error),))
        if first > now:
            return Refused((f"{named}: has not begun",))
        since, end = self._past.since(now), history.next_month(first)
        if since >= end:
            return Refused((f"{named}: what is known of outages begins on {since:%Y-%m-%d}",))
        months = await asyncio.to_thread(self._months, first, end, now)
        return ReportAnswer(months, since if since > first else None)

    def _months(self, first: datetime, end: datetime, now: datetime) -> tuple[Month, ...]:
        outages, waits = self._past.outages(first, end), self._past.longest_waits(first, end)
        lines = self._lines(first, end)
        there = {*lines, *waits, *(outage.domain for outage in outages)}
        names = [*self._domains, *sorted(there.difference(self._domains))]
        each = [
            history.month(
                first,
                now,
                name,
                [outage for outage in outages if outage.domain == name],
                lines.get(name, Line()),
                waits.get(name, NONE),
            )
            for name in names
        ]
        total = sum(lines.values(), Line())
        return (history.month(first, now, "", outages, total, max(waits.values(), default=NONE)), *each)

    def _lines(self, first: datetime, end: datetime) -> Mapping[str, Line]:
        """The days of the month in one line a domain; what we wrote ourselves is nobody's mail."""
        days = range(books.day(first), books.day(end))
        return {
            domain: sum((line for day, line in lines.items() if day in days), Line())
            for domain, lines in self._spool.books(days.start).items()
            if domain != NOTICES
        }
