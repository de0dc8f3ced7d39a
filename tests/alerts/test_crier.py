"""Admins are told: of an outage from its beginning to its end, over restarts, and to the very end of a web server's patience."""

import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alerts.house import DOMAIN, START, Web, house, web
from backupmx.alerts import notebook, outbox
from backupmx.core.alert_text import Letter, Tone
from backupmx.core.alerts import Kind
from backupmx.core.finding import Finding, Level, Report


@pytest.fixture
def nobody_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that would send ends at once."""
    monkeypatch.setattr(sys, "executable", "/bin/false")


def titles(served: Web) -> list[str]:
    return [message["title"].removeprefix("mx2.example.net: ") for message in served.got]


@pytest.mark.slow
async def test_an_outage_is_told_once_and_its_end_with_what_was_delivered(tmp_path: Path) -> None:
    """A service that is away at first gets it a minute later; a restart tells nothing again, nor anything false."""
    with web() as served, house(tmp_path, urls=(f"json://{served.place}/",)) as found:
        await found.look()
        found.down()
        await found.take()
        served.status = 503
        with capture_logs() as logged:
            await found.look(11)
        (trouble,) = (line for line in logged if line["event"] == "alert not told")
        assert (trouble["to"], trouble["title"]) == ("json://127.0.0.1", f"mx2.example.net: primary of {DOMAIN} is down")
        served.status, served.got = 200, []
        found.begin()
        await found.look(10)
        found.begin()
        await found.look(10)
        assert titles(served) == [f"primary of {DOMAIN} is down"]
        assert "has been down for 10 min: connection refused. 1 message" in served.got[0]["message"]
        found.up()
        await found.deliver()
        await found.look(20)
        assert titles(served)[1:] == [f"primary of {DOMAIN} is up again"]
        assert "is up again after 31 min; mail delivered to 1 recipient, 0 messages left." in served.got[1]["message"]
        assert served.got[1]["type"] == "success"


@pytest.mark.usefixtures("nobody_sends")
async def test_what_nobody_takes_is_given_up_after_a_few_times(tmp_path: Path) -> None:
    """At growing distances; and who is not to be told any more is told no more."""
    letter = Letter(Tone.INFO, "a test", "a test")
    url = "nosuch://place"
    waiting = [outbox.parcel(letter, [url], START)]
    with capture_logs() as logged:
        (again,) = await outbox.carry(waiting, [url], START)
    assert (again.tries, again.due) == (1, START + timedelta(minutes=1))
    assert await outbox.carry([again], [url], START) == [again]
    last = outbox.Parcel(letter, again.marks, START, len(outbox.PAUSES))
    with capture_logs() as logged:
        assert await outbox.carry([last], [url], START) == []
    assert [line["again"] for line in logged] == [None]
    assert await outbox.carry([again], ["other://place"], again.due) == []
    # one that reaches nobody is enough for one time
    (tried, untried) = await outbox.carry(waiting * 2, [url], START)
    assert (tried.tries, untried.tries) == (1, 0)


async def test_with_nobody_to_tell_it_is_known_all_the_same(tmp_path: Path) -> None:
    """For `backupmx alerts list`, the page and the metrics."""
    with house(tmp_path) as found:
        found.down()
        await found.look(30)
        (standing,) = await found.crier.standing()
        assert (standing.condition.kind, standing.since, standing.told) == (Kind.PRIMARY_DOWN, START, None)
        assert found.crier.counts()[Kind.PRIMARY_DOWN] == 1
        assert found.crier.counts()[Kind.ROOM] == 0
        assert found.crier.places == ()
        assert await found.crier.test("petra") == ()


@pytest.mark.usefixtures("nobody_sends")
async def test_a_maintenance_window_outlives_a_restart(tmp_path: Path) -> None:
    """And ends by itself, or by an admin's word."""
    with house(tmp_path, urls=("nosuch://place",)) as found:
        with capture_logs() as logged:
            await found.crier.mute(START + timedelta(hours=1), "petra")
        assert [(line["verb"], line["by"]) for line in logged] == [("mute", "petra")]
        found.difference = 2
        await found.look(30)
        assert found.begin().muted == START + timedelta(hours=1)
        await found.look(29)
        assert notebook.read(tmp_path / notebook.FILE).waiting == ()
        await found.crier.mute(None, "petra")
        assert found.crier.muted is None
        await found.look()
        (parcel,) = notebook.read(tmp_path / notebook.FILE).waiting
        assert parcel.letter.title == "mx2.example.net: the books do not balance"


@pytest.mark.usefixtures("nobody_sends")
async def test_the_file_holds_no_secrets_and_is_written_only_when_there_is_news(tmp_path: Path) -> None:
    """A card lives for years; and who reads it learns no URL."""
    path = tmp_path / notebook.FILE
    with house(tmp_path, urls=("nosuch://s3cr3t",)) as found:
        await found.look()
        assert not path.exists()
        found.difference = 1
        await found.look()
        assert b"s3cr3t" not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
        found.settings = {}
        found.begin()
        await found.look()
        before = path.stat().st_ino
        await found.look(60)
        assert path.stat().st_ino == before


@pytest.mark.parametrize("content", [b"", b"{", b'{"memory": 3}', b"\xff" * 100])
async def test_a_file_that_cannot_be_read_is_no_reason_to_be_silent(tmp_path: Path, content: bytes) -> None:
    """What is wrong is told once more, and a new one begun."""
    (tmp_path / notebook.FILE).write_bytes(content)
    with capture_logs() as logged, house(tmp_path) as found:
        found.difference = 1
        await found.look()
        assert [line["event"] for line in logged] == ["trouble"]
        assert [trace["kind"] for trace in json.loads((tmp_path / notebook.FILE).read_bytes())["memory"]["traces"]] == ["books"]


async def test_trouble_of_its_own_stops_nothing(tmp_path: Path) -> None:
    """Neither a disk that takes nothing nor a fact that cannot be had."""
    with house(tmp_path) as found:
        (tmp_path / "alerts.json.new").mkdir()
        found.difference = 1
        with capture_logs() as logged:
            await found.look()
            found.primary = None  # type: ignore[assignment]
            await found.look()
        assert [(line["event"], line["where"]) for line in logged] == [("trouble", "alerts")] * 2


async def test_without_a_past_alerts_go_on(tmp_path: Path) -> None:
    """What is known is told all the same."""
    with capture_logs(), house(tmp_path) as found:
        found.past.close(found.now)
        found.difference = 1
        await found.look()
        assert found.crier.counts()[Kind.BOOKS] == 1


async def test_a_process_that_died_is_known_for_an_hour(tmp_path: Path) -> None:
    """With how often."""
    with house(tmp_path) as found:
        found.crier.died("edge0")
        found.crier.died("edge0")
        (standing,) = await found.crier.standing()
        assert (standing.condition.subject, standing.condition.level) == ("edge0", 2)
        found.now += timedelta(hours=1)
        assert await found.crier.standing() == ()


async def test_the_checks_findings_are_facts(tmp_path: Path) -> None:
    """Once they were made."""
    with house(tmp_path) as found:
        found.report = Report((Finding("mx", DOMAIN, Level.BAD, "No record."),), None)
        assert await found.crier.standing() == ()
        found.report = Report(found.report.findings, START)
        (standing,) = await found.crier.standing()
        assert standing.condition.kind is Kind.DNS


async def test_what_would_not_arrive_is_in_the_log(tmp_path: Path) -> None:
    """From the beginning on, without its secrets."""
    with capture_logs() as logged, house(tmp_path, urls=("mailto://user:s3cr3t@smtp.example.net?to=admin@example.com",)):
        pass
    (line,) = logged
    assert (line["event"], line["to"]) == ("alert led astray", "mailto://smtp.example.net")
    assert "s3cr3t" not in str(line)


@pytest.mark.usefixtures("nobody_sends")
async def test_a_digest_comes_in_the_morning(tmp_path: Path) -> None:
    """Of the day before; with what was kept, and the outage."""
    with house(tmp_path, urls=("nosuch://place",), digest="daily", grace=timedelta(days=1)) as found:
        await found.look()
        found.down()
        found.past.primary(DOMAIN, found.primary, found.now)
        await found.take()
        found.now += timedelta(hours=1)
        found.up()
        found.past.primary(DOMAIN, found.primary, found.now)
        await found.deliver()
        await found.look()
        found.now = START.replace(hour=6) + timedelta(days=1)
        await found.look(2)
        (parcel,) = notebook.read(tmp_path / notebook.FILE).waiting
        assert parcel.letter.title == "mx2.example.net: 2026-11-23: 1 message kept, 1 outage"
        assert parcel.letter.body.startswith(f"{DOMAIN}: 1 message kept, 1 delivered; 1 outage (1 h).")
