"""The real thing, as an operator runs it: a configuration, and `backupmx serve` and `backupmx web` as processes.

Knows: the command line, the control socket, the page's API, SMTP as any client speaks it.
Does not know: the story, and the rooms of the server.
"""

import json
import os
import secrets
import signal
import smtplib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from backupmx.control.answers import StatusAnswer
from backupmx.control.client import ControlClient
from backupmx.control.requests import GetStatus
from backupmx.core.status import Status
from backupmx.demo.ledger import Letter
from backupmx.errors import ControlUnavailable

USER = "admin"
READY = {"serve": b"backupmx: ready\n", "web": b"backupmx web: ready\n"}
START_S = 20.0
STOP_S = 10.0
ASK_S = 10.0
TALE = 15
"""Lines of a log that are worth showing when something went wrong."""

CONFIGURATION = """\
hostname = "mx2.example.net"
spool    = "{place}/spool"
reserve  = "64 MiB"

[smtp]
listen = ["127.0.0.1:{smtp}"]

[web]
listen = "127.0.0.1:{web}"

[control]
socket = "{place}/control.sock"

[delivery]
probe_interval = "1s"

[domain."example.com"]
primary = ["127.0.0.1:{primary}"]
"""


class Trouble(Exception):
    """The story cannot go on; the text says why."""


class Instance:
    """One Backup MX on loopback; `close` leaves no process behind."""

    def __init__(self, place: Path, primary_port: int) -> None:
        self._place = place
        self._smtp, web = _free_ports(2)
        self._config = place / "backupmx.toml"
        self._config.write_text(CONFIGURATION.format(place=place, smtp=self._smtp, web=web, primary=primary_port))
        self._control = ControlClient(place / "control.sock", ASK_S)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._token = ""
        self.page = f"http://127.0.0.1:{web}/"
        self.password = secrets.token_urlsafe(9)

    def start(self) -> None:
        """Return once mail is taken and the page is there. Raises Trouble."""
        for name in READY:
            self._begin(name)
        self._admin("user", "add", USER, "--role", "admin", "--password-stdin", given=self.password)
        self._token = self._admin("token", "create", "demo").strip()

    def close(self) -> None:
        """End both processes, gently at first."""
        for child in self._children.values():
            with suppress(ProcessLookupError):
                child.terminate()
        for child in self._children.values():
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()

    def check(self) -> None:
        """Raises Trouble when a process has ended unasked."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise Trouble(f"backupmx {name} ended with exit status {child.returncode}\n{self._tale(name)}")

    def status(self) -> Status:
        """What the server says of itself. Raises Trouble."""
        self.check()
        try:
            answer = self._control.ask(GetStatus())
        except ControlUnavailable as error:
            raise Trouble(str(error)) from error
        if not isinstance(answer, StatusAnswer):
            raise Trouble(f"no status, but {answer}")
        return answer.status

    def shown(self) -> Status:
        """What the page's API says: the same document, over HTTP. Raises Trouble."""
        asked = urllib.request.Request(f"{self.page}api/v1/status", headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310 - our own page
        try:
            with urllib.request.urlopen(asked, timeout=ASK_S) as answer:  # noqa: S310 - our own page
                return msgspec.json.decode(answer.read(), type=Status)
        except (OSError, msgspec.MsgspecError) as error:
            raise Trouble(f"{self.page}: {error}") from error

    def send(self, letters: Iterable[Letter]) -> Iterator[tuple[Letter, str]]:
        """Hand letters over on one connection; gives each with its message id once it has its `250`. Raises Trouble."""
        try:
            with smtplib.SMTP("127.0.0.1", self._smtp, local_hostname="client.sender.test", timeout=ASK_S) as client:
                client.ehlo()
                for letter in letters:
                    yield letter, _handed_over(client, letter)
        except (OSError, smtplib.SMTPException) as error:
            raise Trouble(f"the server took no mail: {error}") from error

    def tale(self) -> str:
        """The last lines of both logs."""
        return "\n".join(self._tale(name) for name in self._children)

    def _begin(self, name: str) -> None:
        log = self._place / f"{name}.log"
        with log.open("wb") as said:
            # a session of its own: a Ctrl-C is for the story alone, which ends the processes in order
            self._children[name] = subprocess.Popen(  # noqa: S603 - ourselves
                self._command(name), stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, cwd=self._place
            )
        deadline = time.monotonic() + START_S
        while READY[name] not in log.read_bytes():
            self.check()
            if time.monotonic() > deadline:
                raise Trouble(f"backupmx {name} was not ready within {START_S:.0f} s\n{self._tale(name)}")
            time.sleep(0.02)

    def _admin(self, *words: str, given: str = "") -> str:
        done = subprocess.run(  # noqa: S603 - ourselves
            self._command(*words),
            input=given + "\n",
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
            cwd=self._place,
        )
        if done.returncode:
            raise Trouble(f"backupmx {' '.join(words)}: {done.stderr}")
        return done.stdout

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "backupmx", *words, "--config", str(self._config)]

    def _tale(self, name: str) -> str:
        lines = (self._place / f"{name}.log").read_text(errors="backslashreplace").splitlines()
        return "\n".join(f"  {name}: {json.dumps(line)[1:-1]}" for line in lines[-TALE:])


def _handed_over(client: smtplib.SMTP, letter: Letter) -> str:
    _expect(2, *client.mail(letter.sender, [f"SIZE={len(letter.content)}", "BODY=8BITMIME"]))
    for recipient in letter.recipients:
        _expect(2, *client.rcpt(recipient))
    *_, what, _as, id = ("", "", *_expect(2, *client.data(letter.content)).split())
    return id if (what, _as) == ("queued", "as") else ""


def _expect(digit: int, code: int, text: bytes) -> str:
    if code // 100 != digit:
        raise smtplib.SMTPResponseException(code, text)
    return text.decode(errors="backslashreplace")


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
