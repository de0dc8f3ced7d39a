"""What is remembered of how things went: a point a minute, the times when primaries were away, the longest waits.

Knows: what is kept in memory, what goes to the file, and when: one point for ten minutes, so that a card lives for years.
Does not know: who counts, what time it is, and who asks. See `ports.Chronicle` for the courier's side.

What comes in is noted in memory, from the loop, and costs next to nothing. What takes a file (`write`, `close`, and all that is
told) is for a thread beside the loop.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from backupmx.core import books, history
from backupmx.core.events import cut
from backupmx.core.history import KEPT, LENGTH, STEP, Outage, Point, Span, Sums
from backupmx.core.message import State
from backupmx.core.queue import Census, Count
from backupmx.core.status import Primary, PrimaryState
from backupmx.watch import log
from backupmx.watch.archive import Archive, damaged

ROW = timedelta(minutes=10)
"""What one point in the file stands for."""
GAP = timedelta(minutes=15)
"""Where nobody looked for so long, it is not known what was meanwhile: an outage counts as over where it was seen last."""
MOST_OUTAGES = 1000
"""That are told of a span: the newest."""
MOST_REPORTED = 20_000
"""That a report is made of."""


@dataclass(slots=True)
class Unwritten:
    """What is not in the file yet."""

    rows: list[Point] = field(default_factory=list)
    outages: dict[tuple[str, datetime], Outage] = field(default_factory=dict)
    """By domain and beginning."""
    waits: dict[tuple[str, int], timedelta] = field(default_factory=dict)
    """The longest, by domain and day."""

    def wait(self, place: tuple[str, int], wait: timedelta) -> None:
        """One more."""
        if wait > self.waits.get(place, timedelta(0)):
            self.waits[place] = wait

    def followed_by(self, later: "Unwritten", oldest: datetime) -> "Unwritten":
        """All of both, as far as it is worth keeping."""
        for place, wait in later.waits.items():
            self.wait(place, wait)
        rows = [row for row in self.rows if row.at > oldest]
        return Unwritten(rows + later.rows, self.outages | later.outages, self.waits)


class History:
    """One for each instance, in the courier's process."""

    def __init__(self, path: Path, domains: Collection[str], now: datetime) -> None:
        """Goes on where the one before it ended; of domains that are no longer ours no outage lasts."""
        self._memory, self._file = Lock(), Lock()
        self._archive = Archive(path)
        self._before: Sums | None = None
        self._minutes: list[Point] = []
        """The last hour's."""
        self._row: list[Point] = []
        """Those that are in no row yet."""
        self._away: dict[str, Outage] = {}
        """That last."""
        self._unseen: dict[str, datetime] = {}
        """Of those that lasted when nobody looked any more: until when they are known to have done so."""
        self._unwritten = Unwritten()
        self._since = now
        try:
            self._go_on(domains, now)
        except Exception as error:  # noqa: BLE001 - whatever stands in the file, it is no reason not to serve
            log.trouble("history", error)
            self._archive.begin_anew(str(error))

    def _go_on(self, domains: Collection[str], now: datetime) -> None:
        minutes = [point for point in self._archive.minutes() if point.at <= now]
        oldest, written = self._archive.ends()
        self._since = min(filter(None, (oldest, *(point.at for point in minutes), now)))
        looked = max(filter(None, (written, *(point.at for point in minutes))), default=now)
        self._away = {outage.domain: outage for outage in self._archive.lasting()}
        if now - looked > GAP:
            self._unseen = dict.fromkeys(self._away, looked)
        for domain in self._away.keys() - set(domains):
            self._end(domain, looked)
        for point in minutes:
            self._add(point, written=written is not None and point.at <= written)

    # What is noted

    def sample(self, now: datetime, census: Census, room: int, sums: Sums) -> None:
        """Once a minute: what there is, and what was counted since the last time."""
        before, self._before = self._before, sums
        if before is None:
            return
        waiting, came = census.total.get(State.WAITING, Count()), sums.since(before)
        flows = (came.accepted, came.relayed, came.delivered, came.refused)
        with self._memory:
            self._add(Point(now, waiting.messages, waiting.bytes, *flows, room))

    def _add(self, point: Point, *, written: bool = False) -> None:
        if self._row and history.end_of_step(self._row[0].at, ROW) != history.end_of_step(point.at, ROW):
            self._unwritten.rows += history.together(self._row, ROW)
            self._row = []
        if not written:
            self._row.append(point)
        hour = point.at - LENGTH[Span.HOUR]
        # a clock that was set back begins anew from there
        self._minutes = [other for other in self._minutes if hour < other.at < point.at] + [point]

    def primary(self, domain: str, primary: Primary, now: datetime) -> None:
        """How a domain's primary is shown to people from now on, whether or not that is news. See `ports.Chronicle`."""
        if primary.state is PrimaryState.UNKNOWN:
            return
        now = now.replace(microsecond=0)
        with self._memory:
            seen = self._unseen.pop(domain, now)
            gone = primary.state is PrimaryState.DOWN or primary.last_error is not None
            if gone and domain not in self._away:
                outage = self._away[domain] = Outage(domain, now, None, cut(primary.last_error or ""))
                self._unwritten.outages[domain, now] = outage
            elif not gone and domain in self._away:
                self._end(domain, seen)

    def _end(self, domain: str, at: datetime) -> None:
        outage = self._away.pop(domain)
        self._unwritten.outages[domain, outage.began] = outage.over(at)

    def delivered(self, domain: str, wait: timedelta, now: datetime) -> None:
        """Somebody's mail was given back after that time. See `ports.Chronicle`."""
        with self._memory:
            self._unwritten.wait((domain, books.day(now)), wait)

    # What is written

    @property
    def news(self) -> bool:
        """Whether there is something to write."""
        return bool(self._unwritten.rows or self._unwritten.outages)

    def write(self, now: datetime) -> bool:
        """Bring it to the file; returns whether that could be done. What cannot be written is kept for the next time."""
        with self._file:
            with self._memory:
                taken, self._unwritten = self._unwritten, Unwritten()
            try:
                self._archive.write(taken.rows, taken.outages.values(), taken.waits, now - KEPT)
            except sqlite3.Error as error:
                log.trouble("history", error)
                if damaged(error):
                    self._archive.begin_anew(str(error))
                    self._since = now
                    taken.outages = {(each.domain, each.began): each for each in self._away.values()} | taken.outages
                with self._memory:
                    self._unwritten = taken.followed_by(self._unwritten, now - KEPT)
                return False
        return True

    def close(self, now: datetime) -> None:
        """The last to be written, with the minutes, for who begins where we end."""
        self.write(now)
        with self._file:
            try:
                self._archive.write_minutes(self._minutes)
            except sqlite3.Error as error:
                log.trouble("history", error)
            self._archive.close()

    # What is told: from file and memory, with nothing on its way from one to the other. Each may raise sqlite3.Error

    def told(self, span: Span, now: datetime) -> history.History:
        """How it went, back to the beginning of a span."""
        since = now - LENGTH[span]
        with self._file:
            return history.History(span, self._points(span, since), self._outages(since, now, MOST_OUTAGES))

    def _points(self, span: Span, since: datetime) -> tuple[Point, ...]:
        with self._memory:
            minutes, unwritten = self._minutes, (*self._unwritten.rows, *self._row)
        if span is Span.HOUR:
            return tuple(point for point in minutes if point.at > since)
        points = (point for point in (*self._archive.points(since), *unwritten) if point.at > since)
        return history.together(points, STEP[span])

    def outages(self, since: datetime, upto: datetime) -> Sequence[Outage]:
        """Of this time, newest first."""
        with self._file:
            return self._outages(since, upto, MOST_REPORTED)

    def _outages(self, since: datetime, upto: datetime, most: int) -> tuple[Outage, ...]:
        with self._memory:
            news = dict(self._unwritten.outages)
        found = {(each.domain, each.began): each for each in self._archive.outages(since, upto, most)} | news
        within = [each for each in found.values() if each.began < upto and (each.ended is None or each.ended > since)]
        return tuple(sorted(within, key=lambda outage: outage.began, reverse=True)[:most])

    def longest_waits(self, first: datetime, end: datetime) -> Mapping[str, timedelta]:
        """Of deliveries from one day to the one before the end, by domain."""
        days = range(books.day(first), books.day(end))
        with self._file:
            with self._memory:
                news = dict(self._unwritten.waits)
            longest = dict(self._archive.waits(days.start, days.stop))
        for (domain, day), wait in news.items():
            if day in days:
                longest[domain] = max(wait, longest.get(domain, wait))
        return longest

    def since(self, now: datetime) -> datetime:
        """From when on anything is known."""
        return max(self._since, now - KEPT)
