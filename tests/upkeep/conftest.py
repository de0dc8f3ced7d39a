"""One machine with everything on it."""

import shutil
from pathlib import Path

import pytest

from tests.upkeep.machine import Machine


@pytest.fixture(scope="session")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; its paths are made right for each test that has a copy."""
    place = tmp_path_factory.mktemp("worked")
    (place / "machine").mkdir()
    Machine(place / "machine").set_up()
    return place


@pytest.fixture
def machine(worked: Path, tmp_path: Path) -> Machine:
    shutil.copytree(worked, tmp_path, dirs_exist_ok=True)
    found = Machine(tmp_path / "machine")
    found.configuration.write_text(found.text)
    return found
