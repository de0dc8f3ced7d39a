"""The composition root: from a configuration file to a running server.

Knows: every room, once, to put them together.
Does not know: any decision of theirs.
"""

import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from backupmx import bell, config, counters, listeners
from backupmx.bell import Bell
from backupmx.config import Settings
from backupmx.errors import BackupMXError, ConfigurationError, SpoolLocked
from backupmx.inherited import Inherited
from backupmx.safekeeping import bringing, copying
from backupmx.spool import backup, exchange, layout
from backupmx.spool.backup import Incoming
from backupmx.spool.exchange import Restoration as Restoration  # noqa: PLC0414 - the command line knows it as ours
from backupmx.spool.store import LmdbSpool
from backupmx.spool.verify import Finding as Finding  # noqa: PLC0414 - and this
from backupmx.spool.verify import verify
from backupmx.supervisor import ANEW, Role, Supervisor, notify
from backupmx.watch import log

EXIT_PROBLEM = 1
EXIT_CONFIGURATION = 78
OTHER_FILES = 100
"""Besides connections: listeners, the spool, pipes, routes."""
LOCK_PATIENCE_S = 2.0
"""The processes of an instance that was killed need a moment to see it and go."""


def serve(path: Path, log_format: log.Format) -> int:
    """Run until SIGTERM; returns the exit status. Problems at the start are told in clear lines, and nothing is touched."""
    log.set_up(log_format, "supervisor")
    inherited = Inherited()
    try:
        while (status := _serve_once(path, log_format, inherited)) is None:
            pass
    except ConfigurationError as error:
        return _say(error.problems, EXIT_CONFIGURATION)
    except BackupMXError as error:
        return _say((str(error),), EXIT_PROBLEM)
    finally:
        inherited.close()
    return status


def _serve_once(path: Path, log_format: log.Format, inherited: Inherited) -> int | None:
    """Returns the exit status; None: to begin anew."""
    if bringing.finish(path):
        log.restore_finished(str(path))
    house = House(path, log_format, config.load(path), inherited)
    try:
        return house.run()
    finally:
        house.close()


def verify_spool(settings: Settings) -> Iterator[Finding]:
    """What `backupmx spool verify` reads, with or without a running server."""
    return verify(settings.spool)


def messages(settings: Settings) -> int:
    """How many messages that is, nearly."""
    return exchange.held(settings.spool) or 0


def backup_size(settings: Settings) -> int:
    """Octets of a backup, nearly. Raises SpoolUnusable."""
    return backup.size(settings.spool)


def back_up(settings: Settings, out: BinaryIO, now: datetime, step: backup.Step) -> None:
    """What `backupmx spool backup` writes, with or without a running server."""
    backup.write(settings.spool, out, copying.describe(settings, now, mail=True), {}, step)


def incoming(stream: BinaryIO) -> AbstractContextManager[Incoming]:
    """A backup that is being read. Raises BackupUnusable."""
    return backup.incoming(stream)


def restoring(settings: Settings) -> AbstractContextManager[Restoration]:
    """What `backupmx spool restore` does step by step. Raises SpoolLocked while a server runs."""
    return exchange.restoring(settings.spool)


def compact_spool(settings: Settings, step: backup.Step) -> tuple[int, int]:
    """What `backupmx spool compact` does; returns the size before and after. Raises SpoolLocked while a server runs."""
    return exchange.compact(settings.spool, step)


def is_new(settings: Settings) -> bool:
    """Whether there has been no mail in the spool yet."""
    return exchange.empty(settings.spool)


def runs(settings: Settings) -> bool:
    """Whether a server works with these settings' spool now, as far as this user may know."""
    return layout.locked(settings.spool)


def _say(problems: Sequence[str], status: int) -> int:
    for problem in problems:
        print(f"backupmx: {problem}", file=sys.stderr)
    return status


class House:
    """One running instance: the lock on its spool, the sockets, the processes."""

    def __init__(self, path: Path, log_format: log.Format, settings: Settings, inherited: Inherited) -> None:
        self._path = path
        self._log_format = log_format
        self._settings = settings
        _raise_file_limit(settings.smtp.max_connections)
        _refuse_as_root(settings.spool)
        self._lock = _lock(settings.spool)
        exchange.settle(settings.spool)
        layout.prepare(settings.spool)
        self._sweep(settings)
        self._inherited = inherited
        self._sockets = listeners.opened(settings, {}, self._inherited)
        self._bell = os.pipe()
        for end in self._bell:
            os.set_blocking(end, False)
        settings.control.socket.parent.mkdir(parents=True, exist_ok=True)
        self._counters = counters.fresh(settings.spool)
        # the metrics library looks for this when it is first imported
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self._counters)

    def run(self) -> int | None:
        """Supervise until told to stop; returns the exit status, or None when everything is to begin anew."""
        supervisor = Supervisor(
            roles=self._roles(self._settings),
            reload=self._reload,
            announce=_announce,
            started=log.started,
            died=self._died,
        )
        gc.freeze()
        status = supervisor.run()
        if supervisor.anew:
            return None
        notify("STOPPING=1")
        return status

    def close(self) -> None:
        """Give back what outlives the processes."""
        counters.gone(self._counters)
        for way, listener in self._sockets.items():
            # those that were passed cannot be opened again
            if way[0] != listeners.PASSED:
                listener.close()
        for fd in (*self._bell, self._lock):
            os.close(fd)

    def _roles(self, settings: Settings) -> Sequence[Role]:
        # imported late: the counters' directory must be known before
        from backupmx import postoffice, processes, rehearsal, worker  # noqa: PLC0415

        workers = settings.smtp.workers if settings.smtp.workers != "auto" else os.cpu_count() or 1
        shared = processes.Shared.make(settings, workers)
        tls = processes.certificate(settings)
        sockets = list(self._sockets.values())
        edges = [
            Role(
                f"edge{n}",
                partial(worker.edge, settings, self._log_format, n, sockets, shared, tls, self._bell[1]),
            )
            for n in range(workers)
        ]
        hindered = partial(rehearsal.hindered, open_now=self._sockets, inherited=self._inherited)
        courier = partial(postoffice.courier, settings, self._log_format, self._path, shared, tls, self._bell[0], hindered)
        return [Role("courier", courier, alone=True), *edges]

    def _reload(self) -> Sequence[Role] | None:
        # the moment tells systemd which reload that is, where it waits for the end of one (Type=notify-reload)
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            return self._changed()
        finally:
            notify("READY=1")

    def _changed(self) -> Sequence[Role] | None:
        """What is to run with the file as it is now; None to stay with what does."""
        try:
            settings = config.load(self._path)
            for key in ("spool", "control"):
                if getattr(settings, key) != getattr(self._settings, key):
                    raise ConfigurationError((f"{self._path}: {key}: takes a restart to change",))
            self._sockets = listeners.opened(settings, self._sockets, self._inherited)
            roles = self._roles(settings)
        except BackupMXError as error:
            log.configuration_kept(error.problems if isinstance(error, ConfigurationError) else (str(error),))
            return None
        self._settings = settings
        log.reloaded()
        return roles

    def _died(self, name: str, pid: int, status: int) -> None:
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

        mark_process_dead(pid)  # type: ignore[no-untyped-call]
        log.died(name, pid, status)
        Bell(self._bell[1]).tell(bell.DIED, name)

    def _sweep(self, settings: Settings) -> None:
        spool = LmdbSpool(settings.spool, owner="supervisor", reserve=int(settings.reserve))
        try:
            swept = spool.sweep(None)
        finally:
            spool.close()
        if swept:
            log.swept(swept)


def _raise_file_limit(connections: int) -> None:
    """As many files as are allowed at all: the soft limit of most systems is below a thousand connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < connections + OTHER_FILES:
        log.too_few_files(most, connections)


def _refuse_as_root(spool: Path) -> None:
    """What root writes into another user's spool, that user's server could not read."""
    if os.geteuid() == 0 and spool.exists() and (owner := spool.stat().st_uid) != 0:
        raise BackupMXError(f"spool {spool}: belongs to user {owner}, so root does not serve it (systemctl start backupmx)")


def _announce() -> None:
    # one write: print makes two, and a child's log line may come between
    sys.stderr.write("backupmx: ready\n")
    sys.stderr.flush()
    notify("READY=1")


def _lock(spool: Path) -> int:
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            return layout.lock(spool)
        except SpoolLocked:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def ask_to_begin_anew() -> None:
    """From a child: have the supervisor end all of us, and start as if it was started."""
    with suppress(ProcessLookupError):
        os.kill(os.getppid(), ANEW)


def ask_for_reload(path: Path) -> tuple[str, ...]:
    """From a child: have the supervisor take a changed file, unless it is wrong; returns what is wrong."""
    try:
        config.load(path)
    except ConfigurationError as error:
        return error.problems
    with suppress(ProcessLookupError):
        os.kill(os.getppid(), signal.SIGHUP)
    return ()
