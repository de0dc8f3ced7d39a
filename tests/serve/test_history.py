"""How things went, told by a real server, and remembered over its restart."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupmx.control.answers import ReportAnswer
from backupmx.control.client import ControlClient
from backupmx.control.requests import GetReport, ListQueue
from backupmx.core.history import Month
from backupmx.core.queue import Filter
from tests.serve.instance import Client, Instance, eventually, running

CONTENT = b"Subject: =?utf-8?q?R=C3=A4kning?=\r\n\r\nhello\r\n"


def report(instance: Instance) -> Month:
    """This month's, of the one domain."""
    answer = ControlClient(instance.place / "control.sock").ask(GetReport(f"{datetime.now(UTC):%Y-%m}"))
    assert isinstance(answer, ReportAnswer)
    return answer.months[-1]


@pytest.mark.slow
def test_an_outage_and_what_was_kept_meanwhile_are_remembered(tmp_path: Path) -> None:
    """I8, I11: one outage over a restart, the books without a difference, how long the mail waited; the subject in the queue."""
    with running(tmp_path) as instance:
        eventually(lambda: report(instance).outages == 1, "the primary is away")
        with Client(instance.port) as client:
            assert client.mail(CONTENT, to=("a@example.com", "b@example.com")).startswith("250 ")
        (row,) = ControlClient(tmp_path / "control.sock").listing(ListQueue(Filter(subject="räkn")))
        assert row.message.subject == "=?utf-8?q?R=C3=A4kning?="
        assert instance.stop() == 0
        instance.start()
        before = report(instance)
        assert (before.outages, before.kept, before.line.waiting, before.lost) == (1, 2, 2, 0)
        instance.primary.start()
        eventually(lambda: report(instance).line.delivered == 2, "the message is given back")
        assert report(instance).longest_wait.total_seconds() > 0
        assert instance.stop() == 0
        file = sqlite3.connect(tmp_path / "spool" / "history.sqlite")
        ((began, ended),) = file.execute("SELECT began, ended FROM outage").fetchall()
        file.close()
        instance.start()
        after = report(instance)
        assert (after.outages, after.kept, after.lost, after.line.delivered) == (1, 2, 0, 2)
        assert after.away.total_seconds() == ended - began
        assert after.longest_wait.total_seconds() > 0
        assert "1 outage, 2 messages kept, 0 lost, longest wait " in instance.cli("report").stdout
