"""One machine for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    found = Machine(tmp_path / "machine")
    yield found
    found.close()
