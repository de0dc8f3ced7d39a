"""Our server for a measurement: a configuration on loopback, `backupmx serve`, what it costs, what it says."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backupmx.control.answers import StatusAnswer
from backupmx.control.client import ControlClient
from backupmx.control.requests import GetStatus
from backupmx.core.status import Status
from tests.bench.peers import free_port

START_S = 30.0
STOP_S = 40.0

CONFIGURATION = """\
hostname = "mx2.test"
spool = "{place}/spool"
reserve = "64 MiB"
[smtp]
listen = ["127.0.0.1:{port}"]
max_connections = {connections}
max_connections_per_client = {connections}
[control]
socket = "{place}/control.sock"
[delivery]
probe_interval = "{probe}"
[domain."example.com"]
primary = ["127.0.0.1:{primary}"]
{domain}
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Sums over all our processes, in MB (10^6 octets)."""

    rss: float
    pss: float
    anonymous: float
    """The part of `pss` that is no page of a file."""


@dataclass(frozen=True, slots=True)
class Ours:
    """A running server."""

    port: int
    pid: int
    control: ControlClient

    def status(self) -> Status:
        answer = self.control.ask(GetStatus())
        assert isinstance(answer, StatusAnswer), answer
        return answer.status

    def waiting(self) -> int:
        return self.status().queue.messages

    def memory(self) -> Memory:
        sums = {"Rss": 0, "Pss": 0, "Pss_Anon": 0}
        for pid in family(self.pid):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in sums:
                    sums[name] += int(rest.split()[0]) * 1024
        return Memory(*(octets / 1e6 for octets in sums.values()))


def family(pid: int) -> list[int]:
    """A process and all that it began."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


@contextmanager
def ours(
    place: Path,
    primary_port: int,
    *,
    probe: str = "1s",
    connections: int = 2000,
    domain: str = "",
    more: Mapping[str, str] | None = None,
) -> Iterator[Ours]:
    """Run a server in `place`, with `more` in its environment, for the primary on a loopback port.

    `domain` is what is said of the domain beside its primary.
    """
    place.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = place / "backupmx.toml"
    config.write_text(
        CONFIGURATION.format(place=place, port=port, probe=probe, connections=connections, primary=primary_port, domain=domain)
    )
    log = place / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "backupmx", "serve", "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=os.environ | dict(more or {}),
        )
    try:
        wait_until(lambda: b"backupmx: ready\n" in log.read_bytes() or process.poll() is not None, START_S, "ready")
        assert process.poll() is None, log.read_text()
        yield Ours(port, process.pid, ControlClient(place / "control.sock"))
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        finally:
            process.kill()


def wait_until(true: Callable[[], bool], within: float, what: str, every: float = 0.02) -> None:
    """Look again and again; raises TimeoutError."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within:.0f} s: {what}")
        time.sleep(every)
