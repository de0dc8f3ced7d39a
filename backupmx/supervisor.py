"""Starts our processes, starts a dead one anew, replaces all of them when the configuration changed, and ends them in order.

Knows: fork, signals, pipes.
Does not know: mail, and what its processes do.

It holds no thread, no event loop and no LMDB environment, so that a fork is always safe and a dead process is back at once.
"""

import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

QUICK_DEATH_S = 1.0
"""A process that lived shorter than this is started anew only after as long."""
STOP_S = 35.0
"""From SIGTERM to SIGKILL: the grace for sessions in the middle of data, and a little."""
START_S = 180.0
"""For all to be ready: a small board has much else to do while it starts."""
LOOK_S = 15.0
"""How often it is looked for signs of life, and systemd told that all are well, if it wants to know (WatchdogSec)."""
SILENT_LOOKS = 4
"""A process that shows none so many times in a row hangs: it is killed, and started anew like any that died.

Times are counted, not seconds: a machine that stood still for a while is no reason.
"""
ANEW = signal.SIGUSR1
"""End all, and begin from the start: for what no running process may see change."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, ANEW)


@dataclass(frozen=True, slots=True)
class Post:
    """What a child process gets to keep in touch."""

    alive: Callable[[], None]
    """To be called once the process does its work, and then again and again, by whatever would stop if it did not any more."""
    lifeline: int
    """A file descriptor that reads end-of-file when the supervisor is gone: the child must go too, at once."""


@dataclass(frozen=True, slots=True)
class Role:
    """A process to keep running."""

    name: str
    main: Callable[[Post], int]
    alone: bool = False
    """Its successor must not start before it has ended."""


@dataclass(slots=True)
class _Child:
    role: Role
    pid: int
    pulse: int
    """A pipe; what comes from it is a sign of life."""
    born: float
    silent: int = 0
    """How many times in a row none had come."""
    kill_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Keeps a set of roles running; `reload` gives the new set, or None to keep the old one."""

    roles: Sequence[Role]
    reload: Callable[[], Sequence[Role] | None]
    announce: Callable[[], None]
    """Called once, when every role is ready for the first time."""
    started: Callable[[str, int], None]
    died: Callable[[str, int, int], None]
    _children: dict[int, _Child] = field(default_factory=dict)
    _due: dict[str, tuple[float, Role]] = field(default_factory=dict)
    """Roles to start anew, and when."""
    anew: bool = False
    """Whether it ended in order to begin from the start."""
    _stopping: bool = False
    _look_at: float = 0.0
    _lifeline: tuple[int, int] = (-1, -1)
    _wakeup: socket.socket | None = None

    def run(self) -> int:
        """Block until told to stop; returns the exit status."""
        signals = self._listen()
        self._lifeline = os.pipe()
        for role in self.roles:
            self._start(role)
        status = self._wait_until_ready(signals)
        if status is None:
            self.announce()
            while not self._stopping:
                self._attend(signals, self._pause())
            status = 0
        self._stop_all(signals)
        for end in self._lifeline:
            os.close(end)
        return status

    def _listen(self) -> socket.socket:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        # the writer must outlive this function
        self._wakeup = writer
        return reader

    def _start(self, role: Role) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pulse, beat = os.pipe()
        os.set_blocking(beat, False)
        os.set_blocking(pulse, False)
        # a SIGTERM between the fork and the child's own handlers must not be swallowed by ours
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid == 0:
            os.close(pulse)
            self._be(role, beat)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.close(beat)
        self._children[pid] = _Child(role, pid, pulse, time.monotonic())
        self.started(role.name, pid)

    def _be(self, role: Role, beat: int) -> None:
        """The child's whole life; never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            # a Ctrl-C in a terminal reaches the whole group: the supervisor alone decides
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            os.close(self._lifeline[1])
            for sibling in self._children.values():
                with suppress(OSError):
                    os.close(sibling.pulse)
            status = role.main(Post(lambda: _beat(beat), self._lifeline[0]))
        except BaseException:  # noqa: BLE001 - nothing of the parent's stack may go on in the child
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _wait_until_ready(self, signals: socket.socket) -> int | None:
        """None when all are ready; else the exit status, because one ended or was too slow."""
        deadline = time.monotonic() + START_S
        waiting = {child.pulse: child for child in self._children.values()}
        while waiting and not self._stopping:
            if time.monotonic() > deadline:
                return 1
            readable, _, _ = select.select([signals.fileno(), *waiting], [], [], 1.0)
            for fd in readable:
                if fd == signals.fileno():
                    self._hear(signals)
                elif os.read(fd, 1):
                    del waiting[fd]
                else:
                    _, status = os.waitpid(waiting[fd].pid, 0)
                    del self._children[waiting[fd].pid]
                    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1
        return 0 if self._stopping else None

    def _attend(self, signals: socket.socket, pause: float | None) -> None:
        """One turn: wait for a signal or until something is due, then see to it."""
        readable, _, _ = select.select([signals], [], [], pause)
        if readable:
            self._hear(signals)
        self._reap()
        now = time.monotonic()
        for name, (when, role) in list(self._due.items()):
            if when <= now and not self._stopping:
                del self._due[name]
                self._start(role)
        for child in self._children.values():
            if child.kill_at is not None and child.kill_at <= now:
                os.kill(child.pid, signal.SIGKILL)
        if self._look_at <= now and not self._stopping:
            self._look_at = now + LOOK_S
            self._look()

    def _look(self) -> None:
        """For signs of life. Whoever gave none is killed; as long as that does not help, systemd hears nothing of us."""
        hang = False
        for child in self._children.values():
            child.silent = 0 if _heard(child.pulse) else child.silent + 1
            if child.kill_at is None and child.silent >= SILENT_LOOKS:
                hang = True
                os.kill(child.pid, signal.SIGKILL)
        if not hang:
            notify("WATCHDOG=1")

    def _pause(self) -> float | None:
        moments = [when for when, _ in self._due.values()]
        moments += [child.kill_at for child in self._children.values() if child.kill_at is not None]
        moments += [self._look_at] if not self._stopping else []
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _hear(self, signals: socket.socket) -> None:
        with suppress(BlockingIOError):
            heard = set(signals.recv(4096))
            if signal.SIGTERM in heard or signal.SIGINT in heard:
                self._stopping, self.anew = True, False
            elif ANEW in heard and not self._stopping:
                self._stopping = self.anew = True
            elif signal.SIGHUP in heard and not self._stopping:
                roles = self.reload()
                if roles is not None:
                    self._replace(roles)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid)
            os.close(child.pulse)
            if child.kill_at is not None or self._stopping:
                continue
            self.died(child.role.name, pid, status)
            lived = time.monotonic() - child.born
            pause = 0.0 if lived > QUICK_DEATH_S else QUICK_DEATH_S
            self._due[child.role.name] = (time.monotonic() + pause, child.role)

    def _replace(self, roles: Sequence[Role]) -> None:
        """Retire every child; the listening sockets stay open in this process, so that no caller is turned away meanwhile."""
        self.roles = roles
        alone = {child.role.name: child for child in self._children.values() if child.role.alone}
        for child in self._children.values():
            self._retire(child)
        self._due.clear()
        for role in roles:
            if role.name in alone:
                self._wait_for(alone[role.name])
            self._start(role)

    def _wait_for(self, child: _Child) -> None:
        deadline = time.monotonic() + STOP_S
        while os.waitpid(child.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child.pid, signal.SIGKILL)
            time.sleep(0.01)
        os.close(self._children.pop(child.pid).pulse)

    def _retire(self, child: _Child) -> None:
        if child.kill_at is None:
            child.kill_at = time.monotonic() + STOP_S
            os.kill(child.pid, signal.SIGTERM)

    def _stop_all(self, signals: socket.socket) -> None:
        self._stopping = True
        for child in self._children.values():
            self._retire(child)
        while self._children:
            self._attend(signals, self._pause())


def _heard(pulse: int) -> bool:
    try:
        return bool(os.read(pulse, 65536))
    except BlockingIOError:
        return False


def _beat(beat: int) -> None:
    # full, or the supervisor is gone, which the lifeline tells
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(beat, b"\n")


def notify(state: str) -> None:
    """Tell systemd, when it asked to be told (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, suppress(OSError):
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        sock.sendall(state.encode())
