"""One's own account on the settings: password and sessions; and who may send which form at all."""

from datetime import timedelta

import pytest
from canned import PASSWORD
from guest import PEOPLE, Guest, Home
from structlog.testing import capture_logs
from visitor import Elements, words_of

from backupmx.control.accounts import Role
from webui.guard import LEAST, RANK
from webui.sessions import IDLE

NEW = "a new and longer password"
FORMS = {
    "/settings/password": Role.VIEWER,
    "/settings/second": Role.VIEWER,
    "/settings/second/off": Role.VIEWER,
    "/settings/sessions/end": Role.VIEWER,
    "/settings/sessions/others": Role.VIEWER,
    "/settings/alerts/test": Role.OPERATOR,
    "/settings/alerts/mute": Role.OPERATOR,
    "/settings/users/add": Role.ADMIN,
    "/settings/users/role": Role.ADMIN,
    "/settings/users/password": Role.ADMIN,
    "/settings/users/second": Role.ADMIN,
    "/settings/users/sessions": Role.ADMIN,
    "/settings/users/remove": Role.ADMIN,
    "/settings/tokens/create": Role.ADMIN,
    "/settings/tokens/revoke": Role.ADMIN,
    "/settings/backup/download": Role.ADMIN,
    "/settings/backup/look": Role.ADMIN,
    "/settings/backup/restore": Role.ADMIN,
}
PAGES = {
    "/settings": Role.VIEWER,
    "/settings/second": Role.VIEWER,
    "/settings/recovery": Role.VIEWER,
    "/settings/alerts": Role.VIEWER,
    "/settings/users": Role.ADMIN,
    "/settings/tokens": Role.ADMIN,
    "/settings/backup": Role.ADMIN,
}


def test_each_role_may_send_what_it_may(home: Home) -> None:
    """Every form and page by every role: let in, or told that it is not for them, and nothing changes then."""
    rules = {rule.rule for rule in home.app.url_map.iter_rules() if rule.rule.startswith("/settings")}
    assert rules == set(FORMS) | set(PAGES), "a form that is added is added here"
    for name, role in PEOPLE.items():
        guest = home.guest(name)
        for path, least in PAGES.items():
            let_in = RANK.index(role) >= RANK.index(least)
            assert (guest.client.get(path).status_code == 403) is not let_in, (name, path)
        before = home.accounts.users(), home.accounts.tokens()
        for path, least in FORMS.items():
            if RANK.index(role) < RANK.index(least):
                form = {"name": name, "role": "admin", "password": NEW, "scope": "act", "until": "1h"}
                assert guest.send(path, **form).status_code == 403, (name, path)
        assert (home.accounts.users(), home.accounts.tokens()) == before


def test_every_form_has_its_line_in_the_table(home: Home) -> None:
    """Who may do what stands in one place; what is forgotten there is for admins, and is told here."""
    for rule in home.app.url_map.iter_rules():
        if "POST" in (rule.methods or ()) and rule.endpoint.startswith("pages."):
            assert rule.endpoint in LEAST, rule


def test_no_form_is_taken_without_its_token(home: Home) -> None:
    """Another site's page sends the cookie, and not the token."""
    guest = home.guest("petra")
    before = home.accounts.users(), home.accounts.tokens()
    for path in FORMS:
        form = {"name": "vera", "role": "admin", "password": NEW, "new": NEW, "again": NEW, "old": PASSWORD, "scope": "act"}
        assert guest.client.post(path, data=form).status_code == 400, path
        assert guest.client.post(path, data={**form, "csrf_token": "x"}).status_code == 400, path
    assert (home.accounts.users(), home.accounts.tokens()) == before
    assert guest.inside


def test_the_way_to_the_rooms_is_shown_to_who_may_go_there(home: Home) -> None:
    """A viewer sees no link that leads to a refusal."""
    links = {
        name: {link.get("href") for link in Elements(home.guest(name).client.get("/settings").text).all("a")} for name in PEOPLE
    }
    assert {"/settings", "/settings/alerts"} <= links["vera"]
    assert not {"/settings/users", "/settings/tokens"} & (links["vera"] | links["otto"])
    assert {"/settings", "/settings/users", "/settings/tokens", "/settings/alerts"} <= links["petra"]
    assert 'aria-current="page">Settings' in home.guest("petra").client.get("/settings/users").text


def test_a_password_is_changed_by_who_knows_it(home: Home) -> None:
    """All other sessions end, this one goes on under a new key; the log says who, and not what."""
    guest, elsewhere = home.guest("vera"), home.guest("vera")
    cookie = guest.client.get_cookie("backupmx")
    with capture_logs() as logged:
        said = guest.sent("/settings/password", old=PASSWORD, new=NEW, again=NEW)
    assert "Your password is changed." in said
    assert guest.inside and not elsewhere.inside
    assert cookie
    thief = home.stranger()
    thief.client.set_cookie("backupmx", cookie.value)
    assert not thief.inside
    assert home.stranger().log_in("vera").status_code == 401
    assert home.stranger().log_in("vera", NEW).status_code == 302
    assert [(entry["verb"], entry["by"], entry["account"]) for entry in logged] == [("set-password", "vera", "vera")]
    assert NEW not in str(logged)


@pytest.mark.parametrize(
    ("old", "new", "again", "said"),
    [
        (PASSWORD, NEW, "another", "The new password is not the same both times."),
        (PASSWORD, "short", "short", "A password has at least 8 characters"),
        (PASSWORD, "x" * 2000, "x" * 2000, "A password has at least 8 characters"),
        ("wrong", NEW, NEW, "That is not your password."),
        ("", NEW, NEW, "That is not your password."),
    ],
)
def test_a_password_stays_otherwise(home: Home, old: str, new: str, again: str, said: str) -> None:
    """And it is said why."""
    guest, before = home.guest("vera"), home.accounts.users()
    answer = guest.send("/settings/password", old=old, new=new, again=again)
    assert said in (words_of(answer) if answer.status_code == 401 else guest.words("/settings"))
    assert home.accounts.users() == before
    assert guest.inside


def test_who_finds_a_browser_open_cannot_guess_its_users_password(home: Home) -> None:
    """Five wrong ones, then there is a pause, for the right one as well."""
    guest = home.guest("vera")
    for _ in range(5):
        assert guest.send("/settings/password", old="wrong", new=NEW, again=NEW).status_code == 401
    answer = guest.send("/settings/password", old=PASSWORD, new=NEW, again=NEW)
    assert answer.status_code == 429
    assert "Too many attempts" in words_of(answer)
    assert guest.inside


def test_a_cookie_that_was_copied_is_dead_after_the_logout(home: Home) -> None:
    """Logging out ends the session, and not just the browser's knowledge of it."""
    guest, thief = home.guest("petra"), home.stranger()
    cookie = guest.client.get_cookie("backupmx")
    assert cookie
    thief.client.environ_base["HTTP_USER_AGENT"] = guest.client.environ_base["HTTP_USER_AGENT"]
    thief.client.set_cookie("backupmx", cookie.value)
    assert thief.inside
    assert guest.send("/logout").status_code == 302
    assert not thief.inside
    assert not guest.inside


def test_a_cookie_that_was_planted_is_worth_nothing_after_the_login(home: Home) -> None:
    """Session fixation: whoever knew the cookie before does not know the one after."""
    planted, victim = home.stranger(), home.stranger()
    planted.client.get("/login")
    cookie = planted.client.get_cookie("backupmx")
    assert cookie
    with planted.client.session_transaction() as session:
        known = session["csrf_token"]
    victim.client.set_cookie("backupmx", cookie.value)
    assert victim.log_in("petra").status_code == 302
    assert victim.inside
    assert not planted.inside
    victim.client.get("/settings")
    with victim.client.session_transaction() as session:
        assert session["csrf_token"] != known, "nothing that came along is kept"


def test_sessions_are_listed_and_ended(home: Home) -> None:
    """One's own, by browser and address; this one is marked, and no key stands on the page."""
    guest = home.guest("vera")
    phone = home.guest("vera", "Mozilla/5.0 (Linux; Android 15) Chrome/141.0 Mobile Safari/537.36 <b>")
    phone_words = guest.words("/settings")
    assert "Chrome on Android" in phone_words and "Firefox on Linux this one" in phone_words
    assert "from 127.0.0.1" in phone_words
    text = guest.client.get("/settings").text
    with guest.client.session_transaction() as held:
        assert held["_user_id"] not in text
    assert len(labels(guest, "/settings")) == 2
    third = home.guest("vera")
    other = home.guest("otto")
    assert "2 other sessions have ended." in guest.sent("/settings/sessions/others")
    assert guest.inside and not phone.inside and not third.inside and other.inside
    assert "End all others" not in guest.words("/settings")


def test_a_session_of_somebody_else_is_for_admins_to_end(home: Home) -> None:
    """By whatever label."""
    guest, other = home.guest("vera"), home.guest("otto")
    (label,) = labels(other, "/settings")
    assert "That session is over already." in guest.sent("/settings/sessions/end", session=label)
    assert other.inside
    admin = home.guest("petra")
    assert "otto Firefox on Linux" in admin.words("/settings/users")
    assert "That session has ended." in admin.sent("/settings/sessions/end", session=label, back="users")
    assert not other.inside
    assert guest.send("/settings/sessions/end", session=labels(guest, "/settings")[0]).headers["Location"] == "/login"
    assert not guest.inside


def test_a_session_ends_by_itself(home: Home) -> None:
    """The page goes by its own clock, and leads to the login."""
    guest = home.guest("vera")
    home.watch.forward(IDLE - timedelta(minutes=1))
    assert guest.inside
    home.watch.forward(IDLE)
    answer = guest.client.get("/settings/alerts")
    assert answer.headers["Location"] == "/login?next=/settings/alerts"
    assert guest.log_in("vera", next="/settings/alerts").headers["Location"] == "/settings/alerts"


def labels(guest: Guest, path: str) -> list[str]:
    """Those of the sessions on a page."""
    fields = Elements(guest.client.get(path).text).all("input")
    return [field["value"] or "" for field in fields if field.get("name") == "session"]
