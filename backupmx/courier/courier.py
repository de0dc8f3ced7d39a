"""The courier: one lane for each route, and what all of them need.

Knows: the domains, their routes, the expiry sweep.
Does not know: how a lane does its work.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from backupmx.config import Settings
from backupmx.core import judge
from backupmx.core.message import NOTICES
from backupmx.core.status import DomainView, Primary, PrimaryState
from backupmx.courier.alarm import Alarm, Timer, loop_timer
from backupmx.courier.board import Board
from backupmx.courier.client import Dialler
from backupmx.courier.clocks import Clocks
from backupmx.courier.health import Health
from backupmx.courier.lane import Lane
from backupmx.courier.ledger import Learn, Ledger
from backupmx.courier.notifier import Notifier
from backupmx.courier.office import Office
from backupmx.courier.pace import Pace
from backupmx.courier.places import Places
from backupmx.courier.postman import Postman
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Barred, Nowhere, Route, Routes
from backupmx.courier.transaction import Patience
from backupmx.ports import Acquaintances, Chronicle, Clock, Spool
from backupmx.watch import log

GRACE = timedelta(seconds=20)
SWEEP_MINUTES = 1
DISCARD_MINUTES = 60
CLOCK_MINUTES = 1
KEEP_MINUTES = 10
"""Few writes: a card lives for years."""
PATIENCE = Patience()
PROBE_S = 15.0
"""For each step of a probe."""


Chore = Callable[[], Awaitable[None]]


class Courier:
    """Gives back what the spool holds, from `run` until `stop`."""

    def __init__(  # noqa: PLR0913 - the composition root names each of them
        self,
        settings: Settings,
        spool: Spool,
        clock: Clock,
        acquaintances: Acquaintances,
        notifier: Notifier,
        *,
        board: Board | None = None,
        learn: Learn | None = None,
        chronicle: Chronicle | None = None,
        chores: Sequence[tuple[Chore, int]] = (),
        timer: Timer = loop_timer,
        seconds: Callable[[], float] = time.monotonic,
        patience: Patience = PATIENCE,
        routes: Routes | None = None,
    ) -> None:
        """`board` is where others read how the primaries are; `learn` is told what they say of recipients.

        `chronicle` remembers when they were away, and how long mail waited. `chores` are done beside ours, every so many minutes.
        """
        self._settings = settings
        self._others = chores
        self._chronicle = chronicle
        self._spool = spool
        self._clock = clock
        self._timer = timer
        self._routes = routes or Routes(settings, Resolver(settings.dns.nameservers))
        self._ledger = Ledger(settings, spool, notifier, clock, timer, self.wake, learn, chronicle)
        domains = tuple(settings.domains)
        self._clocks = Clocks(domains, spool.roll, board or Board(domains), seconds)
        short = replace(patience, connect=min(patience.connect, PROBE_S), command=min(patience.command, PROBE_S))
        dialler, prober = Dialler(settings.hostname, patience), Dialler(settings.hostname, short)
        limits = {name: domain.max_messages_per_minute for name, domain in settings.domains.items()}
        self._office = Office(
            settings.delivery,
            self._ledger,
            dialler,
            prober,
            clock,
            timer,
            self._changed,
            acquaintances,
            Places(settings.delivery.max_connections),
            {name: Pace(limit) for name, limit in limits.items() if limit},
        )
        self._postman = Postman(self._ledger, self._routes, dialler, clock, timer)
        self._lanes: dict[str, Lane] = {}
        """By their routes' keys: domains with the same primary, on the same terms, share its health and its one probe."""
        self._lane_of: dict[str, Lane] = {}
        self._nowhere: dict[str, Health] = {}
        """Domains that never had a route."""
        self._hurrying: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._chores: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._stopped = asyncio.Event()
        self._stopped.set()

    async def run(self) -> None:
        """Work until `stop`. Ends with an ExceptionGroup when the spool must be opened anew."""
        self._stopped.clear()
        chores = AsyncIOScheduler(timezone=UTC)
        try:
            await self._spool.reclaim(self._ledger.owner, self._clock())
            self._add(chores, self._sweep, SWEEP_MINUTES)
            self._add(chores, self._discard, DISCARD_MINUTES)
            self._add(chores, self._tick, CLOCK_MINUTES)
            self._add(chores, self._keep, KEEP_MINUTES)
            for chore, minutes in self._others:
                self._add(chores, chore, minutes)
            chores.start()
            async with asyncio.TaskGroup() as lanes:
                self._watch(lanes.create_task(self._postman.run()))
                following = [lanes.create_task(self._follow(domain, lanes)) for domain in self._settings.domains]
                await self._stop.wait()
                for task in following:
                    task.cancel()
                self._postman.stop()
                for lane in self._lanes.values():
                    lane.stop()
        except BaseExceptionGroup as group:
            for error in group.exceptions:
                log.trouble("courier", error)
            raise
        finally:
            if chores.running:
                chores.shutdown(wait=False)
            for task in self._chores:
                task.cancel()
            await self._keep()
            self._stopped.set()

    def _add(self, chores: AsyncIOScheduler, chore: Chore, minutes: int) -> None:
        async def unless_we_stop() -> None:
            # the scheduler's shutdown cancels what runs, and would tell of it as of a fault
            with suppress(asyncio.CancelledError):
                await chore()

        chores.add_job(
            unless_we_stop,
            IntervalTrigger(minutes=minutes, timezone=UTC),
            next_run_time=datetime.now(UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    async def stop(self, grace: timedelta = GRACE) -> None:
        """Begin nothing new; return once what is in flight is settled, or was cut off after `grace`.

        What was cut off is leased still: the next courier of this name has it again at once.
        """
        self._stop.set()
        try:
            async with asyncio.timeout(grace.total_seconds()):
                await self._stopped.wait()
        except TimeoutError:
            for task in self._tasks:
                task.cancel()
            await self._stopped.wait()

    def wake(self) -> None:
        """New mail came, or an admin acted: look at once. Cheap; many calls make one look."""
        for lane in self._lanes.values():
            lane.ring()
        self._postman.ring()

    def asked(self, domain: str) -> None:
        """A primary asks for what waits for it (RFC 1985): probe it, and let nothing wait longer. Cheap."""
        lane = self._lane_of.get(domain)
        if lane is not None and domain not in self._hurrying:
            self._hurrying.add(domain)
            self._aside(self._hurry(domain, lane))

    def _watch(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _aside(self, chore: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    def told(self, what: str, domain: str) -> None:
        """An edge worker had to do with a primary: `lost`, `well`, `deferring` or `doubtful`. Cheap."""
        lane = self._lane_of.get(domain)
        if lane is None:
            return
        if what == "lost":
            lane.lost()
        elif what == "well":
            lane.well()
        elif what == "deferring":
            lane.defers("4xx to everything")
        elif what == "doubtful":
            self._aside(lane.examine(domain))

    def resume(self, domain: str) -> bool:
        """An admin says that a domain's primary is to be believed; False when there is none."""
        lane = self._lane_of.get(domain)
        if lane is not None:
            lane.resume(domain)
        return lane is not None

    async def _hurry(self, domain: str, lane: Lane) -> None:
        try:
            lane.health.hurry()
            await self._ledger.hurry(domain)
        except Exception as error:  # noqa: BLE001 - what waits is tried in its time all the same
            log.trouble(f"queue of {domain}", error)
        finally:
            self._hurrying.discard(domain)
            lane.ring()

    def views(self) -> Mapping[str, DomainView]:
        """Each configured domain's primary, its next attempt, and its holding window."""
        return {name: self._view(name, domain.holding_window) for name, domain in self._settings.domains.items()}

    def _view(self, domain: str, window: timedelta) -> DomainView:
        if lane := self._lane_of.get(domain):
            return DomainView(lane.health.shown, lane.next_attempt(domain), window, lane.name)
        if health := self._nowhere.get(domain):
            return DomainView(health.primary, health.next_probe if self._spool.next_due(domain) else None, window)
        return DomainView(Primary(PrimaryState.UNKNOWN), self._spool.next_due(domain), window)

    async def _follow(self, domain: str, lanes: asyncio.TaskGroup) -> None:
        """Find the domain's route, and again whenever its records have had their time."""
        alarm = Alarm(self._timer)
        kept: str | None = None
        while True:
            try:
                found = await self._routes.find(domain)
            except Exception as error:  # noqa: BLE001 - a bug here may cost a look-up, not the domain (I9)
                log.trouble(f"route of {domain}", error)
                found = Nowhere(judge.OUR_TROUBLE.text)
            if isinstance(found, Route):
                self._send_by(domain, found, lanes)
                if found.trouble and found.trouble != kept:
                    log.route_kept(domain, found.trouble)
                kept = found.trouble
                pause = found.good_for
            else:
                self._without(domain, found)
                pause = self._settings.delivery.probe_interval
            await alarm.wait(pause.total_seconds())

    def _send_by(self, domain: str, route: Route, lanes: asyncio.TaskGroup) -> None:
        lane = self._lanes.get(route.key)
        if lane is None:
            lane = self._lanes[route.key] = Lane(route.name, self._office)
            self._watch(lanes.create_task(lane.run()))
        lane.addresses = route.addresses
        old = self._lane_of.get(domain)
        if old is not lane:
            away = self._nowhere.pop(domain, None) is not None
            lane.take_over(domain, old, away=away)
            if old is not None:
                self._leave(domain, old)
            self._lane_of[domain] = lane
            self._changed(lane)

    def _changed(self, lane: Lane) -> None:
        self._clocks.change(dict.fromkeys(lane.domains, lane.health.accepting))
        self._note(lane.domains, lane.health)

    def _note(self, domains: Sequence[str], health: Health) -> None:
        if self._chronicle is not None:
            for domain in domains:
                self._chronicle.primary(domain, health.shown, self._clock())

    def _leave(self, domain: str, lane: Lane) -> None:
        lane.leave(domain)
        if not lane.domains:
            lane.stop()
            self._lanes = {key: other for key, other in self._lanes.items() if other is not lane}

    def _without(self, domain: str, found: Nowhere) -> None:
        why = found.why
        if domain in self._lane_of:
            if not isinstance(found, Barred):
                return  # the addresses that it has are as good as any
            self._leave(domain, self._lane_of.pop(domain))
        health = self._nowhere.setdefault(domain, Health(self._settings.delivery.probe_interval))
        now = self._clock()
        if health.failed(now, why):
            log.primary_down(domain, why)
            self._clocks.change({domain: PrimaryState.DOWN})
            self._note((domain,), health)
        health.probing(now)

    async def _tick(self) -> None:
        self._clocks.tick()
        for domain in (*self._settings.domains, NOTICES):
            try:
                if await self._ledger.mend_dues(domain):
                    self.wake()
            except Exception as error:  # noqa: BLE001 - the next time will do
                log.trouble(f"queue of {domain}", error)

    async def _keep(self) -> None:
        self._clocks.tick()
        try:
            await self._clocks.keep()
        except Exception as error:  # noqa: BLE001 - the next time will do
            log.trouble("clocks", error)

    async def _discard(self) -> None:
        """The end of what is in quarantine."""
        try:
            await self._ledger.discard()
        except Exception as error:  # noqa: BLE001 - the next time will do
            log.trouble("quarantine", error)

    async def _sweep(self) -> None:
        """The end of the holding window, for each domain; before it, a word to senders who want to know."""
        for domain in (*self._settings.domains, NOTICES):
            try:
                await self._ledger.expire(domain)
                if domain != NOTICES:
                    self._ledger.alert(domain)
                    await self._ledger.warn(domain)
            except Exception as error:  # noqa: BLE001 - the next sweep comes; a lane that meets a broken spool ends us
                log.trouble(f"expiry sweep of {domain}", error)
