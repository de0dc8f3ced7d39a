"""A domain's recipients over HTTP, on a real server."""

import http.client
from pathlib import Path

import pytest
from browser import web
from canned import PASSWORD
from flask.testing import FlaskClient
from real import NOW
from visitor import token_in
from werkzeug.test import TestResponse

from backupmx.control.accounts import Accounts, Role, Scope
from backupmx.control.client import ControlClient
from backupmx.control.requests import ListRecipients
from webui.recipients import LIST_LIMIT

DOOR = "/api/v1/domains/example.com/recipients"


def bearer(house: Path, scope: Scope) -> dict[str, str]:
    token = Accounts(house / "accounts.json").create_token(scope.value, NOW, scope)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def writer(house: Path) -> dict[str, str]:
    """What the primary's cron job sends."""
    return bearer(house, Scope.RECIPIENTS)


def listed(house: Path) -> list[str]:
    rows = ControlClient(house / "c.sock", 20).recipients(ListRecipients("example.com"))
    return [row.local for row in rows if row.listed]


def put(
    client: FlaskClient, headers: dict[str, str], data: str | bytes, door: str = DOOR, kind: str | None = None
) -> TestResponse:
    return client.put(door, data=data, headers=headers, content_type=kind)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text/plain", "Ann@example.com\n*@example.com\n# nobody else\n"),
        ("text/plain", "ann\n@example.com\n"),
        ("text/csv", "Name,PrimarySmtpAddress\nAnn,Ann@example.com\nEverybody,*@example.com\n"),
        (None, "ann@example.com OK\r\n@example.com OK\r\n"),
        ("application/x-www-form-urlencoded", "ann@example.com\n*@example.com"),
        ("text/csv", "ann@example.com\r\n*@example.com\r\n".encode("utf-16")),
    ],
)
def test_a_list_in_any_form_counts_at_once(
    house: Path, visitor: FlaskClient, writer: dict[str, str], kind: str | None, data: str | bytes
) -> None:
    """`curl -T list`, with the type that curl gives, or with none."""
    answer = put(visitor, writer, data, kind=kind)
    assert (answer.status_code, answer.json) == (200, {"entries": 2, "waiting": False, "lost": 0, "problems": []})
    assert listed(house) == ["*", "ann"]


def test_a_list_that_lacks_much_waits(house: Path, visitor: FlaskClient, writer: dict[str, str]) -> None:
    """202, with what is lost and what to do; today's list stays. One that lacks little counts."""
    names = [f"user{number}" for number in range(20)]
    assert put(visitor, writer, "\n".join(names)).status_code == 200
    answer = put(visitor, writer, "user1\nnew\n")
    assert answer.status_code == 202
    assert answer.json == {
        "entries": 2,
        "waiting": True,
        "lost": 19,
        "problems": [
            "example.com: this list lacks 19 of the 20 addresses of today's list, more than a tenth: it waits, and today's "
            "list counts. If it is right: backupmx recipients approve example.com"
        ],
    }
    assert listed(house) == sorted(names)
    answer = put(visitor, writer, "\n".join(names[:-1]))
    assert (answer.status_code, answer.json) == (200, {"entries": 19, "waiting": False, "lost": 1, "problems": []})
    assert listed(house) == sorted(names[:-1])


@pytest.mark.parametrize(
    "data", ["", "# nobody\n", "a b@@\nx y@@\nann@example.com", "ann@other.example\n", b"\xff\xfe\x00", b"\x00" * 999]
)
def test_a_broken_list_changes_nothing(house: Path, visitor: FlaskClient, writer: dict[str, str], data: str | bytes) -> None:
    """400 with the reason: nobody of this domain, or more faults than addresses (I10)."""
    put(visitor, writer, "ann\nbob\n")
    answer = put(visitor, writer, data)
    assert answer.status_code == 400
    assert answer.json and answer.json["error"]
    assert listed(house) == ["ann", "bob"]
    again = put(visitor, writer, "ann\nbob\ncarol\n")
    assert again.json and again.json["lost"] == 0


def test_faults_and_others_addresses_are_told(house: Path, visitor: FlaskClient, writer: dict[str, str]) -> None:
    """What can be read counts; a list of all the primary's domains is no broken one."""
    others = "".join(f"user{number}@other.example\n" for number in range(30))
    answer = put(visitor, writer, f"ann@example.com\nx y@@\n{others}")
    assert answer.status_code == 200
    assert answer.json and answer.json["entries"] == 1
    first, last = answer.json["problems"]
    assert first.startswith("line 2: ")
    assert last == "left out: 30 addresses of other domains"
    assert listed(house) == ["ann"]


@pytest.mark.parametrize("domain", ["other.example", "example.com.evil.example", "..", "%00", "a b"])
def test_a_domain_that_is_not_ours_is_not_found(house: Path, visitor: FlaskClient, writer: dict[str, str], domain: str) -> None:
    """404, to be read and to be changed; a domain's name has one meaning in either case and form."""
    reader = bearer(house, Scope.READ)
    door = f"/api/v1/domains/{domain}/recipients"
    assert put(visitor, writer, "ann\n", door).status_code == 404
    assert visitor.get(door, headers=reader).status_code == 404
    assert put(visitor, writer, "ann\n", "/api/v1/domains/EXAMPLE.com./recipients").status_code == 200


def test_only_a_token_for_it_changes_a_list(house: Path, visitor: FlaskClient, writer: dict[str, str]) -> None:
    """401 without one, with a wrong one, and with a login, which other sites could use; 403 with one that reads."""
    for headers in ({}, {"Authorization": "Bearer bmx_wrong"}, {"Authorization": "Basic cGV0cmE6eA=="}):
        answer = put(visitor, headers, "ann\n")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    answer = put(visitor, bearer(house, Scope.READ), "ann\n")
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    Accounts(house / "accounts.json").set_user("petra", Role.ADMIN, PASSWORD)
    form = {"name": "petra", "password": PASSWORD, "csrf_token": token_in(visitor.get("/login"))}
    assert visitor.post("/login", data=form).status_code == 302
    assert visitor.get(DOOR).status_code == 200
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert put(visitor, {}, "ann\n", kind=kind).status_code == 401
    assert listed(house) == []


def test_a_token_for_lists_opens_nothing_else(visitor: FlaskClient, writer: dict[str, str]) -> None:
    """Whoever steals it from the primary's cron job reads nobody's mail, and no list."""
    for path in (DOOR, "/api/v1/status", "/api/v1/queue", "/metrics", "/api/v1/none"):
        assert visitor.get(path, headers=writer).status_code == 403, path
    assert visitor.get("/", headers=writer).status_code == 302
    for method in ("POST", "DELETE", "PATCH", "OPTIONS"):
        assert visitor.open(DOOR, method=method, headers=writer).status_code == 403, method
    assert visitor.put("/api/v1/status", headers=writer).status_code == 403


def test_a_list_has_a_bound(house: Path, visitor: FlaskClient, writer: dict[str, str]) -> None:
    """I4: 413 by its length, before any of it is read."""
    answer = visitor.put(DOOR, headers=writer, data=b"ann\n", environ_overrides={"CONTENT_LENGTH": str(LIST_LIMIT + 1)})
    assert answer.status_code == 413
    large = "".join(f"a.rather.long.name.{number}@example.com\n" for number in range(5000))
    answer = put(visitor, writer, large)
    assert answer.json and answer.json["entries"] == 5000, "other doors take 16 KiB"


def test_recipients_are_read_page_by_page(house: Path, visitor: FlaskClient, writer: dict[str, str]) -> None:
    """An array in order; the last address of a page leads to the next."""
    put(visitor, writer, "*@example.com\nann\nbob\ncarol\n")
    reader = bearer(house, Scope.READ)
    first = visitor.get(f"{DOOR}?limit=3", headers=reader).json
    assert first == [
        {"address": f"{local}@example.com", "word": None, "said": "", "since_s": None, "listed": True}
        for local in ("*", "ann", "bob")
    ]
    rest = visitor.get(DOOR, query_string={"after": first[-1]["address"]}, headers=reader).json
    assert [entry["address"] for entry in rest] == ["carol@example.com"]
    assert visitor.get(DOOR, query_string={"after": "carol@example.com"}, headers=reader).json == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "after=ann", "after=ann@other.example", "aftr=x", "after=a@"]
)
def test_a_question_that_makes_no_sense_is_refused(house: Path, visitor: FlaskClient, query: str) -> None:
    """400 with what is wrong."""
    answer = visitor.get(f"{DOOR}?{query}", headers=bearer(house, Scope.READ))
    assert answer.status_code == 400
    assert answer.json and answer.json["error"]


@pytest.mark.slow
def test_a_list_comes_over_a_real_connection(house: Path, writer: dict[str, str]) -> None:
    """In chunks of unknown number, as `curl -T -` sends it; one without end is cut off, and the page lives on."""
    with web(house / "c.sock") as (address, _):
        place = address.removeprefix("http://")
        line = http.client.HTTPConnection(place, timeout=30)
        parts = (f"user{number}@example.com\n".encode() for number in range(3000))
        line.request("PUT", DOOR, parts, writer, encode_chunked=True)
        answer = line.getresponse()
        assert (answer.status, b'"entries":3000' in answer.read()) == (200, True)
        line.close()
        endless = http.client.HTTPConnection(place, timeout=30)
        try:
            endless.request("PUT", DOOR, (b"x" * 2**20 for _ in range(40)), writer, encode_chunked=True)
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            assert endless.getresponse().status == 413
        endless.close()
        line.request("GET", "/healthz")
        assert line.getresponse().status == 200
        line.close()
    assert len(listed(house)) == 3000
