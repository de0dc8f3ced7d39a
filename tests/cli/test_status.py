"""`backupmx status`, `reload`, `spool stats`: what the running server says."""

import json
from datetime import timedelta

from control.house import NOW, House

from backupmx.core.belief import Acquaintance
from backupmx.core.status import Primary, PrimaryState
from cli.conftest import Run


def test_json_is_the_contract_s_document(house: House, run: Run) -> None:
    """The same keys as `GET /api/v1/status`."""
    house.take(1)
    done = run("status", "--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert list(document) == ["version", "hostname", "time", "queue", "domains"]
    assert document["time"] == "2026-11-23T12:00:00Z"
    assert set(document["queue"]) == {"messages", "bytes", "oldest", "held", "quarantined"}
    assert document["queue"]["messages"] == 1
    first = document["domains"][0]
    assert first["domain"] == "one.example"
    assert first["primary"] == {"state": "up", "since": None, "last_error": None}
    assert {"messages", "bytes", "oldest", "next_attempt", "holding_window_s"} <= set(first)
    assert first["holding_window_s"] == 864000


def test_a_sentence_comes_first_then_each_domain(house: House, run: Run) -> None:
    """The truth in words, then a line for each domain."""
    assert run("status").stdout.splitlines()[0] == "All is well: every primary is up, and nothing waits."
    house.take(1, arrived=NOW - timedelta(hours=2))
    house.primary = Primary(PrimaryState.DOWN, NOW - timedelta(hours=3), "no route to host")
    lines = run("status").stdout.splitlines()
    assert lines[0].startswith("The primaries of one.example and two.example have been down for 3 h; 1 message (")
    assert lines[2].split()[:3] == ["DOMAIN", "PRIMARY", "SINCE"]
    assert lines[3].split()[:6] == ["one.example", "down", "3", "h", "1", "17"]
    assert lines[5:] == ["one.example: no route to host", "two.example: no route to host"]


def test_how_well_recipients_are_known_is_said_in_words(house: House, run: Run) -> None:
    """A line for each domain, and in the published document nothing: its keys are the contract's."""
    document = run("status", "--json").stdout
    house.acquaintance = Acquaintance(known=1214, asked=300, answered=299)
    house.split = 37
    lines = run("status").stdout.splitlines()
    assert lines[5:] == [
        line
        for name in ("one.example", "two.example")
        for line in (
            f"{name}: recipients: 1,214 known, 99 % of last week's could be answered",
            f"{name}: 37 messages came from networks that reach only this server",
        )
    ]
    assert run("status", "--json").stdout == document


def test_a_list_that_waits_is_told_with_what_to_do(house: House, run: Run) -> None:
    """The last lines, with the command."""
    house.acquaintance = Acquaintance(known=0, listed=200, waiting=150, lost=60)
    lines = run("status").stdout.splitlines()
    assert lines[5] == "one.example: recipients: 0 known, 200 listed"
    assert lines[-2:] == [
        f"{name}: a new list of 150 addresses waits, for it lacks 60 of today's, which count until then. "
        f"If the new one is right: backupmx recipients approve {name}"
        for name in ("one.example", "two.example")
    ]


def test_a_primary_s_words_are_not_obeyed(house: House, run: Run) -> None:
    """I7: the last error is untrusted text."""
    house.primary = Primary(PrimaryState.DOWN, NOW, "\x1b[2J\u202e [red]x[/red]")
    for options in ((), ("--json",)):
        out = run("status", *options).stdout
        assert all(char == "\n" or char.isprintable() for char in out)
        assert "[red]x[/red]" in out


def test_reload_is_taken_or_refused_with_the_reasons(house: House, run: Run) -> None:
    """Exit 1 and the problems when the old configuration stays."""
    assert run("reload").exit_code == 0
    house.problems = ("b.toml: colour: unknown key", "b.toml: size: unknown key")
    done = run("reload")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "backupmx: b.toml: colour: unknown key",
        "backupmx: b.toml: size: unknown key",
        "backupmx: the old configuration stays in force",
    ]


def test_spool_stats_are_told_for_people_and_for_programs(house: House, run: Run) -> None:
    """The same figures."""
    stats = house.spool.stats()
    found = json.loads(run("spool", "stats", "--json").stdout)
    assert found["map_size"] == stats.map_size
    assert "of a map of" in run("spool", "stats").stdout
