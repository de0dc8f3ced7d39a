"""Serves the page over HTTP, in the foreground, until SIGTERM.

Knows: gunicorn.
Does not know: what is served, the configuration.
"""

import gc
import os
import socket
import sys
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from backupmx.control.client import ControlClient
from backupmx.core.notation import Endpoint
from webui.app import create_app

PATIENCE_S = 5.0
"""For each answer of the server: a page that says so is better than one that never comes."""
THREADS = 4
"""Readers at a time; a page takes them for milliseconds."""
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - gunicorn makes its heartbeat file there safely, and an SD card may stall


class Served(BaseApplication):  # type: ignore[misc]
    """The page in gunicorn: one worker with a few threads."""

    def __init__(self, bind: str, control: Path) -> None:
        self._bind = bind
        self._control = control
        super().__init__()

    def load_config(self) -> None:
        """Ours alone: no file, no environment."""
        for key, value in self._settings().items():
            self.cfg.set(key, value)

    def load(self) -> Flask:
        """The application."""
        app = create_app(ControlClient(self._control, PATIENCE_S))
        # what is shared with the worker stays shared
        gc.collect()
        gc.freeze()
        return app

    def _settings(self) -> dict[str, Any]:
        return {
            "bind": [self._bind],
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


def run(listen: Endpoint, control: Path) -> int:
    """Serve at an address until SIGTERM, asking at a control socket; returns the exit status.

    Listening sockets that systemd hands over are used instead of the address.
    """
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        return _serve(str(listen), control)
    try:
        # gunicorn would try again for seconds, and say so ten times
        listener = socket.create_server(listen, family=socket.AF_INET6 if ":" in listen.host else socket.AF_INET)
    except OSError as error:
        print(f"backupmx web: {listen}: {os.strerror(error.errno or 0)}", file=sys.stderr)
        return 1
    # gunicorn closes it
    return _serve(f"fd://{listener.detach()}", control)


def _serve(bind: str, control: Path) -> int:
    try:
        Served(bind, control).run()
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else 1
    return 0
