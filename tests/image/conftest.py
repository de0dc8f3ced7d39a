"""The image, and machines that are switched off at the end."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.image.machine import Machine

DIST = Path(__file__).parents[2] / "dist"


def newest(pattern: str) -> Path:
    """What `make image` or `make image-pi` made last; without one these tests fail: whoever asks for them wants to know."""
    found = sorted(DIST.glob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        pytest.fail(f"there is no dist/{pattern}: make image, or make image-pi, makes it")
    return found[-1]


@pytest.fixture
def image() -> Path:
    """BACKUPMX_IMAGE, or what was made last."""
    named = os.environ.get("BACKUPMX_IMAGE")
    if named and not Path(named).exists():
        pytest.fail(f"BACKUPMX_IMAGE: there is no {named}")
    return Path(named) if named else newest("backupmx-*-amd64.qcow2")


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """Makes them; what each said on its console is shown when the test fails."""
    made: list[Machine] = []

    def make(image: Path, **how: Any) -> Machine:
        place = tmp_path / f"machine{len(made)}"
        place.mkdir()
        made.append(Machine(place, image, **how))
        return made[-1]

    yield make
    for machine in made:
        machine.cut()
