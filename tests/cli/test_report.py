"""`backupmx report`: a month on one page."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from control.house import LONG_AGO, NOW, House

from backupmx.core.status import Primary, PrimaryState
from backupmx.watch.history import KEPT
from cli.conftest import Run

DOWN, UP = Primary(PrimaryState.DOWN, NOW, "connection refused"), Primary(PrimaryState.UP, NOW)


@pytest.fixture
def busy(house: House) -> House:
    """One outage, two recipients, one wait."""
    house.take(1, to=("a@one.example", "b@two.example"))
    house.past.primary("one.example", DOWN, NOW - timedelta(hours=3))
    house.past.primary("one.example", UP, NOW - timedelta(hours=1))
    house.past.delivered("one.example", timedelta(minutes=41), NOW)
    return house


def test_a_month_is_one_page(busy: House, run: Run) -> None:
    """The whole in one line, then all and each with their books."""
    done = run("report", "2026-11")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "November 2026: 1 outage, 2 messages kept, 0 lost, longest wait 41 min"
    assert lines[1] == f"What is known of outages and waits begins on {LONG_AGO:%Y-%m-%d}."
    rows = {line.split()[0]: line.split() for line in lines[3:]}
    assert list(rows) == ["DOMAIN", "all", "one.example", "two.example"]
    assert rows["DOMAIN"][:2] == ["DOMAIN", "OUTAGES"]
    assert " ".join(rows["all"]) == "all 1 2 h 41 min 2 0 0 0 2 0 0 0 0"
    assert " ".join(rows["two.example"]) == "two.example 0 - - 1 0 0 0 1 0 0 0 0"
    busy.past._since = NOW - KEPT
    assert "What is known" not in run("report", "2026-11").stdout


def test_programs_read_one_object_a_domain(busy: House, run: Run) -> None:
    """All together first; the books by their columns."""
    whole, one, two = (json.loads(line) for line in run("report", "2026-11", "--json").stdout.splitlines())
    assert whole == {
        "month": "2026-11",
        "domain": None,
        "outages": 1,
        "away_s": 7200,
        "kept": 2,
        "lost": 0,
        "longest_wait_s": 2460,
        "books": {
            "accepted": 2,
            "delivered": 0,
            "returned": 0,
            "removed": 0,
            "waiting": 2,
            "held": 0,
            "quarantined": 0,
            "damaged": 0,
        },
    }
    assert (one["domain"], two["domain"], two["outages"]) == ("one.example", "two.example", 0)


def test_what_is_no_month_is_no(house: House, run: Run) -> None:
    """Exit 1, with how it is written, or since when anything is known."""
    done = run("report", "last")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "last: is no month; say it like 2026-11" in done.stderr
    assert "begins on 2026-11-21" in run("report", "2026-08").stderr


def test_without_a_month_it_is_this_one(house: House, run: Run) -> None:
    """By the calendar of UTC."""
    this, named = run("report"), run("report", f"{datetime.now(UTC):%Y-%m}")
    assert (this.stdout, this.stderr) == (named.stdout, named.stderr)
    assert this.output
