"""The same commit and the same mirror give the same image: made twice, each time from nothing."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.image.conftest import DIST
from tests.image.machine import PATIENCE

pytestmark = [pytest.mark.image, pytest.mark.campaign, pytest.mark.timeout(3600 * PATIENCE)]

BUILD = DIST.parent / "image" / "build"


def made(dist: Path, cache: Path) -> dict[str, str]:
    """The digest of each file that comes out."""
    dist.mkdir()
    deb = max(DIST.glob("backupmx_*_amd64.deb"), key=lambda path: path.stat().st_mtime)
    environment = {**os.environ, "DIST": str(dist), "IMAGE_CACHE": str(cache), "DEB": str(deb)}
    subprocess.run([str(BUILD), "amd64"], env=environment, check=True)
    found = {}
    for path in sorted(dist.iterdir()):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def test_made_twice(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.fail("an image is made as root")
    first, second = (made(tmp_path / each, tmp_path / f"cache-{each}") for each in ("one", "two"))
    assert first == second
    assert {Path(name).suffix for name in first} >= {".raw", ".zst", ".qcow2", ".manifest", ".json"}
