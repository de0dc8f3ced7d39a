"""Serves the page over HTTP, in the foreground, until SIGTERM.

Knows: gunicorn.
Does not know: what is served, the configuration.
"""

import ctypes
import gc
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from flask import Flask
from gunicorn import systemd
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from backupmx.control.client import ControlClient
from backupmx.core import notation
from backupmx.core.notation import Endpoint
from backupmx.inherited import Inherited
from webui.app import create_app

PATIENCE_S = 5.0
"""For each answer of the server: a page that says so is better than one that never comes."""
THREADS = 4
"""Readers at a time; a page takes them for milliseconds."""
LARGE = 2**20
"""Octets of a block of memory that goes back to the system as soon as it is free."""
_M_MMAP_THRESHOLD = -3
SIGN_OF_LIFE_S = 10.0
"""How often systemd hears that we work, if it wants to: several times in what it allows (WatchdogSec)."""
ELSEWHERE = "elsewhere"
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - gunicorn makes its heartbeat file there safely, and an SD card may stall


class Watched(Arbiter):  # type: ignore[misc]
    """Replaces a worker that hangs, as ever; and lets systemd know that it does so itself."""

    def __init__(self, app: BaseApplication) -> None:
        super().__init__(app)
        # a socket in the file system is of whoever made it: not removed at the end
        self.systemd = True
        self._told = time.monotonic()

    def murder_workers(self) -> None:
        """Called about once a second, after signals were heeded."""
        super().murder_workers()
        if time.monotonic() - self._told >= SIGN_OF_LIFE_S:
            self._told = time.monotonic()
            systemd.sd_notify("WATCHDOG=1", self.log)

    def stop(self, graceful: bool = True) -> None:
        """At the end."""
        systemd.sd_notify("STOPPING=1", self.log)
        super().stop(graceful)


class Served(BaseApplication):  # type: ignore[misc]
    """The page in gunicorn: one worker with a few threads."""

    def __init__(self, bind: Sequence[str], control: Path) -> None:
        self._bind = bind
        self._control = control
        super().__init__()

    def load_config(self) -> None:
        """Ours alone: no file, no environment."""
        for key, value in self._settings().items():
            self.cfg.set(key, value)

    def run(self) -> None:
        """Until SIGTERM; raises SystemExit."""
        Watched(self).run()

    def load(self) -> Flask:
        """The application."""
        _give_large_blocks_back()
        app = create_app(ControlClient(self._control, PATIENCE_S))
        for name in app.jinja_env.list_templates():
            app.jinja_env.get_template(name)
        # what is shared with the worker stays shared
        gc.collect()
        _give_free_memory_back()
        gc.freeze()
        return app

    def _settings(self) -> dict[str, Any]:
        return {
            "bind": list(self._bind),
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "worker_connections": 100,
            "keepalive": 15,
            "graceful_timeout": 5,
            # loaded before the fork: sessions outlive a worker that has to be replaced
            "preload_app": True,
            "worker_tmp_dir": str(IN_MEMORY) if IN_MEMORY.is_dir() else None,
            # warnings are of strangers' broken requests: nobody shall fill the log with those
            "loglevel": "error",
            "proc_name": "backupmx-web",
            "control_socket_disable": True,
            "when_ready": lambda _arbiter: print("backupmx web: ready", file=sys.stderr, flush=True),
        }


def _give_large_blocks_back() -> None:
    """Each hash of a password takes 19 MiB, and glibc learns from the first to keep that much for the next."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)


def _give_free_memory_back() -> None:
    """What imports, catalogues and templates took while they were read, and is free in the middle of what stays."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def run(listen: Endpoint, control: Path, *, elsewhere: bool = False) -> NoReturn:
    """Serve at an address until SIGTERM, asking at a control socket: from here on the process is the page's alone.

    What has read the command line and the configuration would stay in memory for as long as the page is served, a seventh of all.
    """
    arguments = [str(listen), str(control), *([ELSEWHERE] if elsewhere else [])]
    # -P: no module is taken from wherever the process happens to be
    os.execv(sys.executable, [sys.executable, "-P", "-m", "webui.serve", *arguments])  # noqa: S606 - ourselves


def main(listen: Endpoint, control: Path, *, elsewhere: bool) -> int:
    """The same, in this process; returns the exit status.

    A listening socket of this address that systemd hands over is used; of whatever address, with `elsewhere`.
    """
    inherited = Inherited()
    passed = inherited.named("") if elsewhere else list(filter(None, [inherited.bound_to(listen)]))
    # gunicorn closes them
    bind = [f"fd://{os.dup(each.fileno())}" for each in passed]
    inherited.close()
    try:
        # gunicorn would try again for seconds, and say so ten times
        bind = bind or [f"fd://{_bound(listen).detach()}"]
    except OSError as error:
        print(f"backupmx web: {listen}: {os.strerror(error.errno or 0)}", file=sys.stderr)
        return 1
    try:
        Served(bind, control).run()
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else 1
    return 0


def _bound(listen: Endpoint) -> socket.socket:
    return socket.create_server(listen, family=socket.AF_INET6 if ":" in listen.host else socket.AF_INET)


if __name__ == "__main__":
    sys.exit(main(notation.listener(sys.argv[1]), Path(sys.argv[2]), elsewhere=ELSEWHERE in sys.argv[3:]))
