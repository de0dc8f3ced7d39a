"""The command line beside a running control server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from control.house import House, running

from backupmx.cli.main import root
from backupmx.spool.memory import MemorySpool
from cli.admin import Admin

Run = Callable[..., Result]


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A spool with a control server on it, and a configuration that leads there; a parameter is who is told of alerts."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "b.toml").write_text(
        f'hostname = "mx2.example.net"\nspool = "{tmp_path}/spool"\n[control]\nsocket = "{tmp_path}/c.sock"\n'
        '[domain."one.example"]\n[domain."two.example"]\nholding_window = "3d"\n'
    )
    with running(tmp_path, MemorySpool(), getattr(request, "param", ())) as found:
        yield found


@pytest.fixture
def run(house: House) -> Run:
    """`backupmx …`, with this house's configuration."""

    def run(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(root, arguments, input=typed, env={"BACKUPMX_CONFIG": str(house.path / "b.toml")})

    return run


@pytest.fixture
def admin(tmp_path: Path) -> Admin:
    """Who types `backupmx domain …` with a file of people's own hand, and no server."""
    return Admin(tmp_path)
