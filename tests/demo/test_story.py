"""The demo as a newcomer runs it: it tells the story, ends by itself, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

DEMO = [sys.executable, "-m", "backupmx", "demo"]


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


def test_the_story_ends_by_itself_and_the_books_balance(tmp_path: Path) -> None:
    """I1, I11: without a terminal it needs no option; exit status 0, nothing lost, altered or left behind."""
    done = subprocess.run(
        DEMO, env=environment(tmp_path), capture_output=True, text=True, timeout=50, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    books = dict(re.findall(r"^   (\S.*\S) {2,}(\d+)$", done.stdout, re.MULTILINE))
    assert int(books["messages accepted"]) >= 50
    assert books["copies accepted, one for each recipient"] == books["copies delivered, the same byte for byte"]
    assert (books["lost"], books["delivered twice"], books["altered, or not ours"]) == ("0", "0", "0")
    assert "Nothing was lost" in done.stdout.splitlines()[-1]
    assert not done.stderr
    assert left_behind(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_story_that_is_broken_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGTERM in the middle of a scene."""
    story = subprocess.Popen(
        [*DEMO, "--once"],
        env=environment(tmp_path),
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
    assert left_behind(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
