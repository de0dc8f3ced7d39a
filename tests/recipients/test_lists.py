"""A file that lists who exists: read when it changes, and not believed when it is broken."""

import os
import socket
from pathlib import Path

import pytest

from backupmx.recipients.lists import LOOK_EVERY, ListFile


class Clock:
    """Monotonic seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def tick(self) -> None:
        self.now += LOOK_EVERY


def asked(file: ListFile, local: str) -> bool | None:
    """After a look at the file."""
    file.refresh()
    return file.holds(local)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list"


def put(path: Path, content: str | bytes) -> None:
    """Replace the file, as one should."""
    new = path.with_suffix(".new")
    new.write_bytes(content.encode() if isinstance(content, str) else content)
    new.replace(path)


def lists(path: Path, clock: Clock, delimiter: str = "+", fold_case: bool = True) -> ListFile:
    return ListFile(path, "example.com", delimiter, fold_case, clock)


def test_the_addresses_of_its_domain_exist(path: Path, clock: Clock) -> None:
    """With extensions and in any case, if that is wanted; what other domains have does not count."""
    put(path, "Anna@example.com\nben\ncyd@other.test\n")
    found = lists(path, clock)
    assert asked(found, "anna") is True
    assert asked(found, "ANNA+lists") is True
    assert asked(found, "Ben") is True
    assert asked(found, "cyd") is False
    assert found.entries == 2
    assert found.problems == ()
    exact = lists(path, clock, delimiter="", fold_case=False)
    assert [asked(exact, local) for local in ("Anna", "anna", "Anna+x")] == [True, False, False]


def test_a_pattern_is_everyone_of_its_domain(path: Path, clock: Clock) -> None:
    """Of no other."""
    put(path, "@example.com\n")
    assert lists(path, clock).holds("whoever") is True
    put(path, "*@other.test\nanna@example.com\n")
    assert lists(path, clock).holds("whoever") is False


def test_a_changed_file_is_read_again_but_looked_at_once_a_second(path: Path, clock: Clock) -> None:
    """New addresses count from the first look on."""
    put(path, "a@example.com\n")
    found = lists(path, clock)
    assert asked(found, "b") is False
    put(path, "a@example.com\nb@example.com\n")
    clock.now += LOOK_EVERY / 2
    assert asked(found, "b") is False
    clock.now += LOOK_EVERY / 2
    assert asked(found, "b") is True
    assert found.entries == 2


def test_a_file_of_the_same_size_and_time_is_known_by_its_inode(path: Path, clock: Clock) -> None:
    """As after `cp -p` and `mv`."""
    put(path, "a@example.com\n")
    found = lists(path, clock)
    assert asked(found, "b") is False
    times = path.stat()
    put(path, "b@example.com\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    clock.tick()
    assert asked(found, "b") is True


def test_an_address_that_is_gone_is_believed_until_the_file_is_found_unchanged(path: Path, clock: Clock) -> None:
    """I9: it may be in the middle of being written."""
    put(path, "a@example.com\nb@example.com\nc@example.com\n")
    found = lists(path, clock)
    assert asked(found, "c") is True
    path.write_text("a@example.com\n")
    clock.tick()
    assert asked(found, "c") is True
    path.write_text("a@example.com\nb@example.com\n")
    clock.tick()
    assert [asked(found, local) for local in "abc"] == [True, True, True]
    clock.tick()
    assert [asked(found, local) for local in "abc"] == [True, True, False]


def test_without_a_file_nothing_is_known(path: Path, clock: Clock) -> None:
    """Not even that somebody does not exist; it is told, and looked for again."""
    found = lists(path, clock)
    assert asked(found, "a") is None
    assert found.problems == (f"{path}: cannot be read: No such file or directory",)
    assert found.entries == 0
    put(path, "a@example.com\n")
    clock.tick()
    assert asked(found, "a") is True
    assert found.problems == ()


def test_a_file_that_went_away_still_counts(path: Path, clock: Clock) -> None:
    """I9: and is read as soon as it is there again."""
    put(path, "a@example.com\n")
    found = lists(path, clock)
    assert asked(found, "a") is True
    path.unlink()
    for _ in range(3):
        clock.tick()
        assert [asked(found, local) for local in "ab"] == [True, False]
    assert found.problems == (f"{path}: cannot be read: No such file or directory; the 1 known before still count",)
    put(path, "b@example.com\n")
    clock.tick()
    assert asked(found, "b") is True
    assert found.problems == ()


def test_what_is_no_file_is_not_read(path: Path, clock: Clock) -> None:
    """A pipe would be waited for; a socket and a directory have nothing to say."""
    os.mkfifo(path)
    found = lists(path, clock)
    assert asked(found, "a") is None
    assert found.problems == (f"{path}: is not a file",)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        clock.tick()
        assert asked(found, "a") is None
    path.unlink()
    path.mkdir()
    clock.tick()
    assert asked(found, "a") is None


@pytest.mark.parametrize("content", ["", "# nobody\n", "a@other.test\n", "\0\0\0\0", "!!\n"], ids=repr)
def test_a_list_without_anybody_says_nothing(path: Path, clock: Clock, content: str) -> None:
    """I9: at first nobody is known, later those of before are; both are told."""
    put(path, content)
    found = lists(path, clock)
    if content != "!!\n":  # somebody may be called so
        assert asked(found, "a") is None
        assert found.problems[0] == f"{path}: lists nobody in example.com"
    put(path, "a@example.com\n")
    clock.tick()
    assert asked(found, "a") is True
    put(path, content.replace("!!", "!!@"))
    clock.tick()
    clock.tick()
    assert [asked(found, local) for local in "ab"] == [True, False]
    assert found.problems[0] == f"{path}: lists nobody in example.com; the 1 known before still count"


def test_a_list_that_lost_most_and_has_problems_is_not_believed(path: Path, clock: Clock) -> None:
    """I9: an export that went wrong. Without problems it is somebody's wish, and with half of them left as well."""
    full = "".join(f"user{number}@example.com\n" for number in range(10))
    put(path, full)
    found = lists(path, clock)
    assert asked(found, "user9") is True
    put(path, full[: 4 * len("user0@example.com\n")] + "<html> error 500@\n")
    clock.tick()
    clock.tick()
    assert asked(found, "user9") is True
    assert asked(found, "nobody") is False
    assert found.entries == 10
    assert found.problems[0] == f"{path}: has lost 6 of 10 addresses; the 10 known before still count"
    assert found.problems[1].startswith(f"{path}: line 5: ")
    put(path, full[: 5 * len("user0@example.com\n")] + "oops@\n")
    clock.tick()
    assert asked(found, "user4") is True
    assert found.entries == 5
    assert len(found.problems) == 1
    put(path, "user0@example.com\n")
    clock.tick()
    assert asked(found, "user0") is True
    clock.tick()
    assert [asked(found, f"user{number}") for number in range(3)] == [True, False, False]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_exports_come_in_are_read(path: Path, clock: Clock, encoding: str) -> None:
    """PowerShell writes UTF-16 unless it is told otherwise."""
    put(path, "Name,Mail\r\nJürgen,jürgen@example.com\r\n".encode(encoding))
    found = lists(path, clock)
    assert asked(found, "JÜRGEN") is True
    assert found.problems == ()


def test_a_name_in_another_encoding_costs_nobody(path: Path, clock: Clock) -> None:
    """As Excel writes it; only an address in it cannot be read."""
    put(path, "Name;Mail\r\nMüller;mueller@example.com\r\nÖ;ö@example.com\r\n".encode("cp1252"))
    found = lists(path, clock)
    assert asked(found, "mueller") is True
    assert [problem.split(": ")[1] for problem in found.problems] == ["line 3"]


def test_each_look_is_one_thread_s(path: Path, clock: Clock) -> None:
    """While one reads, the others answer from what was read before."""
    put(path, "a@example.com\n")

    class Slow(ListFile):
        answers: list[bool | None] = []

        def _look(self) -> None:
            clock.tick()
            clock.tick()
            self.answers.append(asked(self, "a"))
            super()._look()

    found = Slow(path, "example.com", "", False, clock)
    assert asked(found, "a") is True
    put(path, "b@example.com\n")
    clock.tick()
    assert asked(found, "b") is True
    assert found.answers == [None, True]
