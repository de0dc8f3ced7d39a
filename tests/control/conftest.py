"""The house that is asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backupmx.spool import layout
from backupmx.spool.memory import MemorySpool
from backupmx.spool.store import LmdbSpool
from control.house import House, running


@pytest.fixture(params=["memory", "lmdb"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A control server on either spool."""
    if request.param == "memory":
        with running(tmp_path, MemorySpool()) as found:
            yield found
        return
    layout.prepare(tmp_path / "spool")
    spool = LmdbSpool(tmp_path / "spool", owner="control", reserve=0)
    try:
        with running(tmp_path, spool) as found:
            yield found
    finally:
        spool.close()
