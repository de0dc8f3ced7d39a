"""The application over a real control socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import web
from canned import PASSWORD, Canned, serving
from flask import Flask
from flask.testing import FlaskClient
from guest import Home
from jinja2 import FileSystemBytecodeCache
from real import Running, served
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


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Templates, so that not every test compiles them anew."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("compiled")))


@pytest.fixture
def app(place: Path, compiled: FileSystemBytecodeCache) -> Flask:
    made = create_app(ControlClient(place, 10))
    made.jinja_env.bytecode_cache = compiled
    return made


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
def running(tmp_path: Path) -> Iterator[Running]:
    """A real server, which answers at `c.sock`."""
    with served(tmp_path) as server:
        yield server


@pytest.fixture
def house(tmp_path: Path, running: Running) -> Path:
    """Where that is."""
    return tmp_path


@pytest.fixture
def visitor(house: Path) -> FlaskClient:
    return create_app(ControlClient(house / "c.sock", 20)).test_client()


@pytest.fixture
def home(house: Path, running: Running, compiled: FileSystemBytecodeCache) -> Home:
    """That, with three users and the page before it."""
    found = Home(house, running)
    found.app.jinja_env.bytecode_cache = compiled
    return found


@pytest.fixture
def address(place: Path, canned: Canned) -> Iterator[str]:
    with web(place) as (address, _):
        yield address
