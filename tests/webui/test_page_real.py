"""The page on a real control server with a real spool behind it."""

from pathlib import Path

from canned import PASSWORD
from flask.testing import FlaskClient
from real import CONTENT, ID, NOW, Running
from visitor import fields_of, token_in, words_of

from backupmx.control.accounts import Accounts, Role
from backupmx.control.client import ControlClient
from webui.app import create_app


def test_what_came_in_is_on_the_page(house: Path, visitor: FlaskClient) -> None:
    """I8: from the spool to the page with a user's password, and with a token to the API, the same figures."""
    accounts = Accounts(house / "accounts.json")
    accounts.set_user("petra", Role.VIEWER, PASSWORD)
    token = accounts.create_token("nagios", NOW)
    form = {"name": "petra", "password": PASSWORD, "csrf_token": token_in(visitor.get("/login"))}
    assert visitor.post("/login", data=form).status_code == 302
    words = words_of(visitor.get("/"))
    assert "The primary of example.com has been down for 1 h; 1 message (21 B) is safe; the oldest has 4 d 22 h left." in words
    assert f"user@example.com from anna@sender.example x {ID} 21 B 2 h" in words
    assert "4.3.0 come back later" in words
    assert "goes as soon as the primary is back; kept until 28 Nov, 12:35 UTC" in words_of(visitor.get(f"/message/{ID}"))
    program = create_app(ControlClient(house / "c.sock", 20)).test_client()
    bearer = {"Authorization": f"Bearer {token}"}
    status = program.get("/api/v1/status", headers=bearer).json
    assert status and status["queue"]["messages"] == 1
    listed = program.get("/api/v1/queue?state=waiting", headers=bearer).json
    assert listed and listed[0]["queue_id"] == ID and listed[0]["attempts"] == 1
    assert program.get("/api/v1/queue?state=held", headers=bearer).json == []
    assert 'backupmx_queue_messages{domain="example.com",state="waiting"} 1.0' in program.get("/metrics", headers=bearer).text
    assert program.get("/healthz").status_code == 200
    accounts.remove_user("petra")
    assert visitor.get("/").status_code == 302


def test_a_message_is_found_steered_and_followed_to_its_end(house: Path, running: Running, visitor: FlaskClient) -> None:
    """Filter, preview, hold, release, look inside, delivery, track, report: each figure from the spool (I8)."""
    log_in(visitor, house)
    assert ID in visitor.get("/queue?domain=example.com&subject=X&older=1h&state=waiting").text
    assert "No message matches" in words_of(visitor.get("/queue?subject=y"))
    held = press(visitor, "hold", everything="yes", domain="example.com")
    assert "Held: 1 message." in held
    assert "held petra holds it: a reason; stays until it is released" in held
    assert "Held 1" in words_of(visitor.get("/"))
    page = visitor.get(f"/message/{ID}")
    assert "Header (1 line)" in words_of(page) and "petra held it. a reason" in words_of(page)
    assert visitor.post(f"/message/{ID}/content", data=fields_of(page, "raw")).data == CONTENT
    assert "Released: 1 message." in press(visitor, "release", id=ID)
    running.come_back()
    assert "All is well: every primary is up, and nothing waits." in words_of(visitor.get("/"))
    assert "delivered user@example.com delivered 14:35 UTC 250 2.0.0 Ok: queued as 4cJt1" in words_of(
        visitor.get("/track?recipient=user@")
    )
    gone = words_of(visitor.get(f"/message/{ID}"))
    assert "It was delivered, and is no longer here." in gone
    assert "Put off for user@example.com. 451 4.3.0 come back later" in gone and "petra released it. a reason" in gone
    assert "1 accepted = 1 delivered + 0 returned + 0 removed + 0 waiting" in words_of(visitor.get("/"))
    assert "1 message kept, 0 lost" in words_of(visitor.get("/report?month=2026-11"))


def press(visitor: FlaskClient, verb: str, **form: str) -> str:
    """Choose, look at the preview, confirm with a reason; gives the page that follows."""
    token = token_in(visitor.get("/queue"))
    preview = visitor.post("/queue/preview", data={"csrf_token": token, "verb": verb, **form})
    assert "1 message." in words_of(preview)
    sure = fields_of(preview, "confirm")
    sure["why"] = "a reason"
    done = visitor.post("/queue/act", data=sure)
    return words_of(visitor.get(done.headers["Location"]))


def log_in(visitor: FlaskClient, house: Path) -> None:
    Accounts(house / "accounts.json").set_user("petra", Role.ADMIN, PASSWORD)
    form = {"name": "petra", "password": PASSWORD, "csrf_token": token_in(visitor.get("/login"))}
    assert visitor.post("/login", data=form).status_code == 302
