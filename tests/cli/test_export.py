"""`backupmx queue export`: copies of messages for other programs."""

import mailbox
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from control.house import NOW, House, an_id

from backupmx.cli.letters import LONGEST, in_a_maildir, in_an_mbox
from backupmx.core.message import Client, Envelope, Message, Recipient
from backupmx.core.subject import found
from backupmx.errors import MessageDamaged
from cli.conftest import Run
from cli.test_root import BACKUPMX, on_a_terminal

HARD = b"Subject: x\r\nX-Odd:\tFrom\r\n\r\nFrom here\r\n>From there\r\n>>From >From\r\n From\r\nFrom\r\n\xff\x80\r\n\r\n\r\n"


def unquoted(text: bytes) -> bytes:
    """As a reader of mboxrd takes it."""
    return re.sub(rb"(?m)^>(>*From )", rb"\1", text)


def files(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


def test_eml_is_octet_for_octet_what_came_in(house: House, run: Run, tmp_path: Path) -> None:
    """A file for each, named by the id alone, for nobody else to read."""
    house.take(1, content=HARD)
    house.take(2, content=b"y" * 700_000, subject="../../x")
    done = run("queue", "export", "--all", "--to", str(tmp_path / "out"))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "backupmx: exported: 2 messages\n")
    assert files(tmp_path / "out") == [f"{an_id(1)}.eml", f"{an_id(2)}.eml"]
    assert (tmp_path / "out" / f"{an_id(1)}.eml").read_bytes() == HARD
    assert (tmp_path / "out" / f"{an_id(2)}.eml").read_bytes() == b"y" * 700_000
    assert (tmp_path / "out" / f"{an_id(2)}.eml").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    assert {line["id"] for line in house.logged if line.get("verb") == "read"} == {an_id(1), an_id(2)}


def test_one_goes_to_standard_output(house: House, run: Run) -> None:
    """By a part of its id; several do not, and none goes to a terminal, which would obey it."""
    house.take(1, content=HARD)
    house.take(64)
    assert run("queue", "export", an_id(1)[:25]).stdout_bytes == HARD
    assert run("queue", "export", an_id(1), an_id(64)).exit_code == 2
    assert run("queue", "export", an_id(1), "--format", "maildir").exit_code == 2
    sent = on_a_terminal("queue", "export", an_id(1), "--config", str(house.path / "b.toml"))
    assert "not for a terminal" in sent
    assert "From here" not in sent


def test_an_mbox_can_be_read_back(house: House, run: Run, tmp_path: Path) -> None:
    """mboxrd: every line is told from a separator, and unquoting gives what came; the envelope stands in front."""
    house.take(1, content=HARD, to=("user@one.example", "b@two.example"))
    house.take(2, sender="", content=b"Subject: y\r\n\r\nno line end")
    assert run("queue", "export", "--all", "--format", "mbox", "--to", str(tmp_path / "m")).exit_code == 0
    box = mailbox.mbox(tmp_path / "m")
    newest, oldest = (box.get_bytes(key) for key in box.iterkeys())
    head = b"Return-Path: <sender@elsewhere.example>\nDelivered-To: user@one.example\nDelivered-To: b@two.example\n"
    assert unquoted(oldest) == head + HARD.replace(b"\r\n", b"\n")
    assert newest == b"Return-Path: <>\nDelivered-To: user@one.example\nSubject: y\n\nno line end\n"
    assert [box.get_message(key).get_from() for key in box.iterkeys()] == [
        "MAILER-DAEMON Mon Nov 23 12:00:00 2026",
        "sender@elsewhere.example Mon Nov 23 12:00:00 2026",
    ]
    box.close()
    assert run("queue", "export", an_id(2), "--format", "mbox").stdout.startswith("From MAILER-DAEMON Mon Nov 23")


def test_a_maildir_can_be_read_back(house: House, run: Run, tmp_path: Path) -> None:
    """And more may be put into it; nothing stays in its draft place."""
    house.take(1, content=HARD)
    house.take(64)
    for id in (1, 64):
        assert run("queue", "export", an_id(id), "--format", "maildir", "--to", str(tmp_path / "md")).exit_code == 0
    assert files(tmp_path / "md") == [f"new/{an_id(1)}", f"new/{an_id(64)}"]
    box = mailbox.Maildir(tmp_path / "md", create=False)
    assert len(box) == 2
    head = b"Return-Path: <sender@elsewhere.example>\nDelivered-To: user@one.example\n"
    assert box.get_bytes(an_id(1)) == head + HARD.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("form", ["eml", "mbox", "maildir"])
def test_what_is_there_already_stays(form: str, house: House, run: Run, tmp_path: Path) -> None:
    """Exit 1, and not one octet of it changes; the rest is exported."""
    house.take(1)
    place = tmp_path / "out"
    inside = {"eml": place / f"{an_id(1)}.eml", "mbox": place, "maildir": place / "new" / an_id(1)}[form]
    inside.parent.mkdir(exist_ok=True, parents=True)
    if form == "maildir":
        (place / "cur").mkdir()
        (place / "tmp").mkdir()
    inside.write_text("mine")
    house.take(2)
    done = run("queue", "export", "--all", "--format", form, "--to", str(place))
    assert done.exit_code == 1
    assert "is there already" in done.stderr
    assert inside.read_text() == "mine"
    if form != "mbox":
        assert len(files(place)) == 2


def test_a_directory_of_something_else_is_no_maildir(house: House, run: Run, tmp_path: Path) -> None:
    """It is left alone."""
    house.take(1)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "letter").write_text("mine")
    done = run("queue", "export", "--all", "--format", "maildir", "--to", str(tmp_path / "x"))
    assert done.exit_code == 1
    assert files(tmp_path / "x") == ["letter"]


@pytest.mark.parametrize("form", ["eml", "mbox", "maildir"])
def test_a_damaged_message_is_left_out_whole(
    form: str, house: House, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing half stays of it, the others are there, and it is told: exit 1."""
    house.take(1, content=b"a" * 10)
    house.take(2, content=b"b" * 10)
    house.take(3, content=b"c" * 10)
    real = house.spool.content

    def content(id: str) -> Any:
        yield from real(id)
        if id == an_id(2):
            raise MessageDamaged(f"{id}: the content does not match its digest")

    monkeypatch.setattr(house.spool, "content", content)
    done = run("queue", "export", "--all", "--format", form, "--to", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert f"{an_id(2)}: left out: {an_id(2)}: the content does not match its digest" in done.stderr
    assert "exported: 2 messages" in done.stderr
    whole = (
        b"".join((tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")) or (tmp_path / "out").read_bytes()
    )
    assert [whole.count(letter * 10) for letter in (b"a", b"b", b"c")] == [1, 0, 1]


def test_filters_choose_and_nothing_chosen_is_a_usage_error(house: House, run: Run, tmp_path: Path) -> None:
    """As with every command that means messages."""
    house.take(1)
    house.take(2, to=("user@two.example",))
    assert run("queue", "export", "--domain", "two.example", "--to", str(tmp_path / "out")).exit_code == 0
    assert files(tmp_path / "out") == [f"{an_id(2)}.eml"]
    assert run("queue", "export", "--to", str(tmp_path / "out")).exit_code == 2
    assert run("queue", "export", an_id(1), "--all", "--to", str(tmp_path / "out")).exit_code == 2
    assert "no such message" in run("queue", "export", an_id(9), "--to", str(tmp_path / "out")).stderr


def test_a_bar_is_for_terminals_alone(house: House, tmp_path: Path) -> None:
    """On standard error; a pipe there gets the last line only."""
    for number in range(30):
        house.take(number)
    config = str(house.path / "b.toml")
    sent = on_a_terminal("queue", "export", "--all", "--config", config, "--to", str(tmp_path / "a"))
    assert "exporting" in sent
    assert "30/30" in sent
    command = [*BACKUPMX, "queue", "export", "--all", "--config", config, "--to", str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert (done.stdout, done.stderr) == ("", "backupmx: exported: 30 messages\n")


def a_message(sender: str = "s@elsewhere.example", arrived: datetime = NOW) -> Message:
    envelope = Envelope(sender, (Recipient("u@one.example", "one.example"),), Client("192.0.2.1", "h"))
    return Message(an_id(1), arrived, 1, 1, b"", envelope, {}, subject=found(b""))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_where_the_pieces_are_cut_makes_no_difference(size: int) -> None:
    """A line's end or its beginning may be in two of them."""
    pieces = [HARD[start : start + size] for start in range(0, len(HARD), size)]
    for form in (in_an_mbox, in_a_maildir):
        assert b"".join(form(a_message(), pieces)) == b"".join(form(a_message(), [HARD]))


def test_a_line_without_end_is_not_held() -> None:
    """I4: 50 MiB in one line; and in the middle of it no line begins."""
    pieces = [b"x" * LONGEST + b"F", b"rom " + b"y" * LONGEST, b"\r", b"\nFrom z\r\n"]
    blocks = list(in_an_mbox(a_message(), pieces))
    assert max(map(len, blocks)) < 2 * LONGEST
    whole = b"".join(blocks)
    assert whole.endswith(b"xFrom " + b"y" * LONGEST + b"\n>From z\n\n")


def test_an_odd_sender_is_one_word_in_the_first_line() -> None:
    """A quoted local part may hold spaces, and a line from elsewhere no controls."""
    head = b"".join(in_an_mbox(a_message('"a b"@x.example', datetime(2026, 5, 3, 1, 2, 3, tzinfo=UTC)), []))
    assert head.startswith(b'From MAILER-DAEMON Sun May  3 01:02:03 2026\nReturn-Path: <"a b"@x.example>\n')
    assert b"\x1b" not in b"".join(in_an_mbox(a_message("a\x1b\n@x"), []))
