"""Group commit: one thread, one transaction for everything that has come together, one sync for all of it.

Knows: threads, LMDB's write transaction and its errors.
Does not know: what the commands do.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import lmdb

from backupmx.errors import SpoolFull, SpoolUnusable
from backupmx.spool.transaction import Tables, Transaction

FULL = (lmdb.MapFullError, lmdb.DiskError, OSError, MemoryError)
BROKEN = (lmdb.PanicError, lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError)

T = TypeVar("T")
Command = Callable[[Transaction], T]
"""Must change nothing but the transaction: it may be carried out again when its batch failed."""


class _Job(Generic[T]):
    __slots__ = ("command", "error", "future", "result")

    def __init__(self, command: Command[T], future: "asyncio.Future[T]") -> None:
        self.command = command
        self.future = future
        self.result: Any = None
        self.error: Exception | None = None


class Writer:
    """Runs commands in the order they came, many in one durable transaction."""

    def __init__(self, env: lmdb.Environment, tables: Tables, on_commit: Callable[[float], None] | None) -> None:
        self._env = env
        self._tables = tables
        self._on_commit = on_commit
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        """None is the last."""
        self._closing = False
        self._broken: str | None = None
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()

    async def do(self, command: Command[T]) -> T:
        """Wait until the command is durable. It is carried out also when the caller is cancelled."""
        if self._broken or self._closing:
            raise SpoolUnusable(self._broken or "the spool is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(command, future))
        # no shield: a cancelled future changes nothing for the job, and one more of them for each message would cost
        return await future

    def close(self) -> None:
        """Finish what was asked, then end the thread."""
        self._closing = True
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._commit([job])

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        try:
            began = time.perf_counter()
            with self._env.begin(write=True) as txn:
                # only now: what came while another process held the lock shares this sync
                self._take_more(jobs)
                self._carry_out(jobs, txn)
            if self._on_commit:
                self._on_commit(time.perf_counter() - began)
        except Exception:  # noqa: BLE001 - one job's trouble, a full map or a bug, must not be the others'
            for job in jobs:
                self._alone(job)
        self._resolve(jobs)

    def _alone(self, job: _Job[Any]) -> None:
        """The batch failed and left nothing behind: each job again, so that what makes room goes through all the same."""
        job.result = None
        try:
            with self._env.begin(write=True) as txn:
                self._carry_out([job], txn)
        except FULL as error:
            job.error = SpoolFull(f"no room in the spool: {error}")
        except BROKEN as error:
            # after a failed write of the meta page only a new environment is sound
            self._broken = f"the spool must be opened anew: {error}"
            job.error = SpoolUnusable(self._broken)
        except Exception as error:  # noqa: BLE001 - a bug is told to who asked
            job.error = error

    def _take_more(self, jobs: list[_Job[Any]]) -> None:
        for _ in range(self._jobs.qsize()):
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)  # the end comes after what is taken here
                break
            jobs.append(job)

    def _carry_out(self, jobs: list[_Job[Any]], txn: lmdb.Transaction) -> None:
        work = Transaction(txn, self._tables)
        for job in jobs:
            job.result = job.command(work)
        work.finish()

    @property
    def broken(self) -> str | None:
        """What made the environment unusable, or None."""
        return self._broken

    @staticmethod
    def _resolve(jobs: list[_Job[Any]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Job[Any]]] = {}
        for job in jobs:
            by_loop.setdefault(job.future.get_loop(), []).append(job)
        for loop, mine in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_tell, mine)


def _tell(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        if job.future.cancelled():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
