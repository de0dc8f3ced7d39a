"""A machine that several would make theirs at the same moment, each in another way: one of them has it, and all of it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backupmx.alone import alone
from backupmx.setup.configuration import text
from tests.serve.instance import eventually
from tests.upkeep.machine import Machine, commands

CLAIMED = text("mx2.example.net", "example.net", ["mail.example.net"])


@pytest.fixture
def saved(machine: Machine) -> Path:
    """Of what this machine was; nothing of that is here now."""
    file = machine.place.parent / "saved.tar"
    assert machine.do("backup", str(file)).exit_code == 0
    machine.lost()
    machine.etc.mkdir(parents=True)
    return file


@contextmanager
def waiting(machine: Machine, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The command, as it waits for whoever has the machine just now (proc_locks(5)); they are done with it afterwards."""

    def waits() -> bool:
        lines = Path("/proc/locks").read_text().splitlines()
        return done.poll() is not None or any("-> FLOCK" in line and f" {done.pid} " in line for line in lines)

    with alone(machine.etc):
        command = commands(*words, "--config", str(machine.configuration))
        done = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        eventually(waits, "it waits")
        assert done.poll() is None, "it did not wait"
        yield done


def test_a_configuration_is_not_written_while_somebody_claims_the_machine(machine: Machine, saved: Path) -> None:
    """The other way round, who claims it finds the configuration."""
    with waiting(machine, "init", "--domain", "example.com", "--hostname", "mx9.example.net", "--yes") as init:
        machine.configuration.write_text(CLAIMED)
    _, said = init.communicate(timeout=20)
    assert (init.returncode, "is there already" in said) == (1, True)
    assert machine.configuration.read_text() == CLAIMED
    assert [each.name for each in machine.etc.iterdir()] == ["backupmx.toml"]


def test_a_backup_is_not_put_in_place_while_somebody_claims_the_machine(machine: Machine, saved: Path) -> None:
    """Nothing of it; least of all its users beside another configuration."""
    with waiting(machine, "restore", str(saved), "--yes") as restore:
        machine.configuration.write_text(CLAIMED)
    _, said = restore.communicate(timeout=20)
    assert restore.returncode == 1
    assert "somebody has just set this machine up\nbackupmx: nothing is restored" in said
    assert machine.configuration.read_text() == CLAIMED
    assert [each.name for each in machine.etc.iterdir()] == ["backupmx.toml"]
    assert not machine.accounts.find("petra")
    assert not [each.name for each in machine.spool.iterdir() if each.name.startswith(("restoring", "restored", "replaced"))]
