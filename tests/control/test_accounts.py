"""The accounts file: who may sign in, and which tokens open the API."""

import json
import os
import stat
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import argon2
import pyotp
import pytest
from msgspec.structs import replace

from backupmx.control import second
from backupmx.control.accounts import Accounts, Role, Scope
from backupmx.errors import AccountsUnusable
from control.house import NOW


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.json"


def test_a_user_is_found_by_every_reader_at_once(path: Path) -> None:
    """A server that has the file open, so to speak, learns of a change by the next question."""
    server = Accounts(path)
    assert server.find("alice") is None
    assert Accounts(path).set_user("alice", Role.OPERATOR, "correct horse")
    found = server.find("alice")
    assert found is not None
    assert found.role is Role.OPERATOR
    assert argon2.PasswordHasher().verify(found.password_hash, "correct horse")
    assert not Accounts(path).set_user("alice", Role.ADMIN, "battery staple")
    assert [user.role for user in server.users()] == [Role.ADMIN]
    assert Accounts(path).remove_user("alice")
    assert not Accounts(path).remove_user("alice")
    assert server.users() == ()


def test_the_file_is_for_its_owner_alone_and_keeps_no_secret(path: Path) -> None:
    """Neither passwords nor tokens stand in it."""
    accounts = Accounts(path)
    accounts.set_user("alice", Role.ADMIN, "correct horse")
    token = accounts.create_token("grafana", NOW)
    assert token is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "correct horse" not in path.read_text()
    assert token not in path.read_text()
    assert token.startswith("bmx_")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_the_spool_s_owner(tmp_path: Path) -> None:
    """`sudo backupmx user add` leaves files that the server can read, and opens nothing that the server could not."""
    secret = tmp_path / "shadow"
    secret.write_text("of root alone\n")
    with TemporaryDirectory() as place:
        path = Path(place) / "accounts.json"
        os.chown(place, 12345, 12346)
        Accounts(path).set_user("alice", Role.ADMIN, "correct horse")
        assert {(each.stat().st_uid, each.stat().st_gid) for each in Path(place).iterdir()} == {(12345, 12346)}
        path.with_name("accounts.json.lock").unlink()
        path.with_name("accounts.json.lock").symlink_to(secret)
        with pytest.raises(AccountsUnusable):
            Accounts(path).set_user("mallory", Role.ADMIN, "correct horse")
    assert secret.read_text() == "of root alone\n"


def test_a_token_works_until_it_is_revoked(path: Path) -> None:
    """Each by its own name; a name is given once."""
    accounts = Accounts(path)
    first, second = accounts.create_token("one", NOW), accounts.create_token("two", NOW)
    assert first is not None
    assert second is not None
    assert accounts.create_token("one", NOW) is None
    assert [token.name for token in accounts.tokens()] == ["one", "two"]
    found = accounts.check_token(second)
    assert found is not None
    assert found.name == "two"
    assert accounts.revoke_token("two")
    assert accounts.check_token(second) is None
    assert accounts.check_token(first) is not None
    for wrong in ("", "bmx_", first[:-1], "é", "\ud800"):
        assert accounts.check_token(wrong) is None


def test_an_older_file_s_tokens_read(path: Path) -> None:
    """Tokens had no scope once; such a file stays good, and one for reading is still written as it was then."""
    accounts = Accounts(path)
    old, new = accounts.create_token("old", NOW), accounts.create_token("new", NOW, Scope.RECIPIENTS)
    assert old and new
    written = json.loads(path.read_text())["tokens"]
    assert [set(token) for token in written] == [{"name", "created", "sha256"}, {"name", "created", "sha256", "scope"}]
    scopes = [found.scope for token in (old, new) if (found := Accounts(path).check_token(token))]
    assert scopes == [Scope.READ, Scope.RECIPIENTS]


@pytest.mark.parametrize("name", ["", "a b", "\x1b[31m", "../x", "-x", "x" * 65, "a\n", "ünal"])
def test_a_name_is_plain(path: Path, name: str) -> None:
    """I7: names of users and tokens reach logs and pages."""
    with pytest.raises(ValueError, match="a name is made of"):
        Accounts(path).set_user(name, Role.VIEWER, "correct horse")
    with pytest.raises(ValueError, match="a name is made of"):
        Accounts(path).create_token(name, NOW)
    assert not path.exists()


def test_two_who_change_at_once_lose_nothing(path: Path) -> None:
    """Every change is in the file at the end."""
    threads = [threading.Thread(target=lambda n=n: Accounts(path).create_token(f"t{n}", NOW)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(token.name for token in Accounts(path).tokens()) == sorted(f"t{n}" for n in range(12))


@pytest.mark.parametrize("content", ["", "{", '{"users": 3}', "\x00"])
def test_a_spoilt_file_is_told_and_left_as_it_is(path: Path, content: str) -> None:
    """Nobody is locked out silently, and nothing is overwritten."""
    path.write_text(content)
    with pytest.raises(AccountsUnusable, match="is no accounts file"):
        Accounts(path).users()
    with pytest.raises(AccountsUnusable):
        Accounts(path).create_token("x", NOW)
    assert path.read_text() == content


def test_a_directory_that_cannot_be_is_told(tmp_path: Path) -> None:
    """With the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(AccountsUnusable, match=r"Not a directory|File exists"):
        Accounts(tmp_path / "file" / "accounts.json").set_user("alice", Role.VIEWER, "correct horse")


def test_a_file_of_the_first_layout_is_read_and_brought_forward(path: Path) -> None:
    """It knew no second factor; nobody is locked out, and the next change writes today's layout."""
    old = {"version": 1, "users": [{"name": "alice", "role": "admin", "password_hash": "x"}], "tokens": []}
    path.write_text(json.dumps(old))
    accounts = Accounts(path)
    found = accounts.find("alice")
    assert found and found.second is None
    accounts.create_token("x", NOW)
    assert json.loads(path.read_text())["version"] == 2
    assert accounts.find("alice") == found


def test_a_newer_file_is_told_and_left_as_it_is(path: Path) -> None:
    """What this version does not know must not be lost by its next change."""
    path.write_text('{"version": 3, "users": []}')
    for _ in range(2):
        with pytest.raises(AccountsUnusable, match="newer version"):
            Accounts(path).set_user("alice", Role.ADMIN, "correct horse")
    assert path.read_text() == '{"version": 3, "users": []}'


def test_a_new_password_by_the_command_line_keeps_the_second_factor(path: Path) -> None:
    """It protects against who knows the password; who has the file takes it away by name."""
    accounts = Accounts(path)
    accounts.set_user("alice", Role.ADMIN, "correct horse")
    secret = pyotp.random_base32()
    begun = second.begin(secret, pyotp.TOTP(secret).at(NOW), NOW)
    assert begun
    assert accounts.change_user("alice", lambda user: replace(user, second=begun[0])) == ""
    accounts.set_user("alice", Role.VIEWER, "battery staple")
    assert [(user.role, user.second) for user in accounts.users()] == [(Role.VIEWER, begun[0])]
    assert not set(begun[1]) & set(path.read_text().split('"'))
