"""A machine that nobody has set up, and a server of one that is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from control.house import House, running

from backupmx.spool.memory import MemorySpool
from tests.setup.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Not running yet."""
    found = Machine(tmp_path)
    yield found
    found.kill()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An ordinary server."""
    with running(tmp_path, MemorySpool()) as found:
        yield found
