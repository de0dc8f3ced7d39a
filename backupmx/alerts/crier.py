"""Looks at everything once a minute, and has admins told what is to be told.

Knows: where the facts come from, and in which order they are looked at, written down and sent.
Does not know: what is wrong and when it is told (`core`), how it is sent.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from backupmx.alerts import messenger, notebook, outbox
from backupmx.alerts.notebook import Page
from backupmx.alerts.ping import Ping
from backupmx.config import Settings
from backupmx.core import alert_text, alerts, books, conditions, history, refusals
from backupmx.core.alert_text import Letter, Share
from backupmx.core.alerts import Answered, Condition, Kind, Manner, Standing
from backupmx.core.books import Line
from backupmx.core.conditions import Facts
from backupmx.core.destination import shown
from backupmx.core.finding import Report
from backupmx.core.history import Span
from backupmx.core.status import PrimaryState, Status
from backupmx.errors import ConfigurationError
from backupmx.ports import Clock, Spool
from backupmx.watch import log
from backupmx.watch.history import History

DEATHS = timedelta(hours=1)
"""For so long it is told that a process died."""
OUR_OWN = frozenset({Kind.ROOM, Kind.BOOKS, Kind.DAMAGED, Kind.PROCESS})
"""While one of these is grave, this machine does not say that it is well. A primary's outage is what it is for."""
DIGESTS = {"daily": 1, "weekly": alerts.WEEK}
"""In days."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the facts come from."""

    status: Callable[[], Status]
    spool: Spool
    past: History
    expires: Callable[[], datetime]
    """When the certificate that senders see expires."""
    report: Callable[[], Report]
    """What the checks found."""


class Crier:
    """One for each instance, in the courier's process. See `ports.Alerts`."""

    def __init__(self, settings: Settings, sources: Sources, place: Path, clock: Clock) -> None:
        """`place` is the directory that its file is in."""
        self._settings = settings.alerts
        self._sources = sources
        self._clock = clock
        self._file = place / notebook.FILE
        self._page = notebook.read(self._file)
        self._written = self._page
        self._writing = asyncio.Lock()
        self._urls = _everybody(settings)
        self._ping = Ping(settings.alerts.ping_url, settings.alerts.ping_interval)
        self._deaths: list[tuple[str, datetime]] = []
        self._holding: tuple[Condition, ...] = ()

    def died(self, process: str) -> None:
        """One of our processes ended unasked. Cheap."""
        self._deaths.append((process, self._clock()))

    def counts(self) -> Mapping[Kind, int]:
        """How much of each kind was wrong when it was looked last. Cheap."""
        return {kind: sum(condition.kind is kind for condition in self._holding) for kind in Kind}

    async def look(self) -> None:
        """Once a minute. Never fails."""
        now = self._clock()
        try:
            facts = await self._facts(now)
            await self._see(facts, now)
            if not any(condition.grave and condition.kind in OUR_OWN for condition in self._holding):
                await self._ping.beat(now)
            await self._send(now)
        except Exception as error:  # noqa: BLE001 - mail goes on, and the next look comes
            log.trouble("alerts", error)

    # See `ports.Alerts`

    async def standing(self) -> tuple[Standing, ...]:
        """What is wrong now."""
        now = self._clock()
        seen = conditions.picture(await self._facts(now), ())
        return alerts.standing(self._page.memory, seen.conditions, now)

    @property
    def muted(self) -> datetime | None:
        """Until when nothing is told, if there is a maintenance window."""
        memory = self._page.memory
        return memory.muted if alerts.muted(memory, self._clock()) else None

    @property
    def places(self) -> tuple[str, ...]:
        """Where alerts go, without what is secret."""
        return tuple(map(shown, self._urls))

    async def test(self, by: str) -> tuple[Answered, ...]:
        """Send a message to each place now."""
        letter = alert_text.trial(self._sources.status().hostname, self._clock())
        said = await messenger.send(letter, self._urls) if self._urls else ()
        log.alerts_tested(by, sum(why is not None for why in said))
        return tuple(Answered(place, why) for place, why in zip(self.places, said, strict=True))

    async def mute(self, until: datetime | None, by: str) -> None:
        """Tell nothing until then; None ends it."""
        await self._keep(replace(self._page, memory=replace(self._page.memory, muted=until)))
        log.alerts_muted(by, until)

    # What is wrong

    async def _facts(self, now: datetime) -> Facts:
        sources = self._sources
        status, stats, report = sources.status(), sources.spool.stats(), sources.report()
        hour = await self._past(lambda: sources.past.told(Span.HOUR, now).points)
        day = await self._past(lambda: sources.past.told(Span.DAY, now).points)
        return Facts(
            status=status,
            room=stats.room,
            used=stats.map_used,
            expires=sources.expires(),
            lasts=history.room_lasts(hour),
            findings=report.findings if report.at else None,
            deaths=self._recent_deaths(now),
            sudden=refusals.sudden(hour, day, now),
            delivered=self._delivered(status),
        )

    @staticmethod
    async def _past(ask: Callable[[], Sequence[T]]) -> Sequence[T]:
        """From the file; without it less is known, and what is known is told all the same."""
        try:
            return await asyncio.to_thread(ask)
        except sqlite3.Error as error:
            log.trouble("history", error)
            return ()

    def _recent_deaths(self, now: datetime) -> Mapping[str, int]:
        self._deaths = [(name, at) for name, at in self._deaths if now - at < DEATHS]
        names = [name for name, _ in self._deaths]
        return {name: names.count(name) for name in names}

    def _delivered(self, status: Status) -> Mapping[str, int]:
        """Looked up only when somebody may be told of it."""
        outage = any(domain.primary.state is PrimaryState.DOWN for domain in status.domains)
        if not outage and all(trace.kind is not Kind.PRIMARY_DOWN for trace in self._page.memory.traces):
            return {}
        lines = self._sources.spool.books(0)
        return {domain: sum(line.delivered for line in days.values()) for domain, days in lines.items()}

    # What is told

    async def _see(self, facts: Facts, now: datetime) -> None:
        letters = await self._digests(facts, now)
        page = self._page
        seen = conditions.picture(facts, [trace.key for trace in page.memory.traces])
        self._holding = seen.conditions
        manner = Manner(self._settings.grace, self._settings.reminder)
        memory, tidings = alerts.step(page.memory, seen, now, manner, listening=bool(self._urls))
        if tidings:
            letters.append(alert_text.compose(tidings, facts))
        parcels = [outbox.parcel(letter, self._urls, now) for letter in letters]
        await self._keep(Page(memory, (*page.waiting, *parcels)))

    async def _digests(self, facts: Facts, now: datetime) -> list[Letter]:
        """One, or none."""
        days = DIGESTS.get(self._settings.digest)
        if not (self._urls and days) or alerts.muted(self._page.memory, now):
            return []
        memory, due = alerts.digest_due(self._page.memory, now, days)
        letters = [] if due is None else [await self._digest(*due, facts)]
        self._page = replace(self._page, memory=replace(self._page.memory, digested=memory.digested))
        return letters

    async def _digest(self, first: datetime, end: datetime, facts: Facts) -> Letter:
        outages = await self._past(lambda: self._sources.past.outages(first, end))
        days = range(books.day(first), books.day(end))
        lines = self._sources.spool.books(days.start)
        shares = {
            domain.domain: Share(
                sum((line for day, line in lines.get(domain.domain, {}).items() if day in days), Line()),
                [outage for outage in outages if outage.domain == domain.domain],
            )
            for domain in facts.status.domains
        }
        return alert_text.digest(first, end, shares, facts)

    async def _send(self, now: datetime) -> None:
        if self._page.waiting:
            left = await outbox.carry(self._page.waiting, self._urls, now)
            await self._keep(replace(self._page, waiting=tuple(left)))

    async def _keep(self, page: Page) -> None:
        """In memory at once, and in the file when there is something new: what cannot be written is tried again."""
        self._page = page
        async with self._writing:
            if self._page == self._written:
                return
            latest = self._page
            try:
                await asyncio.to_thread(notebook.write, self._file, latest)
                self._written = latest
            except OSError as error:
                log.trouble("alerts", error)


def _everybody(settings: Settings) -> tuple[str, ...]:
    """All URLs, each once; of those that lead through a primary the log tells."""
    try:
        urls = tuple(dict.fromkeys(settings.alerts.everybody()))
    except ConfigurationError as error:
        log.trouble("alerts", error)
        urls = settings.alerts.urls
    for url in urls:
        if why := settings.led_astray(url):
            log.alert_led_astray(shown(url), why)
    return urls
