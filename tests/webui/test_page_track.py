"""What programs read of what became of messages, with a real server behind it."""

from datetime import datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from real import ID, NOW

from backupmx.control.accounts import Accounts, Scope

DOOR = "/api/v1/track"


@pytest.fixture
def reader(house: Path) -> dict[str, str]:
    token = Accounts(house / "accounts.json").create_token("nagios", NOW, Scope.READ)
    return {"Authorization": f"Bearer {token}"}


def test_a_life_is_the_same_object_as_on_the_command_line(visitor: FlaskClient, reader: dict[str, str]) -> None:
    """I8: with the last of it for each recipient."""
    answer = visitor.get(DOOR, headers=reader)
    assert answer.content_type == "application/json"
    assert answer.json
    (life,) = answer.json
    assert list(life) == [
        *("queue_id", "arrival_time", "message_size", "sender", "recipients"),
        *("state", "ended", "client", "events", "events_left_out"),
    ]
    assert (life["queue_id"], life["state"], life["ended"]) == (ID, "waiting", None)
    (fared,) = life["recipients"]
    assert (fared["address"], fared["outcome"]) == ("user@example.com", "deferred")
    assert (fared["reply"], fared["host"]) == ("451 4.3.0 come back later", "mail.example.com")
    assert datetime.fromisoformat(fared["time"]) == NOW


def test_filters_are_those_of_the_command_line(visitor: FlaskClient, reader: dict[str, str]) -> None:
    for query, found in (
        (f"id={ID[:10].lower()}", 1),
        ("sender=anna@", 1),
        ("recipient=user@example.com&host=mail.example.com", 1),
        ("host=192.0.2.1&since=2026-11-23T12:00:00Z&until=2026-11-23T13:00:00Z", 1),
        ("since=2026-11-23T13:00:00Z", 0),
        ("recipient=nobody", 0),
        (f"after={ID}", 0),
    ):
        assert len(visitor.get(f"{DOOR}?{query}", headers=reader).json or ()) == found, query


@pytest.mark.parametrize(
    "query", ["id=U", "limit=0", "limit=1001", "since=yesterday", "until=2026-11-20T00:00:00", "after=x", "to=u"]
)
def test_a_question_that_makes_no_sense_is_refused(visitor: FlaskClient, reader: dict[str, str], query: str) -> None:
    answer = visitor.get(f"{DOOR}?{query}", headers=reader)
    assert answer.status_code == 400
    assert answer.json
    assert answer.json["error"]


def test_it_is_for_those_who_may_read(house: Path, visitor: FlaskClient) -> None:
    assert visitor.get(DOOR).status_code == 401
    token = Accounts(house / "accounts.json").create_token("cron", NOW, Scope.RECIPIENTS)
    assert visitor.get(DOOR, headers={"Authorization": f"Bearer {token}"}).status_code == 403
