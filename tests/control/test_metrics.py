"""What Prometheus reads is what everyone else is shown, under the names of the conventions."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from backupmx.control.answers import Text
from backupmx.control.requests import GetMetrics
from backupmx.core.status import Primary, PrimaryState
from control.house import NOW, House

FROM_THE_DOCUMENT = {
    "backupmx_build_info",
    "backupmx_queue_messages",
    "backupmx_queue_bytes",
    "backupmx_queue_oldest_age_seconds",
    "backupmx_primary_up",
    "backupmx_spool_map_used_bytes",
    "backupmx_spool_map_size_bytes",
    "backupmx_spool_disk_free_bytes",
    "backupmx_alerts",
    "backupmx_books_difference",
}
COUNTED = {
    "backupmx_smtp_connections",
    "backupmx_smtp_received_bytes",
    "backupmx_delivery_duration_seconds",
    "backupmx_message_delay_seconds",
    "backupmx_spool_commit_seconds",
}


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(house: House) -> dict[tuple[str, tuple[str, ...]], float]:
    answer = house.client.ask(GetMetrics())
    assert isinstance(answer, Text)
    return samples(answer.text)


def test_the_gauges_are_the_status_document(house: House) -> None:
    """I8: counts, octets and age are those of the status; the spool's figures are those of its stats."""
    house.take(1, arrived=NOW - timedelta(minutes=5))
    house.take(2)
    house.do(house.spool.hold((house.take(3),), "alice", "", NOW))
    found, status, stats = read(house), house.status(), house.spool.stats()
    one = status.domains[0]
    assert found["backupmx_build_info", ("1.0",)] == 1
    assert found["backupmx_queue_messages", ("one.example", "waiting")] == one.messages == 2
    assert found["backupmx_queue_messages", ("one.example", "held")] == one.held == 1
    assert found["backupmx_queue_messages", ("two.example", "waiting")] == 0
    house.do(house.spool.set_aside(house.take(4), "content does not match", NOW))
    assert read(house)["backupmx_queue_messages", ("one.example", "damaged")] == house.status().domains[0].damaged == 1
    assert found["backupmx_queue_bytes", ("one.example", "waiting")] == one.bytes
    assert found["backupmx_queue_oldest_age_seconds", ("one.example",)] == 300
    assert found["backupmx_queue_oldest_age_seconds", ("two.example",)] == 0
    assert found["backupmx_spool_map_size_bytes", ()] == stats.map_size
    assert found["backupmx_spool_map_used_bytes", ()] == stats.map_used
    assert found["backupmx_books_difference", ()] == 0
    house.difference = 3
    assert read(house)["backupmx_books_difference", ()] == 3


def test_a_primary_is_up_or_down_or_not_known(house: House) -> None:
    """Nothing is claimed of a primary that nobody has tried yet."""
    for state, shown in ((PrimaryState.UP, 1), (PrimaryState.DOWN, 0), (PrimaryState.UNKNOWN, None)):
        house.primary = Primary(state)
        assert read(house).get(("backupmx_primary_up", ("one.example", "mail.example"))) == shown


def test_every_name_of_the_conventions_is_there(house: House) -> None:
    """Dashboards rely on the names to the letter."""
    names = {name for name, _ in read(house)}
    families = {name.removesuffix(end) for name in names for end in ("_total", "_count", "")}
    assert families >= FROM_THE_DOCUMENT | COUNTED


def test_all_processes_count_into_one_sum(tmp_path: Path) -> None:
    """The open connections and their total share a name, as the conventions have it, and are added up over processes.

    History is made of the same counters.
    """
    count = """
from backupmx.watch.metrics import *
CONNECTIONS.inc(2); CONNECTIONS_TOTAL.labels('taken').inc(5)
MESSAGES_TOTAL.labels('accepted', '').inc(3); MESSAGES_TOTAL.labels('relayed', '').inc(4)
MESSAGES_TOTAL.labels('refused', 'no-such-user').inc(5); MESSAGES_TOTAL.labels('refused', 'greedy').inc(6)
ATTEMPTS.labels('one.example', 'delivered').inc(7); ATTEMPTS.labels('two.example', 'delivered').inc(8)
ATTEMPTS.labels('one.example', 'deferred').inc(9)
"""
    read_out = """
from datetime import UTC, datetime
from backupmx.control.metrics import exposition
from backupmx.core.queue import SpoolStats
from backupmx.core.status import QueueStatus, Status
status = Status("1", "h", datetime.now(UTC), QueueStatus(0, 0, None, 0, 0, 0), ())
print(exposition(status, SpoolStats(1, 0, 0, 0, 0, 0, 0, 0), {}))
"""
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def run(code: str) -> str:
        return subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True).stdout

    run(count)
    sums = run(count + "from backupmx.control.metrics import sums; print(sums())")
    assert sums.strip() == "Sums(accepted=6, relayed=8, delivered=30, refused={'no-such-user': 10, 'greedy': 12})"
    run(count)
    found = samples(run(count + read_out))
    assert found["backupmx_smtp_connections", ()] == 8
    assert found["backupmx_smtp_connections_total", ("taken",)] == 20
