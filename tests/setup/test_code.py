"""The one-time code: who has it owns the machine, and nobody guesses it."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from backupmx.control.answers import CodeRefused
from backupmx.errors import FileUnwritable
from backupmx.setup.code import FREE, WAIT_S, OneTimeCode, forget


@dataclass
class Watch:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "setup-code"


def test_it_is_kept_for_its_owner_alone_and_outlives_the_process(place: Path) -> None:
    """Three groups of four, without letters that are taken for each other."""
    code = OneTimeCode(place)
    assert re.fullmatch(r"[a-hjkmnp-z2-9]{4}(-[a-hjkmnp-z2-9]{4}){2}", code.text)
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert OneTimeCode(place).text == code.text
    assert len({OneTimeCode(place.with_name(f"other{n}")).text for n in range(50)}) == 50


def test_what_a_power_cut_left_is_no_code(place: Path) -> None:
    """An empty file would be easy to guess."""
    code = OneTimeCode(place).text
    for broken in ("", "\n", code[:9], "\x00" * 15, f"{code}x"):
        place.write_text(broken)
        found = OneTimeCode(place)
        assert found.refused("") == CodeRefused()
        assert found.text != code
        assert place.read_text() == f"{found.text}\n"


def test_people_may_type_it_as_they_like(place: Path) -> None:
    """Capitals, spaces for hyphens, none at all."""
    code = OneTimeCode(place)
    for typed in (code.text, code.text.upper(), code.text.replace("-", ""), f"  {code.text.replace('-', ' ')} "):
        assert code.refused(typed) is None
    for wrong in ("", "-", code.text[:-1], f"{code.text}a", "é" * 12, "\ud800"):
        assert code.refused(wrong) == CodeRefused()


def test_after_some_wrong_ones_who_gives_more_of_them_waits(place: Path) -> None:
    """Nobody keeps out whoever has the right one, for which there is no waiting."""
    watch = Watch()
    code = OneTimeCode(place, watch)
    for _ in range(FREE):
        assert code.refused("wrong") == CodeRefused()
    assert code.refused("wrong") == CodeRefused(3)
    watch.now += WAIT_S
    assert code.refused("wrong") == CodeRefused()
    assert code.refused("wrong") == CodeRefused(3)
    assert code.refused(code.text) is None
    assert code.refused("wrong") == CodeRefused(), "whoever has it begins anew"


def test_wrong_ones_fill_no_log(place: Path) -> None:
    """One line for each time that somebody has waited."""
    watch = Watch()
    code = OneTimeCode(place, watch)
    with capture_logs() as log:
        for _ in range(FREE + 1000):
            code.refused("wrong")
        assert len(log) == FREE
        watch.now += WAIT_S
        code.refused("wrong")
    assert len(log) == FREE + 1
    assert code.text not in str(log)


def test_it_is_gone_when_it_is_used_up(place: Path) -> None:
    """And forgetting it twice is nothing bad."""
    code = OneTimeCode(place)
    forget(place)
    forget(place)
    assert list(place.parent.iterdir()) == []
    assert OneTimeCode(place).text != code.text


def test_where_it_cannot_be_kept_that_is_told(tmp_path: Path) -> None:
    """Not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FileUnwritable, match="setup-code"):
        OneTimeCode(tmp_path / "file" / "setup-code")
