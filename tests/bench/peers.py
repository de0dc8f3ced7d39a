"""The other side of a measurement: Postfix as a backup MX, its load generator, its sink; and the slow disk for both."""

import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SHARED = Path(os.environ.get("BACKUPMX_SHARED", Path(__file__).parents[2].parent / "shared"))
PEERS = SHARED / "peers"
COUNTED = re.compile(rb"mesg=(\d+)")
SLOW_DISK_LOCK = Path("/tmp/slow-disk.lock")
FIXED_PORTS = (20_000, 32_000)
"""Below those that the system gives to clients: a port that stays closed for minutes must not become one of theirs."""


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running backup MX."""

    port: int
    place: Path

    def flush(self) -> None:
        """Try all now."""
        _peer("flush", self.place)

    def waiting(self) -> int:
        return int(_peer("waiting", self.place))

    def calm(self) -> bool:
        """Whether it has tried and put off all that it holds."""
        queues = (self.place / "queue" / name for name in ("incoming", "active"))
        return not any(path.is_file() for queue in queues for path in queue.rglob("*"))


@contextmanager
def postfix(place: Path, primary_port: int, *, more: Mapping[str, str] | None = None) -> Iterator[Postfix]:
    """Run Postfix in `place`, with `more` in its environment, for the primary on a loopback port."""
    port = free_port()
    try:
        _peer("start", place, port, primary_port, more=more)
        yield Postfix(port, place)
    finally:
        _peer("stop", place)
        Path(f"/var/log/postfix-bench-{port}.log").unlink(missing_ok=True)


def _peer(verb: str, place: Path, *ports: int, more: Mapping[str, str] | None = None) -> str:
    command = [str(PEERS / "postfix-backup"), verb, str(place), *map(str, ports)]
    # its daemons keep standard output open: a file, not a pipe, or we would wait for them
    with tempfile.TemporaryFile("w+") as said:
        subprocess.run(command, check=True, timeout=120, stdout=said, stdin=subprocess.DEVNULL, env=os.environ | dict(more or {}))
        said.seek(0)
        return said.read()


def free_port() -> int:
    """A loopback port that nobody listens on, and that no client gets."""
    while True:
        port = random.randrange(*FIXED_PORTS)
        if not _listens(port):
            return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def directory() -> Iterator[Path]:
    """One for both sides, on one disk, that Postfix's users may enter."""
    with tempfile.TemporaryDirectory(prefix="backupmx-bench-", dir=os.environ.get("BENCH_DIRECTORY")) as place:
        Path(place).chmod(0o755)
        yield Path(place)


def slow_disk(place: Path, milliseconds: int) -> dict[str, str]:
    """The environment in which every sync takes that long; nothing for 0. Needs a C compiler."""
    if not milliseconds:
        return {}
    library = place / "slow-disk.so"
    if not library.exists():
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(PEERS / "slow-disk.c"), "-ldl"], check=True, timeout=60
        )
    # the one device of the machine: made here, so that Postfix's user may queue there as ours does
    SLOW_DISK_LOCK.touch()
    SLOW_DISK_LOCK.chmod(0o666)
    return {"LD_PRELOAD": str(library), "SLOW_FSYNC_MS": str(milliseconds)}


def load(port: int, messages: int, octets: int = 4096, sessions: int = 20) -> None:
    """Send with smtp-source until all are taken."""
    command = ["smtp-source", "-s", str(sessions), "-l", str(octets), "-m", str(messages), "-f", "sender@sender.test"]
    subprocess.run([*command, "-t", "user@example.com", "-M", "client.test", f"127.0.0.1:{port}"], check=True, timeout=600)


@dataclass(slots=True)
class Sink:
    """smtp-sink, and the moment at which it had taken each number of messages."""

    began: float
    times: dict[int, float] = field(default_factory=dict)

    def taken(self) -> int:
        return max(self.times, default=0)


@contextmanager
def sink(port: int, slow_reply: float | None = None) -> Iterator[Sink]:
    """Run a discarding primary on a loopback port: smtp-sink, or ours that takes so many milliseconds for each reply."""
    # as root it wants to be told who it shall be
    who = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = ["smtp-sink", "-c", *who, f"127.0.0.1:{port}", "1000"]
    if slow_reply is not None:
        command = [sys.executable, "-m", "tests.bench.discard", str(port), str(slow_reply)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    while not _listens(port):
        time.sleep(0.01)
    found = Sink(time.monotonic())
    reader = threading.Thread(target=_count, args=(process, found), daemon=True)
    reader.start()
    try:
        yield found
    finally:
        process.kill()
        process.wait()
        reader.join()


def _count(process: subprocess.Popen[bytes], found: Sink) -> None:
    assert process.stdout
    while said := os.read(process.stdout.fileno(), 65536):
        now = time.monotonic()
        for number in map(int, COUNTED.findall(said)):
            if number:  # sessions without mail are told as well
                found.times.setdefault(number, now)
    process.stdout.close()
