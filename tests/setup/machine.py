"""A new machine: `backupmx setup serve` in a process of its own, with places of its own."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from backupmx import config
from backupmx.control.accounts import Accounts
from backupmx.control.answers import AnyAnswer, Text
from backupmx.control.client import ControlClient
from backupmx.control.conversations import Conversations
from backupmx.control.passwords import hasher
from backupmx.control.requests import AnyRequest, GetSetupCode
from backupmx.core.setup import Answers
from backupmx.setup.code import NAME, OneTimeCode
from backupmx.setup.configuration import Places
from backupmx.setup.desk import Desk, Look
from backupmx.setup.look import look

PASSWORD = "correct horse battery staple"
HASH = hasher().hash(PASSWORD)
ANSWERS = Answers("Example.com", "127.0.0.1:9", "mx2.example.net", "petra", HASH, "ntfys://ntfy.example.net/topic")
WAIT_S = 20


class Machine:
    """Nobody's, until somebody claims it."""

    def __init__(self, place: Path) -> None:
        self.places = Places(place / "etc" / "b.toml", place / "spool", place / "c.sock")
        self.process: subprocess.Popen[str] | None = None

    @property
    def command(self) -> list[str]:
        """What waits for somebody to set it up."""
        places = self.places
        where = ["--config", places.configuration, "--spool", places.spool, "--socket", places.socket]
        return [sys.executable, "-m", "backupmx", "setup", "serve", *map(str, where)]

    def start(self, **environment: str) -> None:
        """Returns when it says that it is ready."""
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
        assert self.process.stderr
        while (line := self.process.stderr.readline()) != "backupmx: ready to be set up\n":
            assert line.startswith("level=info"), line

    def ask(self, request: AnyRequest) -> AnyAnswer:
        return ControlClient(self.places.socket, WAIT_S).ask(request)

    @property
    def code(self) -> str:
        answer = self.ask(GetSetupCode())
        assert isinstance(answer, Text)
        return answer.text

    @property
    def kept(self) -> Path:
        """Where the code is kept."""
        return self.places.spool / "setup-code"

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.places.spool / "accounts.json")

    @property
    def settings(self) -> config.Settings:
        return config.load(self.places.configuration)

    def ended(self) -> tuple[int, str]:
        """The exit status, and all that it said."""
        assert self.process
        _, said = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, said

    def kill(self) -> None:
        if self.process and self.process.stderr and not self.process.stderr.closed:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate(timeout=WAIT_S)


class Threaded(Machine):
    """The same in a thread of this process, which is there at once; how it looks at the network can be changed."""

    look: Look = staticmethod(look)

    def start(self, **environment: str) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        self._thread.start()
        assert ready.wait(WAIT_S)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._desk = asyncio.get_running_loop(), Desk(self.places, OneTimeCode(self.places.spool / NAME), self.look)
        conversations = Conversations(self.places.socket, self._desk.answers)
        await conversations.start()
        ready.set()
        await self._desk.over.wait()
        await conversations.stop()

    def ended(self) -> tuple[int, str]:
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        return 0, ""

    def kill(self) -> None:
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._desk.over.set)
        self.ended()
