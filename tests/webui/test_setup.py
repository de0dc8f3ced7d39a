"""A new machine on the page: its set-up and nothing else, for who has the code; and afterwards no set-up at all."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from canned import Canned, serving
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from visitor import Elements, fields_of, token_in, words_of
from werkzeug.test import TestResponse

from backupmx.config import Settings
from backupmx.control.accounts import Role
from backupmx.control.client import ControlClient
from backupmx.control.passwords import hasher
from backupmx.control.requests import BeginSetup, GetSetup
from backupmx.core.finding import About, Finding, InDns
from backupmx.setup import desk
from tests.setup.machine import PASSWORD, Machine, Threaded
from webui.app import create_app
from webui.guard import OPEN

ANSWERS = {
    "domain": "Example.com",
    "primary": "127.0.0.1:9",
    "hostname": "mx2.example.net",
    "alert": "",
    "name": "petra",
    "password": PASSWORD,
    "again": PASSWORD,
}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Threaded]:
    found = Threaded(tmp_path)
    found.start()
    yield found
    found.kill()


@pytest.fixture
def app(machine: Machine, compiled: FileSystemBytecodeCache) -> Flask:
    made = create_app(ControlClient(machine.places.socket, 20))
    made.jinja_env.bytecode_cache = compiled
    return made


class Browser:
    """Somebody at the page."""

    def __init__(self, app: Flask, host: str = "localhost") -> None:
        self.client = app.test_client()
        self.address = f"http://{host}"

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, self.address, headers=headers)

    def post(self, path: str, page: str = "/setup", **form: str) -> TestResponse:
        """With the token that the page has."""
        return self.client.post(path, self.address, data={"csrf_token": token_in(self.get(page)), **form})

    def enter(self, code: str) -> TestResponse:
        return self.post("/setup", code=code)

    def answer(self, **changed: str) -> TestResponse:
        return self.post("/setup/answers", **(ANSWERS | changed))

    def ready(self, code: str) -> "Browser":
        """At the last step."""
        assert self.enter(code).status_code == 303
        assert self.answer().headers["Location"] == "/setup/check"
        return self

    def claim(self) -> TestResponse:
        return self.post("/setup/claim", "/setup/check")


def test_there_is_nothing_but_the_set_up(app: Flask, machine: Machine) -> None:
    """Every door of the page leads to it, and programs are told so; the code is nowhere."""
    stranger = app.test_client()
    for rule in app.url_map.iter_rules():
        if rule.endpoint in ("static", "languages.choose"):
            continue
        method = "GET" if "GET" in (rule.methods or ()) else "PUT" if "PUT" in (rule.methods or ()) else "POST"
        path = rule.rule.replace("<name>", "x").replace("<id>", "x").replace("<domain>", "x")
        answer = stranger.open(path, method=method)
        assert machine.code not in answer.text
        if path.startswith(("/api/", "/metrics", "/healthz")):
            assert (answer.status_code, answer.json) == (503, {"error": "this machine is not set up yet"}), path
        elif not path.startswith("/setup"):
            assert (answer.status_code, answer.headers["Location"]) == (302, "/setup"), path
        elif method == "POST":
            assert answer.status_code == 400, path
        elif path != "/setup":
            assert answer.headers["Location"] == "/setup", path
    assert stranger.get("/nothing").headers["Location"] == "/setup"
    page = stranger.get("/setup")
    assert page.status_code == 200
    with stranger.get(Elements(page.text).all("link")[0]["href"] or "") as style:
        assert style.status_code == 200
    assert Browser(app).post("/language", language="sv", back="/setup").status_code == 303
    assert {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.startswith("/setup")} <= OPEN


def test_whoever_has_the_code_makes_it_theirs(app: Flask, machine: Machine) -> None:
    """The steps, without scripts, whatever the machine is called in the address; then the set-up is closed for good."""
    browser = Browser(app, "192.168.1.20:8025")
    code = machine.code
    assert browser.enter(code).headers["Location"] == "/setup"
    page = browser.get("/setup")
    assert page.request.host == "192.168.1.20:8025"
    assert "A few questions" in words_of(page)
    assert fields_of(page)["name"] == "admin"
    assert browser.get("/setup/check").headers["Location"] == "/setup"
    assert browser.get("/setup/claim").headers["Location"] == "/setup"
    assert browser.answer().headers["Location"] == "/setup/check"
    page = browser.get("/setup/check")
    assert {"example.com", "127.0.0.1:9", "mx2.example.net", "petra"} <= set(words_of(page).lower().split())
    for secret in (PASSWORD, "argon2", code):
        assert secret not in page.text
    done = browser.claim()
    assert (done.status_code, done.headers["Location"]) == (303, "/setup/done")
    page = browser.get("/setup/done")
    assert (page.status_code, "is set up" in words_of(page)) == (200, True)
    assert machine.ended()[0] == 0
    assert browser.get("/setup/done").status_code == 200, "nobody answers yet"
    (admin,) = machine.accounts.users()
    assert (admin.name, admin.role, hasher().verify(admin.password_hash, PASSWORD)) == ("petra", Role.ADMIN, True)
    assert list(machine.settings.domains) == ["example.com"]
    with serving(machine.places.socket, Canned()):
        assert browser.get("/setup/done").headers["Location"] == "/login"
        waiting = browser.get("/setup/done", **{"HX-Request": "true"})
        assert (waiting.status_code, waiting.headers["HX-Redirect"]) == (200, "/login")
        for path in ("/setup", "/setup/check"):
            assert browser.get(path).headers["Location"] == "/"
        for path in ("/setup", "/setup/answers", "/setup/look", "/setup/claim"):
            answer = browser.client.post(path, data=ANSWERS | {"code": code})
            assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        assert browser.get("/login").status_code == 200


def test_a_wrong_code_opens_nothing_and_may_be_tried_a_few_times(app: Flask, machine: Machine) -> None:
    """Then not even the right one is taken from there for a minute."""
    browser = Browser(app)
    for number in range(5):
        answer = browser.enter(f"wrong{number}")
        assert answer.status_code == 401
        assert "not the code of this machine" in words_of(answer)
        assert browser.get("/setup/check").headers["Location"] == "/setup"
    assert browser.enter(machine.code).status_code == 429
    assert "One-time code" in words_of(browser.get("/setup"))
    other = Browser(app)
    other.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert other.enter(machine.code).status_code == 303


def test_a_form_of_another_site_is_not_taken(app: Flask, machine: Machine) -> None:
    """Without the token, also with the right code."""
    stranger = app.test_client()
    answer = stranger.post("/setup", data={"code": machine.code})
    assert (answer.status_code, "One-time code" in words_of(answer)) == (400, True)
    browser = Browser(app).ready(machine.code)
    for path in ("/setup/answers", "/setup/look", "/setup/claim"):
        assert browser.client.post(path, data=ANSWERS).status_code == 400
    assert not machine.places.configuration.exists()


def test_without_the_code_there_is_no_way_round(app: Flask, machine: Machine) -> None:
    """Each step with a token, and none with the code; what a cookie says counts for nothing."""
    browser = Browser(app)
    for path in ("/setup/answers", "/setup/look", "/setup/claim"):
        assert browser.post(path, **ANSWERS).status_code == 303
    with browser.client.session_transaction() as session:
        session["setup"] = "x"
    assert "One-time code" in words_of(browser.get("/setup"))
    assert browser.post("/setup/claim", **ANSWERS).headers["Location"] in ("/setup", "/setup/check")
    assert not machine.places.configuration.exists()
    assert machine.accounts.users() == ()


WRONG = (
    ({"domain": "example"}, "must be a whole name"),
    ({"hostname": "<b>x</b>"}, "must be a whole name"),
    ({"primary": "mx2.example.net"}, "is this server itself"),
    ({"alert": "petra@example.com"}, "an e-mail address alone does not do"),
    ({"name": "pe tra"}, "a name is made of letters"),
    ({"again": "another"}, "not the same both times"),
    ({"password": "short", "again": "short"}, "at least 8 characters"),
    ({"password": "", "again": ""}, "at least 8 characters"),
)


def test_what_cannot_be_right_is_said_beside_it(app: Flask, machine: Machine) -> None:
    """What was typed is still there, but for the password; nothing can be claimed with it."""
    for changed, said in WRONG:
        browser = Browser(app)
        browser.enter(machine.code)
        answer = browser.answer(**changed)
        assert answer.status_code == 422
        assert said in words_of(answer)
        fields = fields_of(answer, "settings-form")
        typed = {key: text for key, text in (ANSWERS | changed).items() if key not in ("password", "again")}
        assert {key: fields[key] for key in typed} == typed
        assert PASSWORD not in answer.text
        assert browser.get("/setup/check").headers["Location"] == "/setup"
        assert browser.post("/setup/claim").headers["Location"] == "/setup"
        kept = {} if said.endswith(("times", "characters")) else {"password": "", "again": ""}
        assert browser.answer(**kept).status_code == 303, "a password that was right need not be typed again"


def test_who_has_the_code_does_not_wait_while_others_guess(app: Flask, machine: Machine) -> None:
    """They are told to wait a moment, and nobody else is."""
    browser = Browser(app).ready(machine.code)
    for _ in range(10):
        machine.ask(BeginSetup("wrong"))
    guess = Browser(app).enter("wrong")
    assert (guess.status_code, guess.headers["Retry-After"]) == (429, "3")
    assert browser.answer().headers["Location"] == "/setup/check"
    assert browser.claim().headers["Location"] == "/setup/done"


def test_what_takes_long_to_look_at_is_waited_for(app: Flask, machine: Threaded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says so, asks again by itself, and lets who will not wait go on at once."""
    seen = threading.Event()

    async def look(settings: Settings) -> tuple[Finding, ...]:
        await asyncio.to_thread(seen.wait)
        return (About("mx", next(iter(settings.domains))).bad("is not there", "Set it.", InDns(("x. IN MX 20 y.",))),)

    monkeypatch.setattr(desk, "LOOK_S", 0.1)
    monkeypatch.setattr(machine, "look", look)
    machine.kill()
    machine.start()
    try:
        browser = Browser(app).ready(machine.code)
        page = browser.get("/setup/check")
        assert "being looked at" in words_of(page)
        assert "Set it up all the same" in words_of(page)
        assert 'hx-get="/setup/check"' in page.text
        assert "HX-Redirect" not in browser.get("/setup/check", **{"HX-Request": "true"}).headers
    finally:
        seen.set()
    monkeypatch.setattr(desk, "LOOK_S", 10)
    assert browser.get("/setup/check", **{"HX-Request": "true"}).headers["HX-Redirect"] == "/setup/check"
    page = browser.get("/setup/check")
    assert "x. IN MX 20 y." in words_of(page)
    assert "hx-get" not in page.text
    assert browser.post("/setup/look", "/setup/check").headers["Location"] == "/setup/check"


def test_of_two_browsers_one_has_it(app: Flask, machine: Machine) -> None:
    """And the other is told that it was somebody else."""
    first, second = Browser(app).ready(machine.code), Browser(create_app(ControlClient(machine.places.socket, 20)))
    second.ready(machine.code)
    token = token_in(second.get("/setup/check"))
    assert first.claim().headers["Location"] == "/setup/done"
    assert machine.ended()[0] == 0
    with serving(machine.places.socket, Canned()):
        answer = second.client.post("/setup/claim", data={"csrf_token": token}, follow_redirects=True)
    assert len(machine.accounts.users()) == 1
    assert answer.request.path in ("/", "/login", "/setup/done")
    assert "set this machine up" in words_of(answer)


def test_a_disk_that_takes_nothing_is_told_of(app: Flask, machine: Machine) -> None:
    """The machine is nobody's still, and who is at it can go on when that is mended."""
    browser = Browser(app).ready(machine.code)
    directory = machine.places.configuration.parent
    directory.write_text("no directory")
    assert browser.claim().headers["Location"] == "/setup/check"
    assert str(directory) in words_of(browser.get("/setup/check"))
    directory.unlink()
    assert browser.claim().headers["Location"] == "/setup/done"


def test_a_machine_that_was_begun_anew_has_another_code(app: Flask, machine: Machine) -> None:
    """Who was in with the old one is out."""
    browser = Browser(app).ready(machine.code)
    token = token_in(browser.get("/setup/check"))
    machine.kill()
    machine.kept.unlink()
    machine.start()
    assert browser.client.post("/setup/claim", data={"csrf_token": token}).status_code == 401
    assert "One-time code" in words_of(browser.get("/setup"))


def test_a_machine_that_is_set_up_is_asked_once(place: Path, compiled: FileSystemBytecodeCache) -> None:
    """For the life of the process; while nobody answers, the page says so."""
    app = create_app(ControlClient(place, 10))
    app.jinja_env.bytecode_cache = compiled
    stranger: FlaskClient = app.test_client()
    assert stranger.get("/").status_code == 302
    assert stranger.get("/setup").status_code == 503
    canned = Canned()
    with serving(place, canned):
        for path in ("/", "/login", "/setup", "/queue", "/setup/check"):
            stranger.get(path)
    assert canned.asked.count(GetSetup()) == 1
