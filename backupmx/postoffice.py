"""The courier's process: it gives mail back, answers on the control socket, and looks whether all is well.

Knows: the rooms that it needs, and how they are wired to each other.
Does not know: how processes are started and watched, and any decision.
"""

import asyncio
import os
import time
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from backupmx import __version__, bell
from backupmx.alerts.crier import Crier, Sources
from backupmx.amendments import Amendments
from backupmx.annals import Annals
from backupmx.app import ask_for_reload, ask_to_begin_anew
from backupmx.checks.port25 import Came
from backupmx.checks.primary import PATIENCE as CHECK_PATIENCE
from backupmx.checks.round import Round, Told
from backupmx.checks.watchman import Watchman
from backupmx.config import Settings
from backupmx.control.accounts import Accounts
from backupmx.control.metrics import exposition
from backupmx.control.server import ControlServer
from backupmx.core.outcome import Reply
from backupmx.core.status import Status, compose
from backupmx.core.track import KEPT, Wanted
from backupmx.courier.client import Dialler
from backupmx.courier.courier import Courier
from backupmx.courier.notifier import Notifier
from backupmx.courier.relay import PATIENCE, Relay
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Routes
from backupmx.edge.certificate import Certificate
from backupmx.errors import ConfigurationError
from backupmx.processes import Shared, new_id, nobody, now, open_spool, remember, run, terminated
from backupmx.recipients.callouts import Callouts
from backupmx.recipients.knowledge import Knowledge
from backupmx.recipients.upkeep import Upkeep
from backupmx.safekeeping.afar import Afar, Hindered
from backupmx.supervisor import Post
from backupmx.watch import log

TEND_S = 1.0
SWEEP_MINUTES = 60
ALERT_MINUTES = 1
DIRECTORY_MINUTES = 1
"""How often it is looked whether a directory's time has come."""
CHECK_MINUTES = 15


def courier(
    settings: Settings,
    log_format: log.Format,
    path: Path,
    shared: Shared,
    tls: Certificate,
    pipe: int,
    hindered: Hindered,
    post: Post,
) -> int:
    """The courier and the control socket, until SIGTERM."""
    log.set_up(log_format, "courier")

    async def work() -> int:
        return await PostOffice(settings, path, shared, tls, hindered).work(pipe, post)

    return run(work(), post)


class PostOffice:
    """Everything in it, from the start of the process to its end."""

    def __init__(self, settings: Settings, path: Path, shared: Shared, tls: Certificate, hindered: Hindered) -> None:
        self._settings = settings
        self._tls = tls
        self._spool = spool = open_spool(settings, "courier")
        self._knowledge = Knowledge(settings.domains, spool.roll, shared.board, now, time.monotonic)
        self._annals = Annals(settings, spool, now)
        self._watchman = Watchman(self._look_around, now)
        self._prober = Dialler(settings.hostname, CHECK_PATIENCE)
        facts = Sources(self._status, spool, self._annals.past, self._expires, lambda: self._watchman.report)
        self._crier = Crier(settings, facts, settings.spool, now)
        notifier = Notifier(settings, spool.content, new_id)
        upkeep = Upkeep(settings.domains, spool.roll, shared.board, now)
        self._carrier = Courier(
            settings=settings,
            spool=spool,
            clock=now,
            acquaintances=self._knowledge,
            notifier=notifier,
            board=shared.board,
            learn=self._learn,
            chronicle=self._annals.past,
            chores=(
                (upkeep.sweep, SWEEP_MINUTES),
                (upkeep.ask_directories, DIRECTORY_MINUTES),
                (self._forget, SWEEP_MINUTES),
                (self._watchman.look, CHECK_MINUTES),
                (self._crier.look, ALERT_MINUTES),
                *self._annals.chores,
            ),
        )
        self._relay = Relay(
            Routes(settings, Resolver(settings.dns.nameservers)),
            Dialler(settings.hostname, PATIENCE),
            shared.board,
            self._carrier.told,
            1,
        )
        self._callouts = Callouts(self._relay, self._knowledge, nobody)
        self._server = ControlServer(
            settings.control.socket,
            spool,
            status=self._status,
            wake=self._carrier.wake,
            reload=partial(ask_for_reload, path),
            metrics=lambda: exposition(self._status(), spool.stats(), self._crier.counts()),
            clock=now,
            accounts=Accounts(settings.spool / "accounts.json"),
            windows={name: domain.holding_window for name, domain in settings.domains.items()},
            roll=spool.roll,
            verify=self._verify,
            resume=self._carrier.resume,
            write_back=notifier.bounced,
            past=self._annals.past,
            lookout=self._watchman,
            alerts=self._crier,
            amendments=Amendments(path, settings, partial(ask_for_reload, path)),
            copies=Afar(path, settings, now, hindered),
            begin_anew=ask_to_begin_anew,
        )

    async def work(self, pipe: int, post: Post) -> int:
        """Until SIGTERM; returns the exit status."""
        asyncio.get_running_loop().add_reader(pipe, self._heard, pipe)
        await self._server.start()
        running = asyncio.create_task(self._carrier.run())
        # a courier that ends unasked takes the process along: the supervisor starts it anew
        running.add_done_callback(lambda task: os._exit(1) if not task.cancelled() and task.exception() else None)
        chores = (remember(self._knowledge), self._annals.keep(), self._tend())
        writing = [asyncio.create_task(chore) for chore in chores]
        outcome = await terminated(self._spool, post)
        await self._carrier.stop()
        await self._server.stop()
        for task in writing:
            task.cancel()
        await self._callouts.close()
        await self._relay.close()
        await self._knowledge.write()
        self._annals.close()
        self._spool.close()
        return outcome

    async def _tend(self) -> None:
        while True:
            try:
                await self._spool.tend()
            except Exception as error:  # noqa: BLE001 - no page lies fallow then; the next time will do
                log.trouble("free pages", error)
            await asyncio.sleep(TEND_S)

    def _status(self) -> Status:
        spool = self._spool
        views = {
            domain: replace(
                view, acquaintance=self._knowledge.acquaintance(domain), split=sum(spool.roll.returns(domain).values())
            )
            for domain, view in self._carrier.views().items()
        }
        settings = self._settings
        return compose(__version__, settings.hostname, now(), spool.census(), views, self._annals.balance.difference)

    def _look_around(self) -> Round:
        views = self._carrier.views()
        newest = self._spool.track.page(Wanted(), None, 1).lives
        told = Told(
            {domain: view.primary for domain, view in views.items()},
            {domain: self._knowledge.acquaintance(domain) for domain in views},
            {domain: self._knowledge.some(domain) for domain in views},
            Came(newest[0].client.address, newest[0].arrived) if newest else None,
        )
        return Round(self._settings, self._prober, now, told, self._settings.spool / "mta-sts")

    async def _forget(self) -> None:
        await self._spool.track.sweep(now() - KEPT)

    def _learn(self, domain: str, local: str, reply: Reply) -> None:
        # a no to somebody's message may be one to its sender: it is asked again in our own name
        if reply.positive:
            self._knowledge.learn(domain, local, reply)
        else:
            self._callouts.refresh(domain, local)

    async def _verify(self, domain: str, local: str) -> Reply | None:
        replies = await self._relay.verify(domain, (local,))
        if replies:
            self._knowledge.learn(domain, local, replies[0])
        return replies[0] if replies else None

    def _expires(self) -> datetime:
        """When the certificate that senders see expires; what is wrong with new files the edge tells."""
        with suppress(ConfigurationError):
            self._tls.renew()
        return self._tls.expires

    def _heard(self, pipe: int) -> None:
        said = bell.heard(pipe)
        if said is None:
            return
        self._carrier.wake()
        for what, domain in said:
            if what == bell.ETRN:
                self._carrier.asked(domain)
            elif what == bell.DIED:
                self._crier.died(domain)
            else:
                self._carrier.told(what, domain)
