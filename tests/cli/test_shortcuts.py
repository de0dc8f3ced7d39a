"""`backupmx mailq` and `qshape`: what a Postfix admin's hands and scripts know. `flush` is tested with the queue's verbs."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from control.house import House, an_id

from cli.conftest import Run
from cli.test_root import on_a_terminal

ENTRY = re.compile(r"([0-9A-Z]{26})([*! ])\s+(\d+) (\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d)  ?\s*(\S+)")


def arrived(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def shape(run: Run, *options: str) -> dict[str | None, list[int]]:
    """Of each domain the total, then the columns."""
    lines = [json.loads(line) for line in run("qshape", "--json", *options).stdout.splitlines()]
    return {line["domain"]: [line["total"], *line["minutes"].values()] for line in lines}


def test_mailq_in_a_pipe_is_as_postfix_prints_it(house: House, run: Run) -> None:
    """Head, a line for each message with its mark, reasons above whom they are for, a blank line between, a sum."""
    house.take(1, to=("user@one.example", "other@one.example"), content=b"x" * 3000)
    house.try_all("4.2.0 try later")
    house.take(2, sender="", to=("user@two.example",))
    house.take(3)
    house.do(house.spool.hold((an_id(3),), "alice", "", datetime.now(UTC)))
    head, *lines = run("mailq").stdout.splitlines()
    assert re.fullmatch(r"-Queue ID- +--Size-- ----Arrival Time---- -Sender/Recipient-------", head)
    entries = [match for line in lines if (match := ENTRY.match(line))]
    assert [match[1] + match[2] for match in entries] == [f"{an_id(3)}!", f"{an_id(2)} ", f"{an_id(1)} "]
    assert [match[5] for match in entries] == ["sender@elsewhere.example", "MAILER-DAEMON", "sender@elsewhere.example"]
    assert entries[2][3] == "3000"
    oldest = lines[lines.index(entries[2].string) :]
    assert [line.strip() for line in oldest] == [
        entries[2].string,
        "(451 4.2.0 try later)",
        "user@one.example",
        "other@one.example",
        "",
        "-- 2 Kbytes in 3 Requests.",
    ]
    assert oldest[2].index("user") == head.index("-Sender")
    assert entries[2].start(5) == head.index("-Sender")
    assert lines[lines.index(entries[1].string) - 1] == ""


def test_an_empty_mailq_says_so_as_postfix_does(run: Run) -> None:
    """On standard output, where scripts look for it."""
    assert run("mailq").stdout == "Mail queue is empty\n"
    assert run("mailq", "--json").stdout == ""


def test_a_terminal_gets_the_table(house: House) -> None:
    """The same as `queue list`."""
    house.take(1)
    config = str(house.path / "b.toml")
    assert on_a_terminal("mailq", "--config", config).split() == on_a_terminal("queue", "list", "--config", config).split()


def test_qshape_counts_by_domain_and_age(house: House, run: Run) -> None:
    """A message for two domains counts in both, and once in the total; the fullest comes first."""
    for number, (minutes, to) in enumerate(
        [(0, "one"), (4.9, "one"), (5.1, "one"), (159, "two"), (2000, "two"), (2000, "two"), (30, "both"), (639, "two")]
    ):
        both = ("a@one.example", "b@two.example")
        house.take(number, arrived=arrived(minutes), to=both if to == "both" else (f"u@{to}.example",))
    assert list(shape(run)) == [None, "two.example", "one.example"]
    assert shape(run) == {
        None: [8, 2, 1, 0, 1, 0, 1, 0, 1, 0, 2],
        "two.example": [5, 0, 0, 0, 1, 0, 1, 0, 1, 0, 2],
        "one.example": [4, 2, 1, 0, 1, 0, 0, 0, 0, 0, 0],
    }
    head, total, two, _ = run("qshape").stdout.splitlines()
    assert head.split() == ["T", "5", "10", "20", "40", "80", "160", "320", "640", "1280", "1280+"]
    assert total.split() == ["TOTAL", "8", "2", "1", "0", "1", "0", "1", "0", "1", "0", "2"]
    assert two.split()[:2] == ["two.example", "5"]
    assert list(shape(run, "--domain", "one.example")) == [None, "one.example"]


def test_qshape_by_sender(house: House, run: Run) -> None:
    """Without case; the null sender has a name."""
    for number, sender in enumerate(("a@Big.example", "b@big.EXAMPLE", "c@small.example", "")):
        house.take(number, sender=sender, arrived=arrived(1))
    found = shape(run, "-s")
    assert {name: counts[0] for name, counts in found.items()} == {
        None: 4,
        "big.example": 2,
        "MAILER-DAEMON": 1,
        "small.example": 1,
    }


def test_qshape_counts_what_waits(house: House, run: Run) -> None:
    """As `status` does (I8); held mail only where it is asked for."""
    house.take(1)
    house.take(2)
    house.do(house.spool.hold((an_id(2),), "alice", "", datetime.now(UTC)))
    assert shape(run)["one.example"][0] == 1
    assert shape(run, "--state", "held")["one.example"][0] == 1
    house.do(house.spool.hold((an_id(1),), "alice", "", datetime.now(UTC)))
    done = run("qshape")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "backupmx: nothing waits\n")


@pytest.mark.parametrize("command", [("mailq",), ("qshape", "-s")])
def test_hostile_text_is_shown_and_not_obeyed(house: House, run: Run, command: tuple[str, ...]) -> None:
    """I7."""
    house.take(1, sender="x@\x1b[2J\x9b\u202e[bold]x[/]", to=("a\x1b]0;x\x07@one.example",))
    house.try_all("\x1b[2J")
    out = run(*command).stdout
    assert all(char == "\n" or char.isprintable() for char in out)
    assert "[bold]x[/]" in out
