"""`backupmx user …` and `backupmx token …`: they work on the file, and a running server sees it."""

import json

import argon2
import pyotp
import pytest
from control.house import House

from backupmx.control.accounts import Scope
from backupmx.control.answers import Key, Made, Refused
from backupmx.control.requests import CheckToken, SetSecond, SpendCode
from cli.conftest import Run


def test_a_user_is_added_changed_listed_and_removed(house: House, run: Run) -> None:
    """The least role unless more is given."""
    assert run("user", "add", "alice", "--password-stdin", typed="correct horse\n").exit_code == 0
    assert json.loads(run("user", "list", "--json").stdout) == {"name": "alice", "role": "viewer", "second_factor": False}
    changed = run("user", "add", "alice", "--role", "admin", "--password-stdin", typed="battery staple")
    assert changed.stderr == "backupmx: user alice: changed, admin\n"
    assert run("user", "list").stdout.split() == ["NAME", "ROLE", "SECOND", "FACTOR", "alice", "admin", "no"]
    found = house.accounts.find("alice")
    assert found is not None
    assert argon2.PasswordHasher().verify(found.password_hash, "battery staple")
    assert run("user", "remove", "alice").exit_code == 0
    assert run("user", "remove", "alice").exit_code == 1
    assert run("user", "list").stdout == ""


def test_a_password_is_asked_for_twice_and_not_shown(house: House, run: Run) -> None:
    """On the terminal."""
    done = run("user", "add", "alice", typed="correct horse\ncorrect horse\n")
    assert done.exit_code == 0
    assert "correct horse" not in done.output
    assert house.accounts.find("alice") is not None


@pytest.mark.parametrize("typed", ["", "\n", "short\n"])
def test_a_password_that_protects_nothing_is_refused(house: House, run: Run, typed: str) -> None:
    """Exit 1, and there is no such user."""
    assert run("user", "add", "alice", "--password-stdin", typed=typed).exit_code == 1
    assert house.accounts.users() == ()


def test_a_name_that_is_none_is_a_usage_error(house: House, run: Run) -> None:
    """I7: names reach logs and pages."""
    assert run("user", "add", "a\x1b[31m", "--password-stdin", typed="correct horse\n").exit_code == 2
    assert run("token", "create", "a b").exit_code == 2


def test_a_token_is_printed_once_and_alone(house: House, run: Run) -> None:
    """`TOKEN=$(backupmx token create grafana)` works at once, until it is revoked."""
    made = run("token", "create", "grafana")
    assert made.exit_code == 0
    (token,) = made.stdout.splitlines()
    assert house.client.ask(CheckToken(token)) == Key("grafana", Scope.READ)
    assert run("token", "create", "grafana").exit_code == 1
    listed = run("token", "list", "--json").stdout
    assert json.loads(listed)["name"] == "grafana"
    assert token not in listed + run("token", "list").stdout
    assert run("token", "revoke", "grafana").exit_code == 0
    assert run("token", "revoke", "grafana").exit_code == 1
    assert isinstance(house.client.ask(CheckToken(token)), Refused)


def test_a_token_is_for_reading_unless_more_is_said(house: House, run: Run) -> None:
    """The list shows what each of them opens."""
    run("token", "create", "grafana")
    (token,) = run("token", "create", "cron", "--scope", "recipients").stdout.splitlines()
    assert house.client.ask(CheckToken(token)) == Key("cron", Scope.RECIPIENTS)
    listed = [json.loads(line) for line in run("token", "list", "--json").stdout.splitlines()]
    assert [(entry["name"], entry["scope"]) for entry in listed] == [("grafana", "read"), ("cron", "recipients")]
    assert run("token", "list").stdout.split()[-1] == "recipients"
    assert run("token", "create", "other", "--scope", "everything").exit_code == 2
    (token,) = run("token", "create", "steers", "--scope", "act").stdout.splitlines()
    assert house.client.ask(CheckToken(token)) == Key("steers", Scope.ACT)


def test_a_spoilt_accounts_file_is_one_clear_line(house: House, run: Run) -> None:
    """Exit 1, nothing overwritten."""
    (house.path / "spool" / "accounts.json").write_text("{")
    done = run("user", "list")
    assert done.exit_code == 1
    assert "is no accounts file" in done.stderr


def test_who_lost_the_phone_is_let_in_again(house: House, run: Run) -> None:
    """The list shows who has a second factor; `totp-off` takes it away, with or without a server."""
    run("user", "add", "alice", "--role", "admin", "--password-stdin", typed="correct horse\n")
    secret = pyotp.random_base32()
    made = house.client.ask(SetSecond("alice", secret, pyotp.TOTP(secret).at(house.now), "alice"))
    assert isinstance(made, Made)
    listed = run("user", "list", "--json").stdout
    assert json.loads(listed)["second_factor"] is True
    assert run("user", "list").stdout.split()[-1] == "yes"
    assert not any(text in listed for text in (secret, *made.secrets))
    assert run("user", "totp-off", "alice").exit_code == 0
    assert run("user", "list").stdout.split()[-1] == "no"
    assert isinstance(house.client.ask(SpendCode("alice", made.secrets[0])), Refused)
    assert run("user", "totp-off", "nobody").exit_code == 1


def test_the_last_admin_may_be_removed_by_who_has_the_file(house: House, run: Run) -> None:
    """On the page nobody could come in any more; here the next one is a command away."""
    run("user", "add", "alice", "--role", "admin", "--password-stdin", typed="correct horse\n")
    assert run("user", "remove", "alice").exit_code == 0
