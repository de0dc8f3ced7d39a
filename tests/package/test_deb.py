"""The package as a file: the same each time, for the machine that it names, and with nothing that Debian would call an error."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.package.chroots import built

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]

E_MACHINE = {"amd64": 62, "arm64": 183}
"""In the head of an ELF file, octets 18 and 19."""


def contents(package: Path) -> tarfile.TarFile:
    done = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True)
    return tarfile.open(fileobj=BytesIO(done.stdout))


def machines(package: Path) -> set[int]:
    """That the programs and libraries in it are for."""
    found = set()
    with contents(package) as tree:
        for member in tree:
            file = tree.extractfile(member) if member.isreg() else None
            head = file.read(20) if file else b""
            if head.startswith(b"\x7fELF"):
                found.add(int.from_bytes(head[18:20], "little"))
    return found


def test_built_twice_it_is_the_same(package: Path, tmp_path: Path) -> None:
    """And tells on what it was built from, not where or when."""
    again = built(tmp_path)
    assert again.name == package.name
    assert again.read_bytes() == package.read_bytes()


def test_lintian_finds_no_error(package: Path) -> None:
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", package], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_for_another_machine_has_nothing_of_this_one(package: Path, tmp_path: Path) -> None:
    """Cross-built; both have the same files but for what is compiled."""
    arm = built(tmp_path, "arm64")
    assert machines(arm) == {E_MACHINE["arm64"]}
    assert machines(package) == {E_MACHINE["amd64"]}
    with contents(arm) as theirs, contents(package) as ours:
        assert {plain(name) for name in theirs.getnames()} == {plain(name) for name in ours.getnames()}


def plain(name: str) -> str:
    """Without the machine in the names of extension modules and of the libraries that wheels bring along."""
    stem, mark, end = name.partition(".cpython-")
    return stem + mark + end.partition("-")[0] if mark else name.partition(".so")[0].partition(".libs/")[0]
