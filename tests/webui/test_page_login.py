"""Who may read the page."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher, extract_parameters
from canned import HASH, PASSWORD, TOKEN, Canned
from flask import Flask
from flask.testing import FlaskClient
from visitor import token_in, words_of
from werkzeug.test import TestResponse

from backupmx.control.client import ControlClient
from backupmx.control.requests import GetSetup
from webui.guard import OPEN
from webui.passwords import Passwords


def log_in(client: FlaskClient, password: str = PASSWORD, name: str = "petra", **more: str) -> TestResponse:
    form = {"name": name, "password": password, "csrf_token": token_in(client.get("/login")), **more}
    return client.post("/login", data=form)


def test_every_door_is_closed_but_the_named_ones(app: Flask, stranger: FlaskClient, canned: Canned) -> None:
    """A stranger meets a redirect to the login, or 401 with a challenge; a door added later is closed by itself."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN:
            continue
        method = "GET" if "GET" in (rule.methods or ()) else "POST"
        path = re.sub("<[^>]+>", "x", rule.rule)
        answer = stranger.open(path, method=method)
        if "PUT" in (rule.methods or ()):
            assert stranger.put(path).status_code == 401, path
        if path.startswith(("/api/", "/metrics")):
            assert answer.status_code == 401, path
            assert answer.headers["WWW-Authenticate"].startswith("Bearer"), path
            assert answer.json and answer.json["error"], path
        elif method == "POST":
            assert answer.status_code == 400, path
        else:
            assert answer.status_code == 302, path
            assert answer.headers["Location"].startswith("/login"), path
    assert stranger.get("/nothing/here").headers["Location"] == "/login"
    assert stranger.get("/api/v2/none").status_code == 401
    assert canned.asked == [GetSetup()], "whether this machine is set up, once"


def test_a_person_with_a_password_comes_in_and_goes_out(stranger: FlaskClient, canned: Canned) -> None:
    """The way through the door and back."""
    answer = log_in(stranger)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    page = stranger.get("/")
    assert page.status_code == 200
    assert "petra" in words_of(page)
    assert stranger.get("/login").headers["Location"] == "/"
    assert stranger.get("/logout").status_code == 405
    assert stranger.post("/logout").status_code == 400
    left = stranger.post("/logout", data={"csrf_token": token_in(stranger.get("/"))})
    assert left.headers["Location"] == "/login"
    assert stranger.get("/").status_code == 302


@pytest.mark.parametrize(
    ("name", "password"),
    [("petra", "wrong"), ("nobody", PASSWORD), ("petra", ""), ("", PASSWORD), ("petra", "x" * 5000), ("p\0\n", "x")],
)
def test_a_wrong_name_and_a_wrong_password_look_the_same(stranger: FlaskClient, canned: Canned, name: str, password: str) -> None:
    """Nobody learns which names there are."""
    answer = log_in(stranger, password, name)
    assert answer.status_code == 401
    if name and 0 < len(password) < 1024:
        assert "That name and password do not fit together." in words_of(answer)
    assert stranger.get("/").status_code == 302


def test_a_wrong_name_costs_a_hash_of_the_same_price() -> None:
    """The time tells nothing either: an unknown name is checked against a hash like those of the accounts."""
    assert extract_parameters(Passwords()._nobody) == extract_parameters(HASH)


def test_a_login_without_the_forms_token_is_refused(stranger: FlaskClient, canned: Canned) -> None:
    """Another site's form cannot log anybody in."""
    answer = stranger.post("/login", data={"name": "petra", "password": PASSWORD})
    assert answer.status_code == 400
    assert "Please try again" in words_of(answer)
    assert stranger.get("/").status_code == 302


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/%09/evil.example",
        "/\t/evil.example",
        "/message/../../evil",
        "/message/x\r\nSet-Cookie: a=b",
        "/message/x\n",
        "/login",
        "/static/page.js",
        "javascript:alert(1)",
        "evil",
        " /",
    ],
)
def test_a_login_leads_nowhere_else(stranger: FlaskClient, canned: Canned, target: str) -> None:
    """No address of the page sends a person who logs in to another site."""
    stranger.get("/login", query_string={"next": target})
    answer = log_in(stranger, next=target)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert "Set-Cookie: a=b" not in str(answer.headers)


def test_a_login_leads_to_where_one_wanted_to_go(stranger: FlaskClient, canned: Canned) -> None:
    """A link to a message survives the login."""
    asked = stranger.get("/message/01JD0000000000000000000000")
    assert asked.headers["Location"] == "/login?next=/message/01JD0000000000000000000000"
    form = stranger.get(asked.headers["Location"])
    answer = stranger.post(
        "/login",
        data={
            "name": "petra",
            "password": PASSWORD,
            "csrf_token": token_in(form),
            "next": "/message/01JD0000000000000000000000",
        },
    )
    assert 'value="/message/01JD0000000000000000000000"' in form.text
    assert answer.headers["Location"] == "/message/01JD0000000000000000000000"


def test_guessing_is_slowed_for_each_address(app: Flask, canned: Canned) -> None:
    """After five failures in a minute an address must wait, also with the right password; others need not."""
    guesser, friend = app.test_client(), app.test_client()
    guesser.environ_base["REMOTE_ADDR"] = "2001:db8::1"
    friend.environ_base["REMOTE_ADDR"] = "198.51.100.2"
    for _ in range(5):
        assert log_in(guesser, "wrong").status_code == 401
    assert log_in(friend).status_code == 302
    answer = log_in(guesser)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    assert "Too many attempts" in words_of(answer)
    guesser.environ_base["REMOTE_ADDR"] = "2001:db8::beef"
    assert log_in(guesser).status_code == 429, "a neighbour in the same /64"
    guesser.environ_base["REMOTE_ADDR"] = "2001:db8:0:1::1"
    assert log_in(guesser).status_code == 302


def test_what_a_proxy_header_says_does_not_help_to_guess(stranger: FlaskClient, canned: Canned) -> None:
    """A forged X-Forwarded-For is no new address."""
    for number in range(6):
        answer = stranger.post(
            "/login",
            data={"name": "petra", "password": "wrong", "csrf_token": token_in(stranger.get("/login"))},
            headers={"X-Forwarded-For": f"192.0.2.{number}"},
        )
    assert answer.status_code == 429


def test_right_logins_are_not_counted(app: Flask, canned: Canned) -> None:
    """A team behind one address can log in."""
    for _ in range(8):
        assert log_in(app.test_client()).status_code == 302


def test_the_cookie_is_for_this_site_and_for_http_alone(app: Flask, canned: Canned) -> None:
    """Scripts and other sites never see it; by TLS it is for TLS alone."""
    cookie = log_in(app.test_client()).headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie and "Domain" not in cookie
    client = app.test_client()
    form = client.get("/login", base_url="https://mx2.example.net")
    assert "Secure" in form.headers["Set-Cookie"]
    answer = client.post(
        "/login",
        base_url="https://mx2.example.net",
        data={"name": "petra", "password": PASSWORD, "csrf_token": token_in(form)},
        headers={"Referer": "https://mx2.example.net/login"},
    )
    assert answer.status_code == 302
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_session_ends_with_the_password_and_with_the_account(reader: FlaskClient, canned: Canned) -> None:
    """Whoever is taken off the list is out at the next click, not at the end of the session."""
    assert reader.get("/").status_code == 200
    canned.accounts["petra"] = PasswordHasher(time_cost=1, memory_cost=1024).hash("new")
    assert reader.get("/").status_code == 302
    canned.accounts["petra"] = HASH
    assert reader.get("/").status_code == 302, "it is over, not asleep"
    assert log_in(reader).status_code == 302
    assert reader.get("/").status_code == 200
    canned.accounts.clear()
    assert reader.get("/").status_code == 302


def test_a_session_is_good_in_the_browser_that_made_it(reader: FlaskClient, canned: Canned) -> None:
    """A stolen cookie is of no use elsewhere."""
    reader.environ_base["REMOTE_ADDR"] = "192.0.2.99"
    assert reader.get("/").status_code == 302


def test_a_session_ends_with_the_process(app: Flask, reader: FlaskClient, canned: Canned, place: Path) -> None:
    """The key is made at the start and kept nowhere."""
    from webui.app import create_app

    other = create_app(ControlClient(place)).test_client()
    cookie = reader.get_cookie("backupmx")
    assert cookie
    other.set_cookie("backupmx", cookie.value)
    assert other.get("/").status_code == 302
    assert app.permanent_session_lifetime == timedelta(days=7)


def test_an_account_whose_hash_is_broken_lets_nobody_in(stranger: FlaskClient, canned: Canned) -> None:
    """A damaged hash is a wrong password, not an error."""
    canned.accounts["petra"] = "not a hash"
    assert log_in(stranger).status_code == 401


def test_the_first_run_is_told_how_to_make_an_account(stranger: FlaskClient) -> None:
    """The login page says the command, also while nothing runs."""
    page = stranger.get("/login")
    assert page.status_code == 200
    assert "backupmx user add NAME --role admin" in words_of(page)


def test_a_login_while_the_server_is_away_says_so(stranger: FlaskClient) -> None:
    """503, and no word about the socket to a stranger."""
    answer = log_in(stranger)
    assert answer.status_code == 503
    assert "Backup MX is not running or cannot be asked" in words_of(answer)
    assert "control.sock" not in answer.text


def test_a_token_opens_what_programs_read_and_nothing_else(stranger: FlaskClient, canned: Canned) -> None:
    """Bearer tokens are for the API and the metrics."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for path in ("/api/v1/status", "/api/v1/queue", "/metrics"):
        assert stranger.get(path, headers=bearer).status_code == 200, path
        assert stranger.get(path, headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200, path
    assert stranger.get("/", headers=bearer).status_code == 302
    assert stranger.post("/logout", headers=bearer).status_code == 400


@pytest.mark.parametrize(
    "value", ["Bearer wrong", "Bearer", "Bearer ", "Basic cGV0cmE6eA==", "nonsense", f"Token {TOKEN}", "Bearer a=b"]
)
def test_a_wrong_token_is_refused_also_beside_a_session(reader: FlaskClient, stranger: FlaskClient, value: str) -> None:
    """What is wrong with a token is not hidden by a cookie."""
    for client in (stranger, reader):
        answer = client.get("/api/v1/status", headers={"Authorization": value})
        if client is stranger or answer.status_code != 200:
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert reader.get("/api/v1/status", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_a_page_left_open_after_the_session_goes_to_the_login(stranger: FlaskClient) -> None:
    """The refresh of a page without a session leads the browser to the login, not the login into the page."""
    answer = stranger.get("/", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login?next=/"
    assert answer.data == b""
