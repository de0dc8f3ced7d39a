"""aiosmtpd's own published tests, where they hold for us, pass with our session in the place of its own."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
VERSION = "1.4.6"
TESTS = "aiosmtpd/tests/test_smtp.py::TestSMTP"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the pinned version, unpacked; it must be what our lock file names."""
    place = tmp_path_factory.mktemp("aiosmtpd")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", f"aiosmtpd=={VERSION}"]
    fetched = subprocess.run([*command, "-d", str(place)], capture_output=True, text=True, timeout=120, check=False)
    if fetched.returncode:
        pytest.skip(f"the source of aiosmtpd cannot be fetched: {fetched.stderr[-200:]}")
    (archive,) = place.glob("*.tar.gz")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() in (ROOT / "requirements-dev.lock").read_text()
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(place)], check=True, timeout=60)
    return place / f"aiosmtpd-{VERSION}"


def exceptions() -> set[str]:
    """What stands in the table, one name for each parameter."""
    found = set()
    for name, numbers in re.findall(r"^\| (test_\w+) \| ([\d, -]*) ?\|", (HERE / "not_ours.md").read_text(), re.MULTILINE):
        for part in re.findall(r"[\d-]+", numbers):
            first, _, last = part.partition("-")
            found |= {f"{name}[{number}]" for number in range(int(first), int(last or first) + 1)}
        if not numbers.strip():
            found.add(name)
    return found


@pytest.mark.peer
@pytest.mark.timeout(180)
def test_their_tests_hold_or_are_explained(theirs: Path, tmp_path: Path) -> None:
    """Neither an unexplained failure nor an explanation that is no longer needed."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(tmp_path / "pytest.ini"), "--rootdir", str(theirs)]
    command += ["-p", "tests.upstream.ours", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:timeout"]
    ran = subprocess.run(
        [*command, f"--junitxml={tmp_path / 'results.xml'}", str(theirs / TESTS)],
        env=os.environ | {"PYTHONPATH": f"{theirs}:{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert (tmp_path / "results.xml").exists(), ran.stdout + ran.stderr
    cases = {case.get("name"): case for case in ElementTree.parse(tmp_path / "results.xml").iter("testcase")}
    failed = {name for name, case in cases.items() if case.find("failure") is not None or case.find("error") is not None}
    assert len(cases) > 150
    assert failed - exceptions() == set()
    assert exceptions() - failed == set()
