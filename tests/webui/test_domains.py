"""The domains' pages on a real control server: seeing, adding, changing, removing; the file afterwards."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from canned import PASSWORD
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from real import Running
from visitor import Elements, fields_of, token_in, words_of
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from backupmx.control.accounts import Accounts, Role
from backupmx.control.client import ControlClient
from backupmx.core.finding import About, InDns, Report
from webui.app import create_app
from webui.domains import words

SETTINGS = "/domains/example.com/settings"
Enter = Callable[[Role], FlaskClient]


@pytest.fixture
def enter(house: Path, compiled: FileSystemBytecodeCache) -> Enter:
    """Somebody of a role, signed in."""

    def signed_in(role: Role) -> FlaskClient:
        Accounts(house / "accounts.json").set_user(role.value, role, PASSWORD)
        app = create_app(ControlClient(house / "c.sock", 20))
        app.jinja_env.bytecode_cache = compiled
        client = app.test_client()
        form = {"name": role.value, "password": PASSWORD, "csrf_token": token_in(client.get("/login"))}
        assert client.post("/login", data=form).status_code == 302
        return client

    return signed_in


@pytest.fixture
def admin(enter: Enter) -> FlaskClient:
    return enter(Role.ADMIN)


def form_of(client: FlaskClient, path: str, css: str = "settings-form") -> MultiDict[str, str]:
    """As it is, to be sent to change something."""
    fields = fields_of(client.get(path), css)
    fields.setlist("do", ["change"])
    return fields


def send(client: FlaskClient, path: str, css: str = "settings-form", **typed: str) -> TestResponse:
    fields = form_of(client, path, css)
    for key, text in typed.items():
        fields.setlist(key, [text])
    return client.post(path, data=fields)


def changed(running: Running, *changes: tuple[str, str]) -> bool:
    """Whether the file is what it was but for these changes."""
    wanted = running.before
    for old, new in changes:
        assert wanted.count(old) == 1
        wanted = wanted.replace(old, new)
    return running.file.read_text() == wanted


def test_a_domain_is_shown_with_all_that_is_known_of_it(running: Running, admin: FlaskClient) -> None:
    """I8: from status, file and findings."""
    line, other = "example.com. IN MX 20 mx2.example.net.", "example.com. IN MX 10 mail.example.com."
    running.report = Report((About("mx", "example.com").bad("is not listed", "mend it", InDns((other, line), (other,))),))
    listed = words_of(admin.get("/domains"))
    assert "primary down for 1 h Primary mail.example.com:25 Kept for 5 d Waiting 1 message, 21 B" in listed
    assert "must be mended" in listed
    page = admin.get("/domains/Example.COM.")
    words = words_of(page)
    assert f"There, and right {other}" in words
    assert f"To be set {line}" in words
    assert "Holding window holding_window 5d" in words
    assert "Tried again in 30 s" in words
    assert [link["href"] for link in Elements(page.text).all("a") if link.get("aria-current")] == ["/domains"]
    assert admin.get("/domains/none.example").status_code == 404
    assert admin.get("/domains/%00%0a").status_code == 404


def test_what_strangers_wrote_stays_text(running: Running, admin: FlaskClient) -> None:
    """I7: DNS may hold anything, and so may an address, a name in the address, a list."""
    evil = '"><script>alert(1)</script>\u202e\x1b[31m'
    running.report = Report((About("mx", "example.com").bad(evil, evil, InDns((evil,), (evil, "x" * 9000))),))
    for path in ("/domains", "/domains/example.com", f"/domains/{quote(evil)}", f"/domains/example.com?address={quote(evil)}"):
        page = admin.get(path)
        assert "<script>alert" not in page.text
        assert not {"\u202e", "\x1b"} & set(page.text)
        assert len(page.text) < 60_000
    for name in (evil, "example.org\"]\n[web]\nlisten='0.0.0.0:80'", "../x", "a" * 300):
        answer = send(admin, "/protect", name=name)
        assert answer.status_code == 422
        assert "<script>alert" not in answer.text
    assert changed(running)


def test_a_setting_changes_and_nothing_around_it(running: Running, admin: FlaskClient) -> None:
    """Comments and order stay, the change holds, and the log has who did it."""
    answer = send(admin, SETTINGS, holding_window="21d", tls="required")
    assert (answer.status_code, answer.location) == (303, "/domains/example.com")
    assert changed(running, ('holding_window = "5d"\n', 'holding_window = "21d"\ntls = "required"\n'))
    words = words_of(admin.get("/domains/example.com"))
    assert "Done. It holds from now on." in words
    assert running.logged("configure") == [("admin", "domain set example.com tls=required holding_window=21d")]
    assert send(admin, SETTINGS, tls="").status_code == 303
    assert changed(running, ('holding_window = "5d"', 'holding_window = "21d"'))
    assert send(admin, SETTINGS).status_code == 303
    assert "Nothing was to be changed." in words_of(admin.get("/domains"))


def test_what_is_wrong_is_told_beside_its_field_and_changes_nothing(running: Running, admin: FlaskClient) -> None:
    """Each with what is allowed; what was typed is still there."""
    answer = send(admin, SETTINGS, holding_window="5 fortnights", primary="mail.example.com, a b", recipient_case="keep")
    assert answer.status_code == 422
    elements = Elements(answer.text)
    wrong = {field["name"] for field in (*elements.all("input"), *elements.all("select")) if field.get("aria-invalid")}
    assert wrong == {"holding_window", "primary"}
    assert "must be a time with a unit" in words_of(answer)
    assert {"5 fortnights", "mail.example.com, a b"} <= {field.get("value") for field in elements.all("input")}
    assert 'value="keep" selected' in answer.text
    assert changed(running)


def test_a_change_may_be_seen_before(running: Running, admin: FlaskClient) -> None:
    """As a difference, and nothing is written."""
    answer = send(admin, SETTINGS, holding_window="21d", do="show")
    assert '-holding_window = "5d"' in words_of(answer)
    assert '+holding_window = "21d"' in words_of(answer)
    assert changed(running)


def test_two_at_once_do_not_lose_ones_change(running: Running, admin: FlaskClient) -> None:
    """The second is told, sees what is there now and what was typed, and writes nothing."""
    fields = form_of(admin, SETTINGS)
    running.file.write_text(running.before.replace('"5d"', '"6d"'))
    fields["holding_window"] = "21d"
    answer = admin.post(SETTINGS, data=fields)
    assert "Somebody changed the file meanwhile" in words_of(answer)
    assert "holding_window = 21d" in words_of(answer)
    assert fields_of(answer, "settings-form")["holding_window"] == "6d"
    assert changed(running, ('"5d"', '"6d"'))


def test_a_domain_is_added_and_removed(running: Running, admin: FlaskClient) -> None:
    """Its name is asked for before it goes; what waits is told."""
    answer = send(admin, "/protect", name="Bücher.Example", primary="mail.buecher.example", holding_window="3d")
    assert (answer.status_code, answer.location) == (303, "/domains/xn--bcher-kva.example")
    table = '\n[domain."xn--bcher-kva.example"]\nprimary = ["mail.buecher.example"]\nholding_window = "3d"\n'
    assert running.file.read_text() == running.before + table
    assert "It is protected already." in words_of(send(admin, "/protect", name="example.com"))
    assert "must be a domain name" in words_of(send(admin, "/protect", name="a b"))
    preview = admin.get("/domains/example.com/remove")
    assert "1 message for it in the spool stay there" in words_of(preview)
    fields = fields_of(preview, "confirm")
    fields["name"] = "example.org"
    assert "Nothing was removed" in words_of(admin.post("/domains/example.com/remove", data=fields))
    assert running.file.read_text() == running.before + table
    fields["name"] = "Example.com"
    assert admin.post("/domains/example.com/remove", data=fields).status_code == 303
    assert list(tomllib.loads(running.file.read_text())["domain"]) == ["xn--bcher-kva.example"]
    listed = words_of(admin.get("/domains"))
    assert "example.com is protected no longer." in listed
    assert "Not protected any more" in listed
    assert [verb for _, verb in running.logged("configure")][-1] == "domain remove example.com"


def test_the_last_domain_stays(running: Running, admin: FlaskClient) -> None:
    """A configuration without any is wrong, and is not written."""
    fields = fields_of(admin.get("/domains/example.com/remove"), "confirm")
    fields["name"] = "example.com"
    assert "at least one is needed" in words_of(admin.post("/domains/example.com/remove", data=fields))
    assert changed(running)


HOSTILE = (
    ("primary", '"]\n[web]\nlisten = "0.0.0.0:80'),
    ("primary", "mail.example.com\"]\nhostname = 'x"),
    ("primary", "[{a = 1}]"),
    ("primary_user", "x\x00\x1b[31m"),
    ("language", "../../etc/passwd"),
    ("recipient_delimiter", '"""'),
    ("holding_window", "'5d'\n#"),
    ("language", "<script>alert(1)</script>"),
)


def test_hostile_values_stay_values(running: Running, admin: FlaskClient) -> None:
    """I7: no line, table or key of its own comes of one; what is no value is refused, and shown as text."""
    for key, text in HOSTILE:
        answer = send(admin, SETTINGS, **{key: text})
        assert "<script>alert" not in answer.text
        assert answer.status_code in (200, 303, 422)
        before, after = tomllib.loads(running.before), tomllib.loads(running.file.read_text())
        for config in (before, after):
            config["domain"]["example.com"].pop(key, None)
        assert before == after
        running.file.write_text(running.before)


def test_nothing_of_the_host_is_to_be_had_from_the_page(running: Running, admin: FlaskClient) -> None:
    """Neither a file's name, nor where a password is sent to: the server refuses it, whatever the form says."""
    page = admin.get(SETTINGS)
    named = {field.get("name") for tag in ("input", "select") for field in Elements(page.text).all(tag)}
    for key in ("recipient_list", "tls_ca_file", "primary_password_file", "ldap.url", "ldap.password_file"):
        assert key not in named
        assert send(admin, SETTINGS, **{key: "/etc/shadow"}).status_code in (303, 422)
    assert changed(running)
    (running.file.parent / "password").write_text("geheim")
    guarded = f'primary_user = "us"\nprimary_password_file = "{running.file.parent}/password"\n'
    running.file.write_text(running.before + guarded)
    running.take()
    page = admin.get(SETTINGS)
    assert "geheim" not in page.text
    assert "primary" not in {field.get("name") for field in Elements(page.text).all("input")}
    for key, text in (("primary", "evil.example"), ("tls", "opportunistic"), ("tls_pin", "00" * 32)):
        send(admin, SETTINGS, **{key: text})
        assert running.file.read_text() == running.before + guarded


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_who_is_no_admin_reads(running: Running, admin: FlaskClient, enter: Enter, role: Role) -> None:
    """Forms are not shown, and their doors are closed; an operator may look, resume and bring lists."""
    token = token_in(admin.get(SETTINGS))
    client = enter(role)
    words = words_of(client.get("/domains/example.com"))
    assert "Holding window holding_window 5d" in words
    assert "Protect another" not in words_of(client.get("/domains"))
    assert ("Look again now" in words) is (role is Role.OPERATOR)
    token = token_in(client.get("/domains"))
    for path in ("/protect", SETTINGS, "/domains/example.com/remove"):
        assert client.get(path).status_code == 403
        assert client.post(path, data={"csrf_token": token, "name": "example.com"}).status_code == 403
    for path in ("look", "resume", "list/preview", "list", "list/approve", "verify"):
        answer = client.post(f"/domains/example.com/{path}", data={"csrf_token": token})
        assert (answer.status_code == 403) is (role is Role.VIEWER)
    assert changed(running)


def test_no_other_site_can_send_a_form(running: Running, admin: FlaskClient) -> None:
    """Every door that changes something wants the token."""
    fields = form_of(admin, SETTINGS)
    fields["holding_window"], fields["csrf_token"] = "21d", "x"
    paths = [SETTINGS, "/protect"]
    paths += [
        f"/domains/example.com/{what}" for what in ("remove", "look", "resume", "list", "list/preview", "list/approve", "verify")
    ]
    for path in paths:
        assert admin.post(path, data=fields).status_code == 400
    assert changed(running)
    assert (running.looked, running.resumed) == ([], [])


def test_a_file_that_the_server_may_not_write_is_changed_by_hand(running: Running, admin: FlaskClient) -> None:
    """The page says so, and shows the lines."""
    running.hindrance = "/etc/backupmx/backupmx.toml: this user may not change it"
    page = admin.get(SETTINGS)
    assert "this user may not change it" in words_of(page)
    assert {button.get("value") for button in Elements(page.text).all("button")} & {"change", "show"} == {"show"}
    assert '+holding_window = "21d"' in words_of(send(admin, SETTINGS, holding_window="21d", do="show"))
    assert "backupmx domain remove example.com" in words_of(admin.get("/domains/example.com/remove"))


def test_a_file_that_is_wrong_is_told(running: Running, admin: FlaskClient) -> None:
    """What is in force is shown meanwhile, and nothing is written."""
    running.file.write_text(running.before + "nonsense = 1\n")
    page = admin.get(SETTINGS)
    assert "unknown key" in words_of(page)
    assert fields_of(page, "settings-form")["holding_window"] == "5d"


def test_dns_is_looked_at_again_and_a_primary_believed_again(running: Running, enter: Enter) -> None:
    """For an operator, by a button."""
    client = enter(Role.OPERATOR)
    token = token_in(client.get("/domains"))
    assert client.post("/domains/example.com/look", data={"csrf_token": token}).status_code == 303
    assert running.looked == ["example.com"]
    assert "looked at anew" in words_of(client.get("/domains/example.com"))
    assert client.post("/domains/example.com/resume", data={"csrf_token": token}).status_code == 303
    assert running.resumed == ["example.com"]
    client.post("/domains/none.example/look", data={"csrf_token": token})
    assert "is no domain of this server" in words_of(client.get("/domains"))


def test_every_key_has_its_words(running: Running) -> None:
    """A setting nobody wrote a sentence about would be a riddle."""
    for setting in running.sheet("example.com").settings:
        assert words.key(setting.key).help, setting.key
