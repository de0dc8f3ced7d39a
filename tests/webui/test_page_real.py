"""The page on a real control server with a real spool behind it."""

from pathlib import Path

from canned import PASSWORD
from flask.testing import FlaskClient
from real import ID, NOW
from visitor import token_in, words_of

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
    assert f"user@example.com from anna@sender.example {ID} 21 B 2 h" in words
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
