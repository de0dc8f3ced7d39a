"""Somebody at the page's door, with a browser and a real server behind it."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
from canned import HASH, PASSWORD
from flask import Flask
from flask.testing import FlaskClient
from real import Running
from visitor import token_in, words_of
from werkzeug.test import TestResponse

from backupmx.control.accounts import Accounts, Role
from backupmx.control.client import ControlClient
from webui.app import create_app

PEOPLE = {"vera": Role.VIEWER, "otto": Role.OPERATOR, "petra": Role.ADMIN}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Watch:
    """The page's clock."""

    now: datetime = datetime(2026, 11, 23, 14, 35, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Home:
    """A server with three users, and the page before it."""

    place: Path
    running: Running
    watch: Watch = field(default_factory=Watch)
    app: Flask = field(init=False)

    def __post_init__(self) -> None:
        for name, role in PEOPLE.items():
            self.accounts.add_user(name, role, HASH)
        self.app = create_app(ControlClient(self.place / "c.sock", 20), self.watch)

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.place / "accounts.json")

    def stranger(self) -> "Guest":
        return Guest(self.app.test_client())

    def guest(self, name: str, agent: str = FIREFOX) -> "Guest":
        """One of them, signed in."""
        guest = self.stranger()
        guest.client.environ_base["HTTP_USER_AGENT"] = agent
        assert guest.log_in(name).status_code == 302
        return guest

    def minutes_later(self, minutes: float = 1) -> None:
        """For the server, whose clock codes go by."""
        self.running.now += timedelta(minutes=minutes)

    def code(self, secret: str) -> str:
        """What the app shows now."""
        return pyotp.TOTP(secret).at(self.running.now)

    def with_second(self, guest: "Guest") -> tuple[str, list[str]]:
        """A second factor for a guest, set up on the page: its secret and the recovery codes."""
        secret = secret_on(guest.client.get("/settings/second"))
        done = guest.send("/settings/second", code=self.code(secret))
        assert done.headers["Location"] == "/settings/recovery"
        codes = re.findall(r"<code>([a-z2-7-]{19})</code>", guest.client.get("/settings/recovery").text)
        self.minutes_later()
        return secret, codes


@dataclass
class Guest:
    """One browser."""

    client: FlaskClient
    _tokens: dict[str, str] = field(default_factory=dict)
    """By the session: a page is read for one once."""

    def log_in(self, name: str, password: str = PASSWORD, **more: str) -> TestResponse:
        token = token_in(self.client.get("/login"))
        return self.client.post("/login", data={"name": name, "password": password, "csrf_token": token, **more})

    def give_code(self, code: str) -> TestResponse:
        """The second step of a login."""
        token = token_in(self.client.get("/login/code"))
        return self.client.post("/login/code", data={"code": code, "csrf_token": token})

    def send(self, path: str, **form: str) -> TestResponse:
        """A form of the page."""
        return self.client.post(path, data={"csrf_token": self._token(), **form})

    def _token(self) -> str:
        with self.client.session_transaction() as session:
            key = session.get("_user_id", "")
        if key not in self._tokens:
            self._tokens[key] = token_in(self.client.get("/settings"))
        return self._tokens[key]

    def sent(self, path: str, **form: str) -> str:
        """The words of the page that follows on a form."""
        answer = self.send(path, **form)
        assert answer.status_code == 303
        return words_of(self.client.get(answer.headers["Location"]))

    def words(self, path: str) -> str:
        return words_of(self.client.get(path))

    @property
    def inside(self) -> bool:
        return self.client.get("/").status_code == 200


def secret_on(page: TestResponse) -> str:
    """What the page that sets a second factor up shows as text."""
    found = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page.text)
    assert found
    return found[1].replace(" ", "")
