"""Users and tokens on the settings, for admins."""

import re

import pytest
from canned import PASSWORD
from guest import Home
from structlog.testing import capture_logs
from visitor import Elements

from backupmx.control.accounts import Role, Scope

NEW = "a new and longer password"


def test_a_user_is_added_changed_and_removed(home: Home) -> None:
    """Each with a line in the log that says who did it."""
    admin = home.guest("petra")
    with capture_logs() as logged:
        assert "gustav is added." in admin.sent("/settings/users/add", name=" gustav ", role="viewer", password=PASSWORD)
        guest = home.guest("gustav")
        assert "gustav is operator from now on." in admin.sent("/settings/users/role", name="gustav", role="operator")
        assert "Try now" in guest.words("/queue"), "at once"
        assert "gustav has a new password." in admin.sent("/settings/users/password", name="gustav", password=NEW)
        assert not guest.inside
        assert guest.log_in("gustav", NEW).status_code == 302
        assert "1 session has ended." in admin.sent("/settings/users/sessions", name="gustav")
        assert not guest.inside
        assert guest.log_in("gustav", NEW).status_code == 302
        assert "gustav is removed." in admin.sent("/settings/users/remove", name="gustav")
        assert not guest.inside
    assert guest.log_in("gustav", NEW).status_code == 401
    assert [(entry["verb"], entry["by"], entry["account"], entry["what"]) for entry in logged] == [
        ("add-user", "petra", "gustav", "viewer"),
        ("set-role", "petra", "gustav", "operator"),
        ("set-password", "petra", "gustav", ""),
        ("remove-user", "petra", "gustav", ""),
    ]
    assert not any(word in str(logged) for word in (PASSWORD, NEW, "argon2"))


def test_the_last_admin_stays_one(home: Home) -> None:
    """Neither removed nor made less, by whichever admin."""
    admin = home.guest("petra")
    for path in ("/settings/users/remove", "/settings/users/role"):
        assert "The last admin must stay one" in admin.sent(path, name="petra", role="viewer")
    admin.send("/settings/users/role", name="otto", role="admin")
    assert admin.send("/settings/users/role", name="petra", role="viewer").status_code == 303
    assert admin.client.get("/settings/users").status_code == 403, "who gives it away has it no more"
    assert [user.name for user in home.accounts.users() if user.role is Role.ADMIN] == ["otto"]


def test_who_lost_the_phone_is_helped_by_an_admin(home: Home) -> None:
    """The list shows who has a second factor; afterwards the password is enough."""
    home.with_second(home.guest("vera"))
    admin = home.guest("petra")
    assert "vera viewer second factor since" in admin.words("/settings/users")
    assert "vera is asked for no code any more." in admin.sent("/settings/users/second", name="vera")
    assert home.stranger().log_in("vera").headers["Location"] == "/"


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "a b",
        "\u202eartep",
        "a\x00b",
        "{{7*7}}",
        "x" * 65,
        "",
        "ünal",
    ],
)
def test_a_hostile_name_is_refused_and_stays_text(home: Home, name: str) -> None:
    """I7: for a user and for a token, in whichever form."""
    admin = home.guest("petra")
    plain = {tag for tag, _ in Elements(admin.client.get("/settings/users").text).found}
    before = home.accounts.users()
    for path, form in (
        ("/settings/users/add", {"role": "admin", "password": PASSWORD}),
        ("/settings/users/role", {"role": "admin"}),
        ("/settings/users/password", {"password": PASSWORD}),
        ("/settings/users/remove", {}),
        ("/settings/users/sessions", {}),
        ("/settings/tokens/create", {"scope": "act"}),
        ("/settings/tokens/revoke", {}),
    ):
        answer = admin.send(path, name=name, **form)
        page = admin.client.get(answer.headers["Location"])
        found = Elements(page.text)
        assert {tag for tag, _ in found.found} <= plain | {"p", "bdi", "dl"}, path
        assert not any(attribute.startswith("on") for _, attributes in found.found for attribute in attributes)
        assert not set(page.text) & set("\u202e\x00")
    assert (home.accounts.users(), home.accounts.tokens()) == (before, ())


def test_a_name_that_is_taken_and_a_role_that_is_none_are_refused(home: Home) -> None:
    """Nobody is changed by the form that adds."""
    admin, before = home.guest("petra"), home.accounts.users()
    assert "There is one of this name already." in admin.sent("/settings/users/add", name="vera", role="admin", password=PASSWORD)
    assert "at least 8 characters" in admin.sent("/settings/users/add", name="gustav", role="viewer", password="short")
    assert "at least 8 characters" in admin.sent("/settings/users/password", name="vera", password="short")
    for path in ("/settings/users/add", "/settings/users/role"):
        assert admin.send(path, name="vera", role="emperor", password=PASSWORD).status_code == 400
    assert "There is none of this name any more." in admin.sent("/settings/users/role", name="nobody", role="admin")
    assert home.accounts.users() == before


@pytest.mark.parametrize("scope", Scope)
def test_a_token_is_made_shown_once_and_revoked(home: Home, scope: Scope) -> None:
    """It opens what it is for, until it is revoked; no page has it a second time."""
    admin = home.guest("petra")
    with capture_logs() as logged:
        admin.send("/settings/tokens/create", name="grafana", scope=scope.value)
        page = admin.client.get("/settings/tokens").text
        found = re.search(r"bmx_[A-Za-z0-9_-]{43}", page)
        assert found
        assert found[0] not in admin.client.get("/settings/tokens").text
        assert "There is one of this name already." in admin.sent("/settings/tokens/create", name="grafana", scope="read")
        program, bearer = home.app.test_client(), {"Authorization": f"Bearer {found[0]}"}
        reads = 403 if scope is Scope.RECIPIENTS else 200
        assert program.get("/api/v1/status", headers=bearer).status_code == reads
        acts = program.post("/api/v1/queue", headers=bearer, json={"verb": "hold", "filter": {}})
        assert acts.status_code == (200 if scope is Scope.ACT else 403)
        assert program.get("/settings", headers=bearer).status_code == 302
        assert "grafana opens nothing any more." in admin.sent("/settings/tokens/revoke", name="grafana")
    assert program.get("/api/v1/status", headers=bearer).status_code == 401
    assert found[0] not in str(logged)
    named = [(entry["verb"], entry["by"]) for entry in logged if "account" in entry]
    assert named == [("create-token", "petra"), ("revoke-token", "petra")]
    assert admin.send("/settings/tokens/create", name="x", scope="everything").status_code == 400
