"""A real `backupmx serve` in a directory of its own, and a primary that can come and go."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backupmx.demo.primary import Primary as StandIn

WAIT_S = 20.0


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def eventually(holds: Callable[[], bool], what: str, within: float = WAIT_S) -> None:
    """Wait for a condition of another process; fails loudly."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.02)


class Primary:
    """A primary on a fixed port that keeps what it was given; `start` and `stop` at will."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received: list[tuple[str, tuple[str, ...], bytes]] = []
        self._standing: StandIn | None = None

    def start(self) -> None:
        self._standing = StandIn(lambda *message: self.received.append(message), self.port)
        self._standing.come()

    def stop(self) -> None:
        if self._standing:
            self._standing.close()
            self._standing = None


class Instance:
    """One spool, one configuration, one running server (or none)."""

    def __init__(self, place: Path, primary: Primary, settings: str = "", tables: str = "") -> None:
        self.place = place
        self.primary = primary
        self.port = free_port()
        self.path = place / "backupmx.toml"
        self._settings = settings
        self._tables = tables
        self.configure()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = place / "log"

    def configure(self, extra: str = "", smtp: str = "") -> None:
        self.path.write_text(
            f'hostname = "mx2.test"\nspool = "{self.place}/spool"\nreserve = "1 MiB"\n{self._settings}\n'
            f'[smtp]\nlisten = ["127.0.0.1:{self.port}"]\nworkers = 2\n{smtp}\n'
            f'[control]\nsocket = "{self.place}/control.sock"\n'
            f'[delivery]\nprobe_interval = "1s"\n{self._tables}\n'
            f'[domain."example.com"]\nprimary = ["127.0.0.1:{self.primary.port}"]\n{extra}\n'
        )

    def start(self) -> None:
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backupmx", "serve", "--config", str(self.path)],
            stderr=write,
            start_new_session=True,
        )
        os.close(write)
        ready = threading.Event()

        def copy() -> None:
            with os.fdopen(read, "rb") as lines, self.log.open("ab") as log:
                for line in lines:
                    log.write(line)
                    log.flush()
                    if line == b"backupmx: ready\n":
                        ready.set()
            ready.set()

        threading.Thread(target=copy, daemon=True).start()
        assert ready.wait(WAIT_S), self.log.read_text()
        assert self.process.poll() is None, self.log.read_text()

    def stop(self) -> int:
        assert self.process
        self.process.terminate()
        return self.process.wait(40)

    def kill_all(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def children(self) -> dict[str, int]:
        """Process ids of the supervisor's living children, by the name in their log line, newest first."""
        assert self.process
        mine = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = {}
        for line in self.log.read_text().splitlines():
            if "event=started" in line:
                fields = dict(part.partition("=")[::2] for part in line.split())
                if fields["pid"] in mine:
                    found[fields["child"]] = int(fields["pid"])
        return found

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours as an admin would."""
        return subprocess.run(
            [sys.executable, "-m", "backupmx", "--config", str(self.path), *words],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def status(self) -> dict[str, Any]:
        answer = self.cli("status", "--json")
        assert answer.returncode == 0, answer.stderr
        return dict(json.loads(answer.stdout))


@contextmanager
def running(place: Path, settings: str = "", tables: str = "", start: bool = True) -> Iterator[Instance]:
    """An instance that is surely gone afterwards."""
    primary = Primary()
    instance = Instance(place, primary, settings, tables)
    try:
        if start:
            instance.start()
        yield instance
    finally:
        instance.kill_all()
        primary.stop()


class Client:
    """SMTP by hand, for replies as they are."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._lines = self._sock.makefile("rb")
        try:
            self.greeting = self.reply()
        except OSError:
            self.close()
            raise

    def reply(self) -> str:
        lines = []
        while True:
            line = self._lines.readline()
            if not line:
                raise ConnectionError("the server closed")
            lines.append(line.decode().rstrip("\r\n"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def say(self, line: str) -> str:
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def mail(self, content: bytes, sender: str = "a@sender.test", to: tuple[str, ...] = ("user@example.com",)) -> str:
        """One whole transaction after EHLO; returns the last reply. The content must be dot-stuffed and end in CRLF."""
        for line in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{address}>" for address in to), "DATA"):
            answer = self.say(line)
            if answer[0] not in "23":
                return answer
        self.send(content + b".\r\n")
        return self.reply()

    def close(self) -> None:
        self._lines.close()
        self._sock.close()

    def __enter__(self) -> "Client":
        try:
            assert self.greeting.startswith("220 "), self.greeting
            self.say("EHLO client.test")
        except (OSError, AssertionError):
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
