"""What a token with the scope `act` may do, on a real server."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from real import ID, NOW, Running
from werkzeug.test import TestResponse

from backupmx.control.accounts import Accounts, Scope
from backupmx.core.ids import MessageId
from backupmx.core.message import State

DOOR = "/api/v1/queue"
LATER = "2026-12-01T00:00:00Z"


@pytest.fixture
def actor(house: Path) -> dict[str, str]:
    token = Accounts(house / "accounts.json").create_token("robot", NOW, Scope.ACT)
    return {"Authorization": f"Bearer {token}"}


def ask(client: FlaskClient, headers: dict[str, str], **wish: Any) -> TestResponse:
    return client.post(DOOR, json=wish, headers=headers)


def state(running: Running) -> State | None:
    assert running.spool
    message = running.spool.get(MessageId(ID))
    return message.state() if message else None


def test_one_message_is_held_and_released(running: Running, visitor: FlaskClient, actor: dict[str, str]) -> None:
    """By its id, or by the beginning of it; who did it, and why, is kept."""
    answer = ask(visitor, actor, verb="hold", ids=[ID], why="looks odd")
    assert (answer.status_code, answer.json) == (200, {"messages": 1, "all": True, "upto": None, "after": None})
    assert state(running) is State.HELD
    assert running.spool
    hold = running.spool.get(MessageId(ID)).hold  # type: ignore[union-attr]
    assert hold
    assert (hold.by, hold.why) == ("token robot", "looks odd")
    assert ask(visitor, actor, verb="release", ids=[ID[:20].lower()]).json["messages"] == 1  # type: ignore[index]
    assert state(running) is State.WAITING


def test_what_a_filter_means_is_counted_and_then_done(running: Running, visitor: FlaskClient, actor: dict[str, str]) -> None:
    """`dry_run` changes nothing; what arrived later than `upto` is left alone."""
    wish = {"verb": "delete", "filter": {"sender": "ANNA@", "state": "waiting"}}
    counted = ask(visitor, actor, **wish, dry_run=True).json
    assert counted
    assert (counted["messages"], counted["all"], state(running)) == (1, True, State.WAITING)
    assert ask(visitor, actor, **wish, upto="2026-11-01T00:00:00Z").json["messages"] == 0  # type: ignore[index]
    assert ask(visitor, actor, verb="delete", filter={"sender": "petra"}, upto=LATER).json["messages"] == 0  # type: ignore[index]
    assert state(running) is State.WAITING
    done = ask(visitor, actor, **wish, upto=LATER).json
    assert done
    assert (done["messages"], done["all"], done["after"], state(running)) == (1, True, None, None)


@pytest.mark.parametrize(
    "wish",
    [
        {},
        [],
        {"verb": "delete"},
        {"verb": "explode", "ids": [ID]},
        {"verb": "delete", "ids": []},
        {"verb": "delete", "ids": [ID], "filter": {}},
        {"verb": "delete", "ids": ["../etc"]},
        {"verb": "delete", "ids": [ID], "dry_run": True},
        {"verb": "delete", "filter": {"sendr": "anna"}},
        {"verb": "delete", "filter": {}, "upto": "2026-12-01T00:00:00"},
        {"verb": "delete", "filter": {"before": 0.5}},
        {"verb": "delete", "filter": None},
    ],
)
def test_nothing_is_done_for_a_wish_that_is_not_clear(
    running: Running, visitor: FlaskClient, actor: dict[str, str], wish: Any
) -> None:
    """A filter with a part that nobody knows would mean more than was meant."""
    answer = visitor.post(DOOR, json=wish, headers=actor)
    assert answer.status_code == 400
    assert answer.json and answer.json["error"]
    assert state(running) is State.WAITING


def test_an_id_that_is_nobody_s_is_not_found(running: Running, visitor: FlaskClient, actor: dict[str, str]) -> None:
    """And then nothing is done to the others either."""
    assert ask(visitor, actor, verb="delete", ids=[ID, "7"]).status_code == 404
    assert state(running) is State.WAITING


def test_a_browser_s_cookie_does_nothing_here(running: Running, reader: FlaskClient) -> None:
    """Another site's page could send it."""
    assert reader.post(DOOR, json={"verb": "delete", "ids": [ID]}).status_code == 401


def test_a_primary_is_believed_again(visitor: FlaskClient, actor: dict[str, str]) -> None:
    """As `backupmx domain resume`; for our own domains alone."""
    answer = visitor.post("/api/v1/domains/Example.COM/resume", headers=actor)
    assert (answer.status_code, answer.json) == (200, {"resumed": True})
    assert visitor.post("/api/v1/domains/a b/resume", headers=actor).status_code == 404
