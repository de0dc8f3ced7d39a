"""One machine for each test, and its disks."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    found = Machine(tmp_path / "machine")
    yield found
    found.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """For the files of loop devices: one test at a time, since labels of all of them are seen in each machine."""
    with (Path(tempfile.gettempdir()) / "backupmx-disks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path
