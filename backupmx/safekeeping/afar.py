"""A backup for somebody who is not on this machine, and one that they bring: without mail, while the server runs.

Knows: that the processes which run see nothing of it until they begin anew, how large such a backup may be, that nobody may be at
the console when they do not.
Does not know: who asks, how the octets come here and go, which keys may be set by whoever does, and what a server needs.

A copy is made by a process of its own (`backupmx backup -`), for this one has the database open, and no second time may it be
opened here; and so memory that sealing took is given back.
"""

import asyncio
import secrets
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from io import BufferedReader
from itertools import islice
from pathlib import Path

from backupmx.config import Settings
from backupmx.core.label import BackupLabel
from backupmx.errors import BackupUnusable, ConfigurationError, SpoolUnusable
from backupmx.reserved import brought
from backupmx.safekeeping import bringing, sealing
from backupmx.spool import exchange
from backupmx.spool.exchange import Restoration

MOST = 32 * 2**20
"""Octets of a backup that is brought: half a million recipients."""
PART = 48 * 1024
"""Octets of one piece."""
FILE = "restore.new"
"""In the spool's directory; whatever ends so is in no backup."""
USAGE = 2
"""Exit status of a command that was given what it does not know: a key alone can be that."""
OTHER = "another backup was brought meanwhile, or the server began anew: bring it once more"
TOO_LARGE = f"is larger than {MOST // 2**20} MiB: backupmx restore takes it on the command line"
MAIL = "has mail in it: backupmx restore takes it on the command line"
RESERVED = "only somebody on this machine may set that; there, `backupmx restore FILE` does"
MOST_KEYS = 20
"""That are told; the first will do for who has to use the command line."""

Hindered = Callable[[Settings, Mapping[Path, bytes]], Sequence[str]]
"""Why a server would not start with these settings, and these files in their places."""


class Afar:
    """See `ports.Copies`."""

    def __init__(self, path: Path, settings: Settings, clock: Callable[[], datetime], hindered: Hindered) -> None:
        """`settings` are in force, and the file that they come from is at `path`."""
        self._path = path
        self._settings = settings
        self._clock = clock
        self._hindered = hindered
        # two processes must not give the same one, for a browser may have that of the first
        self._number = secrets.randbelow(10**8)
        self._ready: tuple[Restoration, BackupLabel] | None = None
        self._lock = threading.Lock()
        with suppress(OSError):
            # what was brought before we began, and decided by nobody
            self._forget()

    @property
    def _file(self) -> Path:
        return self._settings.spool / FILE

    async def copy(self, keys: Sequence[str]) -> AsyncGenerator[bytes, None]:
        """See `ports.Copies`."""
        pipe = asyncio.subprocess.PIPE
        options = [option for key in keys for option in ("--age", key)]
        # -P: nothing from the directory in which we happen to work is taken for a module of ours
        command = (sys.executable, "-P", "-m", "backupmx", "--config", str(self._path), "backup", "-", *options)
        nothing = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*command, stdin=nothing, stdout=pipe, stderr=pipe)
        assert process.stdout
        assert process.stderr
        try:
            said = asyncio.create_task(process.stderr.read())
            while octets := await process.stdout.read(PART):
                yield octets
            status = await process.wait()
            if status == USAGE:
                raise BackupUnusable(f"one of the keys {sealing.NO_RECIPIENT}")
            if status:
                lines = (await said).decode(errors="replace").strip().splitlines()
                raise BackupUnusable(lines[-1].removeprefix("backupmx: ") if lines else "no backup could be made")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def begin(self) -> int:
        """See `ports.Copies`."""
        with self._alone():
            self._forget()
            self._number += 1
            self._file.touch(mode=0o600)
            return self._number

    def add(self, number: int, octets: bytes) -> None:
        """See `ports.Copies`."""
        with self._alone():
            self._expect(number)
            with self._file.open("ab") as file:
                if file.tell() + len(octets) > MOST:
                    self._forget()
                    raise BackupUnusable(TOO_LARGE)
                file.write(octets)

    def look(self, number: int, identity: str) -> tuple[BackupLabel, tuple[str, ...]]:
        """See `ports.Copies`."""
        with self._alone():
            self._expect(number)
            try:
                with self._file.open("rb") as stream:
                    return self._looked(stream, identity)
            except BackupUnusable:
                # with another key it may be looked at again; what was made of it so far takes room
                exchange.forget(self._settings.spool)
                raise
            except ValueError as error:
                raise BackupUnusable(str(error)) from None
            except ConfigurationError as error:
                raise BackupUnusable("its configuration cannot be used by this program: " + "; ".join(error.problems)) from None

    def restore(self, number: int) -> BackupLabel:
        """See `ports.Copies`."""
        with self._alone():
            self._expect(number)
            if self._ready is None:
                raise BackupUnusable(OTHER)
            restoration, label = self._ready
            restoration.decide(self._clock())
            self._ready = None
            self._file.unlink(missing_ok=True)
            return label

    def _looked(self, stream: BufferedReader, identity: str) -> tuple[BackupLabel, tuple[str, ...]]:
        self._ready = None
        with bringing.opened(stream, identity) as incoming:
            if incoming.label and incoming.label.mail:
                raise BackupUnusable(MAIL)
            plan = bringing.plan(incoming, self._path)
            restoration = exchange.drafted(self._settings.spool)
            restoration.take(incoming, lambda _octets: None)
        problems = tuple(self._wrong(plan))
        if not problems:
            plan.put_aside(restoration)
            self._ready = restoration, plan.label
        return plan.label, problems

    def _wrong(self, plan: bringing.Plan) -> Iterator[str]:
        """What nobody may do from afar, and what would leave us without a server, or without a page that can ask it."""
        if keys := tuple(islice(brought(plan.settings, self._settings, plan.brought.__contains__), MOST_KEYS)):
            # nothing that they name is even looked at
            yield from (f"{key}: {RESERVED}" for key in keys)
            return
        try:
            plan.check_places()
        except ConfigurationError as error:
            yield from error.problems
        for file in plan.missing:
            yield f"{file}: is not here, and its configuration needs it"
        try:
            yield from self._hindered(plan.served(), plan.brought)
        except ConfigurationError as error:
            # what is missing is told
            yield from (problem for problem in error.problems if not any(file in problem for file in plan.missing))
        if plan.settings.control.socket != self._settings.control.socket:
            yield f"its control socket is {plan.settings.control.socket}, where the page does not ask"
        if not plan.label.users:
            yield "there is no user in it: nobody could sign in any more"

    def _expect(self, number: int) -> None:
        if number != self._number or not self._file.exists():
            raise BackupUnusable(OTHER)

    def _forget(self) -> None:
        self._ready = None
        self._file.unlink(missing_ok=True)
        exchange.forget(self._settings.spool)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One request at a time, whichever thread it is in."""
        with self._lock:
            try:
                yield
            except OSError as error:
                raise SpoolUnusable(f"{error.filename or self._settings.spool}: {error.strerror or error}") from None
