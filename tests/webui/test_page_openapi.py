"""The API does what its OpenAPI document says, whatever it is asked."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import NamedTuple

import msgspec
import pytest
import schemathesis
from browser import web
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from real import NOW, served

from backupmx.control.accounts import Accounts, Scope
from backupmx.control.client import ControlClient
from webui import openapi
from webui.app import create_app

DESCRIBED = msgspec.json.decode(openapi.document())
api = schemathesis.openapi.from_dict(DESCRIBED)


class Programs(NamedTuple):
    """A server, its page, and a header for each scope."""

    address: str
    app: Flask
    tokens: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    place = tmp_path_factory.mktemp("house")
    with served(place), web(place / "c.sock") as (address, _):
        accounts = Accounts(place / "accounts.json")
        tokens = {scope: {"Authorization": f"Bearer {accounts.create_token(scope, NOW, scope)}"} for scope in Scope}
        yield Programs(address, create_app(ControlClient(place / "c.sock", 20)), tokens)


@pytest.fixture
def client(programs: Programs) -> FlaskClient:
    return programs.app.test_client()


@api.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.slow
def test_each_door_does_what_is_written(case: schemathesis.Case, programs: Programs) -> None:
    """Right questions are answered in the form that is written, wrong ones refused, and nothing makes it stumble."""
    needed = [scope for way in case.operation.definition.raw["security"] for scope in way.get("token", ())]
    case.call_and_validate(base_url=programs.address, headers=programs.tokens[needed[0]] if needed else None)


def test_every_door_for_programs_is_written(programs: Programs, client: FlaskClient) -> None:
    """None is forgotten; and the document is what the server gives."""
    assert client.get("/api/v1/openapi.json", headers=programs.tokens[Scope.READ]).json == DESCRIBED
    written = {(path, verb) for path, verbs in DESCRIBED["paths"].items() for verb in verbs}
    doors = {
        (str(rule).replace("<", "{").replace(">", "}"), method.lower())
        for rule in programs.app.url_map.iter_rules()
        if str(rule).startswith(("/api/", "/metrics", "/healthz"))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert written == doors


def test_only_its_own_scope_opens_a_door(programs: Programs, client: FlaskClient) -> None:
    """For each operation that is written: 403 for any other scope, 401 for none."""
    for path, verbs in DESCRIBED["paths"].items():
        for verb, operation in verbs.items():
            door = path.replace("{domain}", "example.com").replace("{id}", "0")
            needed = [scope for way in operation["security"] for scope in way["token"]]
            if not needed:
                assert client.open(door, method=verb).status_code == HTTPStatus.OK
                continue
            assert client.open(door, method=verb).status_code == HTTPStatus.UNAUTHORIZED
            for scope in set(Scope) - set(needed):
                answer = client.open(door, method=verb, headers=programs.tokens[scope])
                assert answer.status_code == HTTPStatus.FORBIDDEN, (door, scope)
