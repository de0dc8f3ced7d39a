"""The house that is asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from control.house import House, running


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A spool with a control server on it."""
    with running(tmp_path) as found:
        yield found
