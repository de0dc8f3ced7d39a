"""What page and command line may ask and do about accounts."""

import json
import threading
from datetime import timedelta

import pyotp
import pytest

from backupmx.control.accounts import LAST_ADMIN, TAKEN, UNKNOWN, Role, Scope
from backupmx.control.answers import Account, AccountsAnswer, Done, Key, Label, Made, Person, Refused
from backupmx.control.passwords import hasher
from backupmx.control.requests import (
    AccountRequest,
    AddUser,
    CheckToken,
    CreateToken,
    DropSecond,
    GetAccount,
    GetAccounts,
    RemoveUser,
    RevokeToken,
    SetPassword,
    SetRole,
    SetSecond,
    SpendCode,
)
from control.house import NOW, House

HASH = hasher().hash("correct horse")
SECRET = pyotp.random_base32()


def code(house: House) -> str:
    return pyotp.TOTP(SECRET).at(house.now)


def with_admin(house: House, name: str = "alice") -> None:
    assert house.client.ask(AddUser(name, Role.ADMIN, HASH, "root")) == Done()


def begin(house: House, name: str = "alice") -> tuple[str, ...]:
    made = house.client.ask(SetSecond(name, SECRET, code(house), name))
    assert isinstance(made, Made)
    return made.secrets


def test_users_come_change_and_go(house: House) -> None:
    """Each change is in the file, and in the log with who made it."""
    with_admin(house)
    ask = house.client.ask
    assert ask(AddUser("bob", Role.VIEWER, HASH, "alice")) == Done()
    assert ask(AddUser("bob", Role.ADMIN, HASH, "alice")) == Refused((TAKEN,))
    assert ask(SetRole("bob", Role.OPERATOR, "alice")) == Done()
    other = hasher().hash("battery staple")
    assert ask(SetPassword("bob", other, "bob")) == Done()
    assert ask(GetAccount("bob")) == Account("bob", "operator", other)
    assert ask(GetAccounts()) == AccountsAnswer((Person("alice", Role.ADMIN, None, 0), Person("bob", Role.OPERATOR, None, 0)), ())
    assert ask(RemoveUser("bob", "alice")) == Done()
    for request in (SetRole("bob", Role.ADMIN, "alice"), SetPassword("bob", HASH, "alice"), RemoveUser("bob", "alice")):
        assert ask(request) == Refused((UNKNOWN,))
    done = [(entry["verb"], entry["by"], entry["account"], entry["what"]) for entry in house.logged if entry["event"] == "admin"]
    assert done == [
        ("add-user", "root", "alice", "admin"),
        ("add-user", "alice", "bob", "viewer"),
        ("set-role", "alice", "bob", "operator"),
        ("set-password", "bob", "bob", ""),
        ("remove-user", "alice", "bob", ""),
    ]


def test_an_admin_is_left(house: House) -> None:
    """The last one can neither be removed nor made less; with a second one, either can."""
    with_admin(house)
    ask = house.client.ask
    last: tuple[AccountRequest, ...] = (
        RemoveUser("alice", "alice"),
        SetRole("alice", Role.VIEWER, "alice"),
        SetRole("alice", Role.OPERATOR, "alice"),
    )
    for request in last:
        assert ask(request) == Refused((LAST_ADMIN,))
    with_admin(house, "bob")
    assert ask(last[1]) == Done()
    assert ask(RemoveUser("bob", "bob")) == Refused((LAST_ADMIN,))


def test_two_admins_who_remove_each_other_at_once_leave_one(house: House) -> None:
    """Changes come one after the other, whoever makes them."""
    with_admin(house)
    with_admin(house, "bob")
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda n=n, by=by: answers.append(house.client.ask(RemoveUser(n, by))))
        for n, by in (("alice", "bob"), ("bob", "alice"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(repr, answers)) == sorted(map(repr, (Done(), Refused((LAST_ADMIN,)))))
    assert len(house.accounts.users()) == 1


def test_what_makes_no_sense_changes_nothing(house: House) -> None:
    """A change by nobody, a name that is none, a password in the place of its hash."""
    with_admin(house)
    before = house.accounts.users()
    for request in (
        AddUser("bob", Role.VIEWER, HASH, ""),
        AddUser("bob", Role.VIEWER, "correct horse", "alice"),
        AddUser("a b", Role.VIEWER, HASH, "alice"),
        AddUser("<script>", Role.VIEWER, HASH, "alice"),
        SetPassword("alice", "", "alice"),
        CreateToken("x\n", Scope.READ, "alice"),
        DropSecond("alice", ""),
    ):
        assert isinstance(house.client.ask(request), Refused)
    assert (house.accounts.users(), house.accounts.tokens()) == (before, ())


def test_a_second_factor_from_the_first_code_to_its_end(house: House) -> None:
    """Proven, asked for, replayed in vain, taken away; its secret is neither answered nor logged."""
    with_admin(house)
    ask = house.client.ask
    assert isinstance(ask(SetSecond("alice", SECRET, "000000", "alice")), Refused)
    assert isinstance(ask(SetSecond("nobody", SECRET, code(house), "alice")), Refused)
    assert ask(GetAccount("alice")) == Account("alice", "admin", HASH, second=False)
    codes = begin(house)
    assert ask(GetAccount("alice")) == Account("alice", "admin", HASH, second=True)
    assert isinstance(ask(SpendCode("alice", code(house))), Refused), "it proved the app"
    house.now = NOW + timedelta(minutes=1)
    assert ask(SpendCode("alice", code(house))) == Done()
    assert isinstance(ask(SpendCode("alice", code(house))), Refused)
    assert ask(SpendCode("alice", codes[0])) == Done()
    assert isinstance(ask(SpendCode("alice", codes[0])), Refused)
    assert isinstance(ask(SpendCode("nobody", codes[1])), Refused)
    assert ask(GetAccounts()) == AccountsAnswer((Person("alice", Role.ADMIN, NOW, 9),), ())
    assert ask(SetPassword("alice", hasher().hash("battery staple"), "bob")) == Done()
    assert house.accounts.users()[0].second, "a new password leaves it on"
    assert ask(DropSecond("alice", "bob")) == Done()
    assert isinstance(ask(SpendCode("alice", codes[1])), Refused)
    refused = [entry["account"] for entry in house.logged if entry["event"] == "second factor refused"]
    assert refused == ["alice", "alice", "alice", "nobody", "alice"]
    told = json.dumps([dict(entry) for entry in house.logged], default=str)
    assert not any(secret in told for secret in (SECRET, code(house), HASH, *codes))


def test_codes_that_were_used_are_remembered_by_the_next_process(house: House) -> None:
    """What counted once is written down: a restart makes no code good again."""
    with_admin(house)
    codes = begin(house)
    house.now = NOW + timedelta(minutes=1)
    assert house.accounts.spend_code("alice", code(house), house.now)
    assert house.accounts.spend_code("alice", codes[0], house.now)
    assert isinstance(house.client.ask(SpendCode("alice", code(house))), Refused)
    assert isinstance(house.client.ask(SpendCode("alice", codes[0])), Refused)


@pytest.mark.parametrize("scope", Scope)
def test_tokens_come_and_go(house: House, scope: Scope) -> None:
    """Told once, known by name, and of no use once they are revoked."""
    made = house.client.ask(CreateToken("grafana", scope, "alice"))
    assert isinstance(made, Made)
    (token,) = made.secrets
    assert house.client.ask(CheckToken(token)) == Key("grafana", scope)
    assert house.client.ask(CreateToken("grafana", scope, "alice")) == Refused((TAKEN,))
    assert house.client.ask(GetAccounts()) == AccountsAnswer((), (Label("grafana", scope, NOW),))
    assert house.client.ask(RevokeToken("grafana", "alice")) == Done()
    assert house.client.ask(RevokeToken("grafana", "alice")) == Refused((UNKNOWN,))
    assert isinstance(house.client.ask(CheckToken(token)), Refused)
    assert token not in repr(house.logged)
    assert [(entry["verb"], entry["what"]) for entry in house.logged if entry["event"] == "admin"] == [
        ("create-token", scope.value),
        ("revoke-token", ""),
    ]
