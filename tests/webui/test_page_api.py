"""What programs read."""

import json
from datetime import datetime

import msgspec
import pytest
from canned import TOKEN, Canned
from flask.testing import FlaskClient
from samples import OUTAGE, row

from backupmx.control.requests import ListQueue
from backupmx.core.message import State
from backupmx.core.queue import Filter
from backupmx.core.status import document

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def test_health_is_open_and_follows_the_server(stranger: FlaskClient, canned: Canned) -> None:
    """200 while control answers, 503 while it does not; a stranger learns no more."""
    answer = stranger.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    canned.status = None
    answer = stranger.get("/healthz")
    assert (answer.status_code, answer.json) == (503, {"error": "Backup MX is not running or cannot be asked."})


def test_nobody_at_the_socket_is_unhealthy(stranger: FlaskClient) -> None:
    """503 for every door of programs while `serve` is not there."""
    assert stranger.get("/healthz").status_code == 503
    for path in ("/metrics", "/api/v1/status", "/api/v1/queue"):
        answer = stranger.get(path, headers=BEARER)
        assert answer.status_code == 503
        assert answer.json == {"error": "Backup MX is not running or cannot be asked."}


def test_the_status_is_the_document_itself(stranger: FlaskClient, canned: Canned) -> None:
    """I8: the same document as `backupmx status --json`, times by RFC 3339 in UTC."""
    answer = stranger.get("/api/v1/status", headers=BEARER)
    assert answer.content_type == "application/json"
    assert answer.data == msgspec.json.encode(document(OUTAGE))
    assert answer.json
    assert answer.json["time"] == "2026-11-23T14:35:07Z"
    assert answer.json["queue"].keys() == {"messages", "bytes", "oldest", "held", "quarantined"}
    assert answer.json["domains"][1]["primary"]["state"] == "down"


def test_metrics_are_passed_on_as_they_are(stranger: FlaskClient, canned: Canned) -> None:
    """Prometheus' text form, with its type."""
    answer = stranger.get("/metrics", headers=BEARER)
    assert answer.text == canned.metrics
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"


def test_the_queue_has_postfix_names_first(reader: FlaskClient, canned: Canned) -> None:
    """One array, newest first, with the field names that users have in their hands."""
    answer = reader.get("/api/v1/queue")
    assert answer.content_type == "application/json"
    assert isinstance(answer.json, list)
    assert [entry["queue_id"] for entry in answer.json] == [known.message.id for known in canned.rows]
    first = answer.json[2]
    assert list(first) == [
        *("queue_name", "queue_id", "arrival_time", "message_size", "sender", "recipients"),
        *("state", "attempts", "next_attempt", "expires", "last_reply", "tls", "subject"),
    ]
    assert first["recipients"][0].keys() == {"address", "delay_reason"}
    assert datetime.fromisoformat(first["expires"]).tzinfo
    assert reader.get("/api/v1/queue?limit=2").json == answer.json[:2]


def test_an_empty_queue_is_an_empty_array(reader: FlaskClient, canned: Canned) -> None:
    """Valid JSON for every length."""
    canned.rows = []
    assert reader.get("/api/v1/queue").json == []


def test_filters_reach_the_spool(reader: FlaskClient, canned: Canned) -> None:
    """The same filters as on the command line; a page begins after an id."""
    id = canned.rows[0].message.id
    query = {"domain": "example.com", "sender": "a", "recipient": "b", "subject": "c", "state": "held"}
    query["before"] = "2026-11-20T00:00:00Z"
    assert reader.get("/api/v1/queue", query_string={**query, "after": id, "limit": "7"}).status_code == 200
    before = datetime.fromisoformat("2026-11-20T00:00:00+00:00")
    assert canned.asked[-1] == ListQueue(Filter("example.com", "a", "b", State.HELD, before, "c"), 7, id)
    reader.get("/api/v1/queue")
    assert canned.asked[-1] == ListQueue(limit=100)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=-1",
        "state=lost",
        "before=yesterday",
        "before=2026-11-20T00:00:00",
        "after=x",
        "stat=held",
    ],
)
def test_a_question_that_makes_no_sense_is_refused(reader: FlaskClient, canned: Canned, query: str) -> None:
    """400 with what is wrong, rather than an answer to another question."""
    canned.asked.clear()
    answer = reader.get(f"/api/v1/queue?{query}")
    assert answer.status_code == 400
    assert answer.json and answer.json["error"]
    assert not any(isinstance(asked, ListQueue) for asked in canned.asked)


def test_untrusted_text_is_escaped_by_json(reader: FlaskClient, canned: Canned) -> None:
    """I7: whatever an address holds, the document stays one, and no browser takes it for a page."""
    canned.rows = [row(1, '</script>"\r\n\u202e@evil.example')]
    answer = reader.get("/api/v1/queue")
    assert json.loads(answer.data)[0]["sender"] == '</script>"\r\n\u202e@evil.example'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_not_there_is_json_too(reader: FlaskClient) -> None:
    """Programs get no HTML."""
    assert (reader.get("/api/v1/none").status_code, reader.get("/api/v1/none").json) == (404, {"error": "Not Found"})
