"""What we ship for Prometheus and Grafana loads, and asks for nothing that we do not expose."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backupmx.control.answers import Text
from backupmx.control.client import ControlClient
from backupmx.control.requests import GetMetrics
from backupmx.core.alerts import Kind
from tests.serve.instance import Client, eventually, running

HERE = Path(__file__).parent
MONITORING = HERE.parent.parent / "backupmx" / "monitoring"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
NAME = re.compile(r"\bbackupmx_[a-z_]+")
SELECTOR = re.compile(r"(backupmx_[a-z_]+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
OF_PROMETHEUS = {"instance", "le"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((MONITORING / "rules.yml").read_text())["groups"]
    return list(group["rules"])


def queries() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (variable["query"]["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query")
    yield from (rule["expr"] for rule in rules())


def exposed(place: Path) -> dict[str, dict[str, set[str]]]:
    """Each series that a server has after a message came, one was refused, and the first was given back: its labels' values."""
    found: dict[str, dict[str, set[str]]] = {}
    with running(place) as instance:
        with Client(instance.port) as client:
            assert client.mail(b"Subject: x\r\n\r\nx\r\n").startswith("250 ")
            assert client.mail(b"x\r\n", to=("user@elsewhere.test",)).startswith("550 ")
        instance.primary.start()
        eventually(lambda: "backupmx_delivery_tls_total" in scraped(instance.place), "the message is given back")
        for line in scraped(instance.place).splitlines():
            if match := re.fullmatch(r"(backupmx_\w+)(?:\{(.*)\})? \S+", line):
                labels = found.setdefault(match[1], {})
                for label, value in re.findall(r'(\w+)="([^"]*)"', match[2] or ""):
                    labels.setdefault(label, set()).add(value)
    return found


def scraped(place: Path) -> str:
    answer = ControlClient(place / "control.sock").ask(GetMetrics())
    assert isinstance(answer, Text)
    return answer.text


def test_every_query_asks_for_what_is_exposed(tmp_path: Path) -> None:
    """By name, by label, and by the labels' values as far as they are fixed."""
    known = exposed(tmp_path)
    for query in queries():
        assert NAME.findall(query), query
        for name in NAME.findall(query):
            assert name in known, f"{name} in {query}"
        for name, selector in SELECTOR.findall(query):
            for label, value in LABEL.findall(selector):
                assert label in OF_PROMETHEUS or label in known[name], f"{label} in {query}"
                assert label not in ("state", "kind", "result") or value in known[name][label], f"{value} in {query}"
        for label in re.findall(r"\w+", ",".join(re.findall(r"(?:by|on) \(([^)]*)\)", query))):
            names = [name for name in NAME.findall(query) if label in known[name]]
            assert label in OF_PROMETHEUS or names, f"{label} in {query}"


def test_each_kind_of_alert_has_a_rule() -> None:
    """Prometheus tells of no less than we do ourselves."""
    others = {
        Kind.PRIMARY_DOWN: "backupmx_primary_up",
        Kind.ROOM: "backupmx_spool_room_bytes",
        Kind.CERTIFICATE: "backupmx_certificate_expiry_timestamp_seconds",
        Kind.QUARANTINE: 'state="quarantined"',
        Kind.DAMAGED: 'state="damaged"',
        Kind.BOOKS: "backupmx_books_difference",
        Kind.REFUSALS: 'result="refused"',
    }
    expressions = [rule["expr"] for rule in rules()]
    for kind in Kind:
        asked = others.get(kind, f'backupmx_alerts{{kind="{kind}"}}')
        assert any(asked in expression for expression in expressions), kind


def test_panels_do_not_cover_each_other() -> None:
    """Each has a place of its own on the grid of 24 columns."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.peer
@pytest.mark.parametrize(
    "words", [("check", "rules", str(MONITORING / "rules.yml")), ("test", "rules", str(HERE / "rules.test.yml"))]
)
def test_promtool_takes_the_rules_and_they_do_what_they_say(words: tuple[str, ...]) -> None:
    """Prometheus' own tool, over hours and days that it makes up."""
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.peer
def test_prometheus_can_read_every_query_of_the_dashboard(tmp_path: Path) -> None:
    """As rules, since promtool checks no dashboards."""
    plain = [
        query.replace("$__rate_interval", "5m").replace("$instance", ".*") for query in queries() if "label_values" not in query
    ]
    recorded = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(plain)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": recorded}]}))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
