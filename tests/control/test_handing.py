"""How a list is read before it is handed in."""

import pytest

from backupmx.control.handing import faults, text_of
from backupmx.core.roster import PROBLEMS_TOLD, parse


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_windows_writes_is_read(encoding: str) -> None:
    """UTF-8 with and without a mark, and UTF-16 with one."""
    found = parse(text_of("jürgen@one.example\r\nann@one.example\r\n".encode(encoding)))
    assert found.entries == {("one.example", "jürgen"), ("one.example", "ann")}
    assert found.problems == ()


@pytest.mark.parametrize("data", [b"j\xfcrgen@one.example\nann@one.example\n", b"\xff\xfea\x00n\x00\x00"])
def test_what_is_no_text_is_a_problem_of_its_lines(data: bytes) -> None:
    """Never an error of the whole."""
    assert faults(parse(text_of(data))) == 1


@pytest.mark.parametrize("number", [0, 1, PROBLEMS_TOLD, PROBLEMS_TOLD + 1, 1000])
def test_all_faults_count(number: int) -> None:
    """Those too that are not told one by one."""
    assert faults(parse("ann@one.example\n" + "a b@@\n" * number)) == number
