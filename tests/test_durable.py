"""A file is there whole, the old one or the new one, whatever ends the writing."""

import os
from pathlib import Path
from typing import Any

import pytest

from backupmx import durable


def files(place: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in place.iterdir()}


def test_it_has_its_name_when_it_is_on_the_disk_and_then_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order: what is in it, the name, the directory."""
    steps: list[str] = []

    def noted(name: str) -> None:
        real = getattr(os, name)

        def step(what: Any, *rest: Any) -> None:
            there = what if name == "replace" else Path(f"/proc/self/fd/{what}").readlink()
            steps.append(f"{name} {Path(there).relative_to(tmp_path)}")
            real(what, *rest)

        monkeypatch.setattr(os, name, step)

    for name in ("fsync", "replace"):
        noted(name)
    durable.replace(tmp_path / "x", b"new")
    assert steps == ["fsync x.new", "replace x.new", "fsync ."]
    assert files(tmp_path) == {"x": "new"}
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("trouble", [OSError, KeyboardInterrupt])
def test_what_ends_the_writing_leaves_the_old_one(tmp_path: Path, trouble: type[BaseException]) -> None:
    """And no draft."""
    (tmp_path / "x").write_text("old")
    with pytest.raises(trouble), durable.replacing(tmp_path / "x", tmp_path / "draft") as file:
        file.write(b"new")
        raise trouble
    assert files(tmp_path) == {"x": "old"}


def test_what_is_in_the_place_of_the_draft_goes(tmp_path: Path) -> None:
    """A kill left it; or somebody put a link there, and what that leads to stays as it is."""
    (tmp_path / "other").write_text("other")
    (tmp_path / "x.new").symlink_to("other")
    durable.replace(tmp_path / "x", b"new")
    (tmp_path / "x.new").write_text("longer than what comes")
    durable.replace(tmp_path / "x", b"newer")
    assert files(tmp_path) == {"x": "newer", "other": "other"}
