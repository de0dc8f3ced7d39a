"""The application over a real control socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from canned import PASSWORD, Canned, serving
from flask import Flask
from flask.testing import FlaskClient
from real import served
from visitor import token_in

from backupmx.control.client import ControlClient
from webui.app import create_app


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def canned(place: Path) -> Iterator[Canned]:
    answers = Canned()
    with serving(place, answers):
        yield answers


@pytest.fixture
def app(place: Path) -> Flask:
    return create_app(ControlClient(place, 10))


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def reader(app: Flask, canned: Canned) -> FlaskClient:
    client = app.test_client()
    form = {"name": "petra", "password": PASSWORD, "csrf_token": token_in(client.get("/login"))}
    assert client.post("/login", data=form).status_code == 302
    return client


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Path]:
    """Where a real server answers, at `c.sock`."""
    with served(tmp_path):
        yield tmp_path


@pytest.fixture
def visitor(house: Path) -> FlaskClient:
    return create_app(ControlClient(house / "c.sock", 20)).test_client()
