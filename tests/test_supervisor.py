"""The supervisor with processes that do nothing: start, death, replacement, end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.instance import eventually

SCRIPT = """
import os, signal, sys
from functools import partial
from backupmx.supervisor import Role, Supervisor

def say(*words):
    # one write a line: several processes share the file
    os.write(1, " ".join(map(str, words)).encode() + b"\\n")

def idle(name, generation, post):
    os.set_blocking(post.lifeline, True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    say(generation, name, os.getpid())
    post.alive()
    os.read(post.lifeline, 1)
    say("orphaned", name)
    return 1

def broken(post):
    return 7

def roles(generation):
    return [Role("a", partial(idle, "a", generation), alone=True), Role("b", partial(idle, "b", generation))]

chosen = [Role("broken", broken), *roles("first")] if sys.argv[1:] else roles("first")
sys.exit(Supervisor(chosen, lambda: roles("second"), lambda: say("ready"),
                    lambda name, pid: None, lambda name, pid, status: say("died", name)).run())
"""


class House:
    """The script's process and what it has printed."""

    def __init__(self, place: Path, *words: str) -> None:
        self.output = place / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen([sys.executable, "-c", SCRIPT, *words], stdout=output)

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.output.read_text().splitlines()]

    def pids(self, generation: str) -> dict[str, int]:
        return {line[1]: int(line[2]) for line in self.lines() if line[0] == generation}

    def said(self, *words: str) -> bool:
        return list(words) in self.lines()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A supervisor with two idle roles, ready."""
    house = House(tmp_path)
    eventually(lambda: house.said("ready"), "ready")
    yield house
    house.process.kill()
    house.process.wait()


def test_a_dead_process_is_started_anew(house: House) -> None:
    """A kill is answered by a new process of the same role."""
    before = house.pids("first")["b"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: house.pids("first")["b"] != before, "b is back")
    assert house.said("died", "b")
    assert house.process.poll() is None


def test_sigterm_ends_all_and_the_status_is_zero(house: House) -> None:
    """An orderly end, without a process left."""
    pids = house.pids("first").values()
    house.process.terminate()
    assert house.process.wait(10) == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_children_see_that_the_supervisor_is_gone(house: House) -> None:
    """Killed without a word, it leaves nobody behind to hold the spool's lock."""
    house.process.kill()
    eventually(lambda: house.said("orphaned", "a") and house.said("orphaned", "b"), "the children go")


def test_sighup_replaces_every_process(house: House) -> None:
    """The old ones are not counted as dead."""
    house.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(house.pids("second")) == 2, "the second generation")
    assert not any(line[0] == "died" for line in house.lines())
    for pid in house.pids("first").values():
        eventually(lambda pid=pid: not Path(f"/proc/{pid}").exists(), "the first generation goes")


def test_a_role_that_cannot_start_ends_the_house_with_its_status(tmp_path: Path) -> None:
    """Before the first `ready`, a failure is told, not repeated for ever."""
    house = House(tmp_path, "broken")
    assert house.process.wait(10) == 7
    assert not house.said("ready")


WATCHED = """
import os, signal, sys, time
from functools import partial
from backupmx import supervisor
supervisor.LOOK_S = 0.1

def beating(name, post):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    os.write(1, f"{name} {os.getpid()}\\n".encode())
    while True:
        post.alive()
        time.sleep(0.01)

roles = [supervisor.Role(name, partial(beating, name)) for name in "ab"]
say = lambda *words: os.write(1, " ".join(map(str, words)).encode() + b"\\n")
sys.exit(supervisor.Supervisor(roles, lambda: None, lambda: say("ready"), lambda name, pid: None, partial(say, "died")).run())
"""


def test_who_hangs_is_replaced_and_systemd_hears_of_the_others_only_then(tmp_path: Path) -> None:
    """A process that stands still gives no sign of life; the others are not touched."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        command = [sys.executable, "-c", WATCHED]
        environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout
            pids = dict(next(process.stdout).split() for _ in "ab")
            assert next(process.stdout) == "ready\n"
            for _ in range(8):
                # more looks than silence is borne for: nobody who lives is taken for dead
                assert systemd.recv(100) == b"WATCHDOG=1"
            os.kill(int(pids["b"]), signal.SIGSTOP)
            assert next(process.stdout) == f"died b {pids['b']} 9\n"
            assert next(process.stdout).split()[0] == "b"
            process.terminate()
            assert process.wait(10) == 0
            assert not process.stdout.read(), "a went on as it was"
