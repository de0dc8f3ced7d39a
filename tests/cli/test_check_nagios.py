"""`backupmx check --nagios`: what a monitoring system reads."""

import re
from datetime import timedelta
from typing import NamedTuple

import pytest
from click.testing import Result
from control.house import NOW, House

from backupmx.core.finding import About, Finding, Level, Report
from backupmx.core.status import Primary, PrimaryState
from cli.conftest import Run

WORDS = ["OK", "WARNING", "CRITICAL", "UNKNOWN"]
NUMBER = r"-?\d+(?:\.\d+)?"
RANGE = rf"@?(?:(?:~|{NUMBER})?:)?(?:{NUMBER})?"
FIGURE = re.compile(
    rf"(?P<name>[^\s='|]+)=(?P<value>{NUMBER})(?P<unit>|s|us|ms|%|B|KB|MB|TB|c)"
    rf"(?:;(?P<warn>{RANGE})(?:;(?P<crit>{RANGE})(?:;(?P<least>{NUMBER})?(?:;(?P<most>{NUMBER})?)?)?)?)?"
)


class Line(NamedTuple):
    """What a monitoring system makes of it."""

    word: str
    text: str
    figures: dict[str, float]


def read(done: Result) -> Line:
    """As the guidelines have it, to the letter."""
    assert done.stdout.endswith("\n")
    assert done.stdout.count("\n") == 1
    assert done.stdout.count("|") <= 1
    text, _, figures = done.stdout.rstrip("\n").partition("|")
    word, _, text = text.partition(" - ")
    assert WORDS[done.exit_code] == word
    assert text.strip()
    assert text.isprintable()
    assert len(text) <= 1100
    found = {}
    for figure in figures.split():
        match = FIGURE.fullmatch(figure)
        assert match, figure
        value = float(match["value"])
        # what is beyond its range must have raised the alarm
        for limit, least in ((match["warn"], 1), (match["crit"], 2)):
            if limit and not within(value, limit):
                assert least <= done.exit_code <= 2, figure
        found[match["name"]] = value
    return Line(word, text.strip(), found)


def within(value: float, limit: str) -> bool:
    """A range: `10` is 0 to 10, `10:` 10 or more."""
    low, colon, high = limit.rpartition(":")
    least = float(low) if colon and low else 0.0
    return least <= value and (not high or value <= float(high))


def nagios(run: Run, *options: str) -> Line:
    return read(run("check", "--nagios", *options))


def test_all_is_well(house: House, run: Run) -> None:
    """The sentence of truth, and the figures."""
    line = nagios(run)
    assert line.word == "OK"
    assert line.text == "All is well: every primary is up, and nothing waits."
    assert line.figures == {
        "messages": 0,
        "bytes": 0,
        "oldest": 0,
        "held": 0,
        "quarantined": 0,
        "damaged": 0,
        "primaries_down": 0,
        "room": house.spool.stats().room,
        "books_difference": 0,
    }


def test_a_primary_that_is_down_is_a_warning(house: House, run: Run) -> None:
    """For that this machine is there: nothing is lost. What waits is in the figures."""
    house.take(1, arrived=NOW - timedelta(hours=2))
    house.primary = Primary(PrimaryState.DOWN, NOW - timedelta(hours=3), "no route to host")
    line = nagios(run)
    assert line.word == "WARNING"
    assert line.text.startswith("The primaries of one.example and two.example have been down for 3 h; 1 message")
    assert (line.figures["messages"], line.figures["oldest"], line.figures["primaries_down"]) == (1, 7200, 2)


@pytest.mark.parametrize(("days", "word"), [(4, "OK"), (6, "WARNING"), (9, "CRITICAL")])
def test_the_holding_window_runs_out(house: House, run: Run, days: int, word: str) -> None:
    """From half of it on."""
    house.take(1, arrived=NOW - timedelta(days=days))
    line = nagios(run)
    assert line.word == word
    assert ("% of the holding window" in line.text) == (word != "OK")


def test_a_primary_that_is_not_believed_is_critical(house: House, run: Run) -> None:
    """Somebody must act."""
    house.primary = Primary(PrimaryState.UP, NOW, "it refuses mail that it used to accept: 550")
    assert nagios(run).word == "CRITICAL"


def test_what_waits_for_an_admin_is_a_warning(house: House, run: Run) -> None:
    """Quarantine; what is held was held by somebody."""
    id = house.take(1)
    house.do(house.spool.hold((id,), "petra", "", NOW))
    assert nagios(run).word == "OK"
    house.take(2)
    house.try_all("no such user", fail=True)
    line = nagios(run)
    assert (line.word, line.figures["held"], line.figures["quarantined"]) == ("WARNING", 1, 1)


def test_damage_and_books_that_do_not_balance_are_critical(house: House, run: Run) -> None:
    """Never silent."""
    house.difference = 3
    line = nagios(run)
    assert (line.word, line.figures["books_difference"]) == ("CRITICAL", 3)
    assert "3 recipients cannot be accounted for" in line.text
    house.difference = 0
    house.do(house.spool.set_aside(house.take(1), "digest", NOW))
    line = nagios(run)
    assert (line.word, line.figures["damaged"]) == ("CRITICAL", 1)


@pytest.mark.parametrize(("room", "word"), [(0, "CRITICAL"), (2**20, "WARNING"), (2**30, "OK")])
def test_little_room_or_none(house: House, run: Run, room: int, word: str) -> None:
    """Before new mail is put off, and then."""
    house.spool.capacity = room
    line = nagios(run)
    assert (line.word, line.figures["room"]) == (word, room)


def test_who_does_not_answer(house: House, run: Run) -> None:
    """No server is critical; a wrong configuration is nobody's answer."""
    path = house.path / "b.toml"
    path.write_text(path.read_text().replace("c.sock", "nobody.sock"))
    line = nagios(run)
    assert line.word == "CRITICAL"
    assert "is `backupmx serve` running" in line.text
    path.write_text('colour = 1\n[domain."one.example"]\n')
    line = nagios(run)
    assert line.word == "UNKNOWN"
    assert "colour" in line.text


# With the network


def report(*findings: Finding, age: timedelta = timedelta(minutes=3)) -> Report:
    return Report(findings, NOW - age)


@pytest.mark.parametrize(
    ("level", "word"), [(Level.GOOD, "OK"), (Level.UNKNOWN, "OK"), (Level.ODD, "WARNING"), (Level.BAD, "CRITICAL")]
)
def test_what_the_server_found_when_it_last_looked(house: House, run: Run, level: Level, word: str) -> None:
    """Only when it is asked for; what cannot be looked at is no alarm."""
    house.report = report(Finding("mx", "one.example", level, "this machine is not listed", "x"))
    assert nagios(run).word == "OK"
    line = nagios(run, "--network")
    assert line.word == word
    assert ("mx one.example: this machine is not listed." in line.text) == (word != "OK")


def test_no_look_yet_or_none_for_long(house: House, run: Run) -> None:
    """Silence is no good news; what is known to be wrong counts more."""
    assert nagios(run, "--network").word == "UNKNOWN"
    house.report = report(age=timedelta(hours=2))
    line = nagios(run, "--network")
    assert (line.word, "looked around 2 h ago, and not since" in line.text) == ("UNKNOWN", True)
    house.report = report(About("ptr", "203.0.113.9").odd("no name", "x"), age=timedelta(hours=2))
    assert nagios(run, "--network").word == "WARNING"


def test_what_the_status_knows_better_is_told_by_it(house: House, run: Run) -> None:
    """A primary is back up within seconds; a finding is up to a quarter of an hour old."""
    house.report = report(About("primary", "one.example").bad("cannot be reached", "x"), About("room").bad("none", "x"))
    assert nagios(run, "--network").word == "OK"


def test_no_word_of_others_breaks_the_line(house: House, run: Run) -> None:
    """I7: bars, ends of lines, escapes, a megabyte."""
    hostile = "\x1b[2J | a=1 \n\u202e OK - " + "x" * 2**20
    house.report = report(*(About("trust", f"{n}.example").bad(hostile, "x") for n in range(3)))
    line = nagios(run, "--network")
    assert line.word == "CRITICAL"
    assert "a" not in line.figures
