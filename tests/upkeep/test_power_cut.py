"""A restore that is killed at each of its steps: the old machine or the new one, and never a half."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from control.house import an_id

from tests.upkeep.machine import DOMAIN, MAIL, Machine

KILLED = """
# Runs a command again and again, each time killed at one more step, and lets the next start find what is left.
import json, os, shutil, signal, sys
from pathlib import Path
sys.path[:0] = ["tests", "."]
from backupmx.safekeeping import bringing
from backupmx.cli import restore, rows  # before the fork, once for all
from backupmx.safekeeping import copying, sealing
from backupmx.spool import verify
import backupmx.cli.progress, rich.console, rich.progress
from backupmx.cli.main import root
from tests.upkeep.machine import Machine

place, command = Path(sys.argv[1]), sys.argv[2:]
machine, kept = Machine(place), place.with_name("kept")
shutil.copytree(place, kept)
STEPS = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "fcntl.lockf", "os.chmod"}
for last in range(1, 1000):
    shutil.rmtree(place)
    shutil.copytree(kept, place)
    if child := os.fork():
        _, status = os.waitpid(child, 0)
    else:
        left = last
        def step(event, arguments):
            global left
            if event in STEPS and (event == "fcntl.lockf" or str(place) in str(arguments[0]) or isinstance(arguments[0], int)):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(step)
        root(command, standalone_mode=False)
        os._exit(0)
    bringing.finish(machine.configuration)
    there = machine.files()
    users = [user.name for user in machine.accounts.users()]
    store = (machine.spool / "data.mdb").exists()
    people = repr(machine.people) if store else ""
    inside = sorted(each.name for each in machine.spool.iterdir()) if machine.spool.exists() else []
    text = there.get("backupmx.toml", (0, b""))[1].decode()
    key = there.get("tls/k.pem", (0, b""))[1].decode()
    mail = sorted(machine.ids) if store else []
    found = machine.problems if store else []
    print(json.dumps([text, key, users, people, mail, found, inside, status == 0]), flush=True)
    if status == 0:
        break
"""
State = tuple[str, str, tuple[str, ...], str, tuple[str, ...]]


@contextmanager
def in_memory(machine: Machine) -> Iterator[Machine]:
    """A kill takes nothing from a file system, and disks take their time for each sync."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as memory:
        found = Machine(Path(memory) / "machine")
        shutil.copytree(machine.place, found.place)
        (found.place.parent / "elsewhere.txt").touch()
        found.configuration.write_text(found.text)
        yield found


def states(machine: Machine, *command: str) -> list[State]:
    """What was found after each kill, in the order of the steps."""
    words = (*command, "--config", str(machine.configuration))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(machine.place), *words], check=False, capture_output=True, text=True, timeout=110
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr
    assert lines[-1].pop() is True, done.stderr
    assert not any(line.pop() for line in lines[:-1])
    found = []
    for *state, problems, inside in lines:
        assert problems == []
        # a draft is worth nothing, and goes with the next start
        assert not [name for name in inside if name.startswith("restored")]
        text, key, users, people, mail = state
        found.append((text, key, tuple(users), people, tuple(mail)))
    return found


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_new_machine_is_set_up_or_is_not(machine: Machine) -> None:
    """While there is no configuration there is nothing else either that could be taken for one."""
    with in_memory(machine) as there:
        saved = there.place.parent / "saved.tar"
        assert there.do("backup", str(saved), "--with-mail").exit_code == 0
        text, people = there.text, repr(there.people)
        there.lost()
        there.place.mkdir()
        found = states(there, "restore", str(saved), "--yes")
    old: State = ("", "", (), "", ())
    new: State = (text, "what is in tls/k.pem", ("petra",), people, tuple(sorted(MAIL)))
    assert list(dict.fromkeys(found)) == [old, new]
    assert len(found) > 20


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_one_that_had_another_configuration_has_the_old_or_the_new(machine: Machine) -> None:
    """Keys, users and recipients with it; and its mail is there all the time."""
    with in_memory(machine) as there:
        saved = there.place.parent / "saved.tar"
        assert there.do("backup", str(saved)).exit_code == 0
        new = (there.text, "what is in tls/k.pem", ("petra",), repr(there.people))
        with there.at_work() as house:
            house.take(9)
            house.put_list(DOMAIN, "dora")
        (there.place / "backupmx.toml").unlink()
        there.accounts.remove_user("petra")
        (there.etc / "tls" / "k.pem").write_text("another key")
        there.configuration.write_text(there.text.replace("the office", "another office"))
        old = (there.configuration.read_text(), "another key", (), repr(there.people))
        found = states(there, "restore", str(saved), "--yes", "--replace")
    assert list(dict.fromkeys(each[:4] for each in found)) == [old, new]
    assert {each[4] for each in found} == {tuple(sorted({*MAIL, an_id(9)}))}
    assert len(found) > 20
