"""The lines of the log, as an admin's tools read them (I7)."""

import json
import os
import shlex
from collections.abc import Iterator

import pytest
import structlog

from backupmx.watch import log

HOSTILE = 'a b="c" \\ \r\n\x00\x1b[31m\u202e\u2028é'


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log's settings are as before afterwards."""
    before = structlog.get_config()
    # the room's own logger keeps what it was first used with
    monkeypatch.setattr(log, "_log", structlog.get_logger("backupmx"))
    yield
    structlog.configure(**before)


def say(form: log.Format, sender: str) -> None:
    log.set_up(form, "edge0")
    log.accepted("01M8", "192.0.2.1", "client.test", sender, ["a@ours.test", "b@ours.test"], 5, None)


def test_a_line_has_its_fields_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    say("text", "a@sender.test")
    line = capsys.readouterr().err
    assert line.startswith(
        "level=info event=accepted id=01M8 client=192.0.2.1 helo=client.test sender=a@sender.test "
        "to=a@ours.test,b@ours.test size=5 tls= process=edge0 timestamp="
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_whatever_a_stranger_says_stays_one_value_of_one_printable_line(
    capsys: pytest.CaptureFixture[str], form: log.Format
) -> None:
    """I7."""
    say(form, HOSTILE)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    if form == "json":
        assert json.loads(line)["sender"] == HOSTILE
    else:
        fields = dict(part.split("=", 1) for part in shlex.split(line))
        assert fields["sender"].encode("ascii").decode("unicode_escape") == HOSTILE
        assert fields["size"] == "5"


def test_each_line_tells_which_process_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    say("json", "a@sender.test")
    assert json.loads(capsys.readouterr().err)["process"] == "edge0"
    log.set_up("json", "edge1")  # as a child does after the fork
    log.stopping()
    assert json.loads(capsys.readouterr().err)["process"] == "edge1"


def test_the_journal_gets_priorities(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is an error here is one there; a terminal that somebody opened from a service gets the lines as they are."""
    stream = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{stream.st_dev}:{stream.st_ino}")
    log.set_up("text", "edge0")
    log.stopping()
    log.damaged("01M8", "content")
    assert [line[:9] for line in capfd.readouterr().err.splitlines()] == ["<6>level=", "<3>level="]
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    log.set_up("text", "edge0")
    log.stopping()
    assert capfd.readouterr().err.startswith("level=info event=stopping ")
