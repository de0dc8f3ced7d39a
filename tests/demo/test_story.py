"""The demo as a newcomer runs it: it tells the story, ends by itself, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

DEMO = [sys.executable, "-m", "backupmx", "demo"]


@pytest.fixture
def place() -> Iterator[Path]:
    """With a short name, unlike pytest's: a socket's path may have 107 octets."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def left_behind(place: str) -> list[str]:
    """Processes that still have the demo's directory in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if place in words:
            found.append(words)
    return found


def environment(place: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(place)}


def test_the_story_ends_by_itself_and_the_books_balance(place: Path) -> None:
    """I1, I11: without a terminal it needs no option; exit status 0, nothing lost, altered or left behind."""
    done = subprocess.run(
        DEMO, env=environment(place), capture_output=True, text=True, timeout=50, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    books = dict(re.findall(r"^   (\S.*\S) {2,}(\d+)$", done.stdout, re.MULTILINE))
    assert int(books["messages accepted"]) >= 50
    assert books["copies accepted, one for each recipient"] == books["copies delivered, the same byte for byte"]
    assert (books["lost"], books["delivered twice"], books["altered, or not ours"]) == ("0", "0", "0")
    assert "Nothing was lost" in done.stdout.splitlines()[-1]
    assert not done.stderr
    assert left_behind(str(place)) == []
    assert list(place.iterdir()) == []


@pytest.mark.slow
def test_a_story_that_is_broken_off_leaves_nothing_behind(place: Path) -> None:
    """SIGTERM in the middle of a scene."""
    story = subprocess.Popen(
        [*DEMO, "--once"],
        env=environment(place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert story.stdout
    for line in story.stdout:
        if "== 2." in line:
            break
    story.send_signal(signal.SIGTERM)
    _, said = story.communicate(timeout=40)
    assert story.returncode == 1
    assert "broken off" in said
    assert left_behind(str(place)) == []
    assert list(place.iterdir()) == []
