"""`backupmx alerts`: what is wrong now, whether messages arrive, and a maintenance window."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from control.house import NOW, House

from backupmx.cli.alerts import _until
from backupmx.cli.main import root
from backupmx.control.answers import AlertsAnswer
from backupmx.control.requests import GetAlerts
from backupmx.core.status import Primary, PrimaryState
from cli.conftest import Run

URLS = ("mailto://user:s3cr3t@smtp.example.net", "tgram://s3cr3t/x")


def test_what_is_wrong_is_listed_for_people_and_for_programs(house: House, run: Run) -> None:
    """Also when nobody is told of it."""
    done = run("alerts", "list")
    assert (done.exit_code, done.stdout) == (0, "Nothing is wrong.\n")
    assert done.stderr == "backupmx: nobody is told: [alerts] urls is empty\n"
    house.difference = 2
    lines = run("alerts", "list").stdout.splitlines()
    assert lines[0].split() == ["WHAT", "WHOSE", "FOR", "TOLD", "SAID"]
    assert lines[1].startswith("the books do not balance  -")
    found = json.loads(run("alerts", "list", "--json").stdout)
    assert list(found) == ["kind", "subject", "grave", "since", "told", "said"]
    assert (found["kind"], found["subject"], found["grave"], found["told"]) == ("books", "", True, None)


def test_what_a_primary_says_is_not_obeyed(house: House, run: Run) -> None:
    """I7: on a terminal neither."""
    house.primary = Primary(PrimaryState.DOWN, NOW, "\x1b[2J\u202e [red]x[/red]")
    for options in ((), ("--json",)):
        out = run("alerts", "list", *options).stdout
        assert all(char == "\n" or char.isprintable() for char in out)
        assert "[red]x[/red]" in out


def test_with_nobody_to_tell_a_test_fails(house: House, run: Run) -> None:
    """Exit 1, and why."""
    done = run("alerts", "test")
    assert (done.exit_code, done.stderr) == (1, "backupmx: nobody is told: [alerts] urls is empty\n")


@pytest.mark.parametrize("house", [URLS], indirect=True)
def test_a_test_tells_whom_it_did_not_reach(house: House, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place on a line, without its secrets; exit 1."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    done = run("alerts", "test")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "mailto://smtp.example.net: the process that sends ended with status 1",
        "tgram://…: the process that sends ended with status 1",
    ]
    (line,) = (line for line in house.logged if line.get("verb") == "test alerts")
    assert line["failed"] == 2
    found = json.loads(run("alerts", "test", "--json").stdout.splitlines()[0])
    assert found == {"place": "mailto://smtp.example.net", "sent": False, "why": "the process that sends ended with status 1"}
    assert "s3cr3t" not in str(house.logged)


def test_a_maintenance_window_is_opened_told_and_ended(house: House, run: Run) -> None:
    """By a length or by its end; kept in the file."""
    house.now = datetime.now(UTC)
    done = run("alerts", "mute", "2h")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("nobody is told of anything until ")
    answer = house.client.ask(GetAlerts())
    assert isinstance(answer, AlertsAnswer)
    assert answer.muted is not None
    assert timedelta(hours=1, minutes=59) < answer.muted - house.now <= timedelta(hours=2, minutes=1)
    assert "backupmx alerts unmute" in run("alerts", "list").stderr
    assert run("alerts", "unmute").exit_code == 0
    assert "unmute" not in run("alerts", "list").stderr
    assert run("alerts", "mute", "--until", (house.now + timedelta(days=3)).strftime("%Y-%m-%d")).exit_code == 0


@pytest.mark.parametrize("words", [(), ("2h", "--until", "18:00"), ("soon",), ("--until", "tomorrow")])
def test_a_window_without_an_end_is_a_usage_error(house: House, run: Run, words: tuple[str, ...]) -> None:
    """One of the two, as they are written."""
    assert run("alerts", "mute", *words).exit_code == 2


@pytest.mark.parametrize("words", [("60d",), ("--until", "2020-01-01")])
def test_a_window_is_within_a_month_from_now(house: House, run: Run, words: tuple[str, ...]) -> None:
    """Nobody wants to be told nothing for ever."""
    house.now = datetime.now(UTC)
    done = run("alerts", "mute", *words)
    assert done.exit_code == 1
    assert "must be later than now, and within 30 days" in done.stderr


def test_a_time_of_day_is_the_next_one() -> None:
    """Today, or tomorrow."""
    now = datetime.now().astimezone()
    for text in ("00:00", "12:30", "23:59"):
        found = _until(text)
        assert now < found <= now + timedelta(days=1)
        assert f"{found:%H:%M}" == text


def test_check_tells_who_is_told_and_what_would_not_arrive(tmp_path: Path) -> None:
    """Without secrets; those of the file too."""
    (tmp_path / "urls").write_text("# ours\nntfys://ntfy.example.net/s3cr3t\n")
    (tmp_path / "b.toml").write_text(
        f'hostname = "mx2.example.net"\n[alerts]\nurls = ["mailto://user:s3cr3t@smtp.example.net?to=admin@example.com"]\n'
        f'urls_file = "{tmp_path}/urls"\n[domain."example.com"]\n'
    )
    done = CliRunner().invoke(root, ["check"], env={"BACKUPMX_CONFIG": str(tmp_path / "b.toml")})
    assert done.exit_code == 0
    assert "alerts: mailto://smtp.example.net, ntfys://ntfy.example.net\n" in done.stdout
    assert done.stderr == (
        "backupmx: alerts: mailto://smtp.example.net: it is mail for example.com: "
        "while the primary of example.com is down it waits here with the rest\n"
    )
    (tmp_path / "urls").write_text("s3cr3t\n")
    done = CliRunner().invoke(root, ["check"], env={"BACKUPMX_CONFIG": str(tmp_path / "b.toml")})
    assert done.exit_code == 78
    assert f'alerts.urls_file = "{tmp_path}/urls": line 1: must be a URL as Apprise has them' in done.stderr
    assert "s3cr3t" not in done.stdout + done.stderr
