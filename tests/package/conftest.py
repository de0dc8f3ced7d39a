"""One package for all tests of a process, and a Debian for each that wants one."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.package.chroots import SUITES, Chroot, built, older


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of this tree: built once for all processes that run tests."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "package"
    place.mkdir(exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return next(place.glob("*.deb"), None) or built(place)


@pytest.fixture(scope="session")
def previous(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An older one."""
    return older(package, tmp_path_factory.mktemp("older"))


@pytest.fixture(params=SUITES)
def debian(request: pytest.FixtureRequest) -> Iterator[Chroot]:
    """A fresh one."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with TemporaryDirectory(prefix="backupmx-chroot-") as place, closing(Chroot(Path(place), request.param)) as found:
        yield found
