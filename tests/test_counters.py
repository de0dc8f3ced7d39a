"""Where processes count: nothing is left in memory by a server that was killed, and nobody else's directory is taken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backupmx import counters


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """What a first server had for this spool."""
    made = counters.fresh(tmp_path / "spool")
    yield made
    if made.is_symlink() or made.is_file():
        made.unlink()
    counters.gone(made)


def test_the_next_server_has_the_same_place_and_finds_it_empty(tmp_path: Path, place: Path) -> None:
    """Each kill left a directory behind, for ever."""
    (place / "counter_1.db").write_bytes(b"x")
    assert counters.fresh(tmp_path / "spool") == place
    assert list(place.iterdir()) == []
    assert place.stat().st_mode & 0o777 == 0o700
    other = counters.fresh(tmp_path / "other")
    assert other != place
    counters.gone(other)
    assert not other.exists()


@pytest.mark.parametrize("there", ["a file", "a link"])
def test_what_somebody_else_put_there_is_left_alone(tmp_path: Path, place: Path, there: str) -> None:
    """Anybody may write in that directory."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mail").write_text("x")
    counters.gone(place)
    if there == "a file":
        place.write_text("x")
    else:
        place.symlink_to(victim)
    found = counters.fresh(tmp_path / "spool")
    assert found != place
    assert (victim / "mail").exists()
    counters.gone(found)
