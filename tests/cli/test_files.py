"""Files that commands write: whole or not at all, and never in the place of another."""

import errno
from pathlib import Path

import pytest

from backupmx.cli.files import new_file
from backupmx.errors import FileUnwritable


def test_who_takes_the_name_meanwhile_keeps_it(tmp_path: Path) -> None:
    """Nobody's file goes, however long the writing takes."""
    with pytest.raises(FileUnwritable, match="File exists"), new_file(tmp_path / "x") as file:
        file.write(b"ours")
        (tmp_path / "x").write_text("theirs")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("x", "theirs")]


@pytest.mark.parametrize("taken", [False, True])
def test_a_file_system_without_second_names_will_do(taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory stick's, for a backup."""

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    if not taken:
        with new_file(tmp_path / "x") as file:
            file.write(b"ours")
    else:
        with pytest.raises(FileUnwritable), new_file(tmp_path / "x") as file:
            (tmp_path / "x").write_text("theirs")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("x", "theirs" if taken else "ours")]


def test_what_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    """And what a kill left is in nobody's way."""
    (tmp_path / ".x.part").write_text("of a process that was killed")
    with pytest.raises(KeyboardInterrupt), new_file(tmp_path / "x") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_one_clear_line(tmp_path: Path) -> None:
    """The device that is always full."""
    with pytest.raises(FileUnwritable, match="No space left on device"), new_file(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
