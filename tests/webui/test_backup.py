"""Backups on the page: taken, looked at, restored; before a real `backupmx serve`, which begins anew."""

import io
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest
from canned import HASH, PASSWORD
from flask.testing import FlaskClient
from guest import Guest
from visitor import fields_of, token_in, words_of
from werkzeug.test import TestResponse

from backupmx.control.accounts import Accounts, Role
from backupmx.control.answers import RestoreNumber
from backupmx.control.client import ControlClient
from backupmx.control.requests import BeginRestore
from backupmx.edge.certificate import Certificate
from tests.serve.instance import Client, Instance, eventually, running
from webui.app import create_app

HERE = "/settings/backup"


def field(name: str, value: bytes) -> bytes:
    return f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"


@dataclass
class Desk:
    """An admin at the page of a real server."""

    server: Instance
    admin: Guest

    @property
    def client(self) -> FlaskClient:
        return self.admin.client

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.server.place / "spool" / "accounts.json")

    def take(self, password: str = PASSWORD, keys: str = "") -> TestResponse:
        return self.admin.send(f"{HERE}/download", password=password, keys=keys)

    def look(self, octets: bytes, identity: str = "") -> TestResponse:
        token = token_in(self.client.get(HERE))
        # the client's own way leaves a file open when it is large
        fields = b"".join(field(name, value.encode()) for name, value in (("csrf_token", token), ("identity", identity)))
        body = fields + field('file"; filename="b.tar', octets) + b"--limit--\r\n"
        return self.client.post(f"{HERE}/look", data=body, content_type="multipart/form-data; boundary=limit")

    def refusal(self, octets: bytes, identity: str = "") -> str:
        answer = self.look(octets, identity)
        return words_of(self.client.get(answer.location) if answer.status_code == 303 else answer)

    def logged(self, verb: str) -> list[str]:
        return re.findall(rf"event=admin verb={verb} by=(\S+)", self.server.log.read_text())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One for all of them: each restore leaves it as it was."""
    with running(tmp_path_factory.mktemp("server")) as instance:
        yield instance


@pytest.fixture
def desk(server: Instance) -> Desk:
    accounts = Accounts(server.place / "spool" / "accounts.json")
    for name in [user.name for user in accounts.users()]:
        accounts.remove_user(name)
    accounts.add_user("petra", Role.ADMIN, HASH)
    accounts.add_user("otto", Role.OPERATOR, HASH)
    admin = Guest(create_app(ControlClient(server.place / "control.sock", 20)).test_client())
    assert admin.log_in("petra").status_code == 302
    return Desk(server, admin)


def names(octets: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(octets)) as tar:
        return tar.getnames()


def test_a_backup_is_restored_from_the_page_and_the_server_begins_anew(desk: Desk) -> None:
    """Configuration and users are what they were; the mail that came meanwhile is there, and more comes in."""
    with Client(desk.server.port) as client:
        assert client.mail(b"Subject: x\r\n\r\nx\r\n").startswith("250 ")
    taken = desk.take()
    assert taken.status_code == 200
    assert re.search(r'filename="backupmx-mx2\.test-[0-9-]{13}\.tar"', taken.headers["Content-Disposition"])
    assert taken.headers["Cache-Control"] == "no-store"
    assert {"configuration/backupmx.toml", "accounts.json", "contents.json"} <= set(names(taken.data))
    assert not [name for name in names(taken.data) if name.startswith(("data.mdb", "history"))]
    before = desk.server.path.read_text()
    desk.server.path.write_text(before.replace("mx2.test", "mx3.test"))
    desk.accounts.add_user("olaf", Role.ADMIN, HASH)
    preview = desk.look(taken.data)
    assert "example.com" in words_of(preview)
    assert "2 users" in words_of(preview)
    assert desk.accounts.find("olaf"), "nothing is changed by a look"
    fields = fields_of(preview, "confirm").to_dict()
    wrong = desk.client.post(f"{HERE}/restore", data={**fields, "password": "wrong"})
    assert wrong.status_code == 401
    assert desk.accounts.find("olaf")
    pid = desk.server.children()["courier"]
    done = desk.client.post(f"{HERE}/restore", data={**fields, "password": PASSWORD})
    assert "The backup is restored" in words_of(done)
    eventually(lambda: desk.server.children().get("courier", pid) != pid, "it begins anew")
    eventually(lambda: desk.server.cli("status").returncode == 0, "it answers")
    assert desk.server.path.read_text() == before
    assert not desk.accounts.find("olaf")
    assert desk.server.status()["queue"]["messages"] == 1
    with Client(desk.server.port) as client:
        assert client.mail(b"Subject: y\r\n\r\ny\r\n").startswith("250 ")
    assert (set(desk.logged("backup")), desk.logged("restore")) == ({"petra"}, ["petra"])
    assert "event=restored" in desk.server.log.read_text()
    assert not [
        each for each in (desk.server.place / "spool").iterdir() if each.name.startswith(("restoring", "restored", "restore."))
    ]
    assert desk.server.stop() == 0, "one SIGTERM ends it as ever"
    desk.server.start()


def test_it_is_sealed_and_opened_again(desk: Desk) -> None:
    """With a key that is pasted; the wrong one says so, and none is shown."""
    key = pyrage.x25519.Identity.generate()
    taken = desk.take(keys=f"{key.to_public()}\n")
    assert taken.headers["Content-Disposition"].endswith('.tar.age"')
    assert b"petra" not in taken.data
    assert "accounts.json" in names(pyrage.decrypt(taken.data, [key]))
    assert "is sealed: the key that opens it is needed" in desk.refusal(taken.data)
    assert "is sealed for another key" in desk.refusal(taken.data, str(pyrage.x25519.Identity.generate()))
    shown = desk.refusal(taken.data, "AGE-SECRET-KEY-1NONSENSE")
    assert "is no key that opens anything" in shown
    assert "NONSENSE" not in shown
    assert "You are about to restore" in desk.refusal(taken.data, str(key))


def test_what_cannot_be_restored_here_is_told_before(desk: Desk, tmp_path: Path) -> None:
    """No backup, one with mail, one of another machine, one without anybody who could sign in; then nothing can be restored."""
    assert "is no backup" in desk.refusal(b"rubbish" * 1000)
    assert "is no backup" in desk.refusal(b"")
    assert desk.server.cli("backup", str(tmp_path / "m.tar"), "--with-mail").returncode == 0
    assert "has mail in it" in desk.refusal((tmp_path / "m.tar").read_bytes())
    octets = desk.take().data
    place = str(desk.server.place)
    elsewhere = octets.replace(place.encode(), place[:-1].encode() + b"X")
    assert "is damaged" in desk.refusal(octets.replace(b"otto", b"anna"))
    assert f"its configuration was in {place[:-1]}X" in desk.refusal(elsewhere)
    for name in ("petra", "otto"):
        desk.accounts.remove_user(name)
    desk.server.cli("backup", str(tmp_path / "nobody.tar"))
    desk.accounts.add_user("petra", Role.ADMIN, HASH)
    answer = desk.look((tmp_path / "nobody.tar").read_bytes())
    assert "This backup cannot be restored here." in words_of(answer)
    assert "nobody could sign in any more" in words_of(answer)
    assert 'name="number"' not in answer.text
    forced = desk.admin.send(f"{HERE}/restore", number="1", password=PASSWORD)
    assert "bring it once more" in words_of(desk.client.get(forced.location))
    assert not list((desk.server.place / "spool").glob("restored*"))


def of_another_configuration(desk: Desk, text: str) -> bytes:
    """A backup of this machine as it would be with this configuration."""
    before, file = desk.server.path.read_text(), desk.server.place / "other.tar"
    desk.server.path.write_text(text)
    made = desk.server.cli("backup", str(file))
    desk.server.path.write_text(before)
    assert made.returncode == 0, made.stderr
    octets = file.read_bytes()
    file.unlink()
    return octets


def refused(desk: Desk, octets: bytes) -> str:
    """What is said; and that nothing is restored, also when it is demanded."""
    before, number = desk.server.path.read_bytes(), next_number(desk)
    answer = desk.look(octets)
    assert "This backup cannot be restored here." in words_of(answer)
    forced = desk.admin.send(f"{HERE}/restore", number=str(number), password=PASSWORD)
    assert "bring it once more" in words_of(desk.client.get(forced.location))
    assert desk.server.path.read_bytes() == before
    assert not list((desk.server.place / "spool").glob("restored*"))
    return words_of(answer)


def next_number(desk: Desk) -> int:
    """Of the backup that is brought next."""
    answer = ControlClient(desk.server.place / "control.sock", 20).ask(BeginRestore())
    assert isinstance(answer, RestoreNumber)
    return answer.number + 1


CERTIFICATE = 'tls_certificate = "{0}/tls/cert.pem"\ntls_key = "{0}/tls/key.pem"\nworkers = 2\n'


@pytest.fixture
def certificate(server: Instance) -> Iterator[Path]:
    """Where one is, with its key; it is gone afterwards."""
    place = server.place / "tls"
    Certificate.of(None, None, place, "mx2.test")
    yield place / "cert.pem"
    shutil.rmtree(place, ignore_errors=True)


def test_with_what_no_server_would_start_it_is_refused(desk: Desk, certificate: Path) -> None:
    """Nobody may be at the console: a key that fits no certificate, an alert that is none; and nothing is changed."""
    text = desk.server.path.read_text().replace("workers = 2\n", CERTIFICATE.format(desk.server.place))
    good = of_another_configuration(desk, text)
    urls = of_another_configuration(desk, f'{text}\n[alerts]\nurls_file = "{certificate}"\n')
    key = certificate.with_name("key.pem")
    key.write_text("rubbish")
    bad = of_another_configuration(desk, text)
    shutil.rmtree(certificate.parent)
    assert f"smtp.tls_certificate: {certificate} with {key}: " in refused(desk, bad)
    assert "line 1: must be a URL as Apprise has them" in refused(desk, urls)
    assert "You are about to restore" in words_of(desk.look(good)), "its files come with it"


def test_what_may_not_be_set_on_the_page_is_not_set_by_a_backup_either(desk: Desk) -> None:
    """It names the keys, and the command that does it on the machine; what may be set there may be brought."""
    text = desk.server.path.read_text()
    said = refused(desk, of_another_configuration(desk, f'{text}recipients = "list"\nrecipient_list = "/etc/passwd"\n'))
    assert 'domain."example.com".recipient_list: only somebody on this machine may set that' in said
    assert "backupmx restore FILE" in said
    assert "dns.nameservers: only" in refused(desk, of_another_configuration(desk, f'{text}[dns]\nnameservers = ["192.0.2.1"]\n'))
    allowed = text.replace("mx2.test", "mx3.test") + 'holding_window = "21d"\n[domain."example.org"]\nprimary = ["10.0.0.1"]\n'
    assert "You are about to restore" in words_of(desk.look(of_another_configuration(desk, allowed)))


def test_nothing_leaves_without_the_password_and_for_no_key_that_is_none(desk: Desk) -> None:
    """Nor for who is no admin; a secret key that somebody takes for a public one goes nowhere."""
    wrong = desk.take(password="wrong")
    assert (wrong.status_code, "That is not your password." in words_of(wrong)) == (401, True)
    for keys in ("nonsense", str(pyrage.x25519.Identity.generate()), "--with-mail", "age1" + "q" * 58):
        answer = desk.take(keys=keys)
        assert answer.status_code == 303, keys
        shown = desk.client.get(answer.location)
        assert "key to seal for" in words_of(shown), keys
        assert keys not in shown.text or keys == "--with-mail"
    otto = Guest(create_app(ControlClient(desk.server.place / "control.sock", 20)).test_client())
    assert otto.log_in("otto").status_code == 302
    for path in ("download", "look", "restore"):
        assert otto.send(f"{HERE}/{path}", password=PASSWORD).status_code == 403
    assert otto.client.get(HERE).status_code == 403


def test_a_backup_may_be_large_and_not_endless(desk: Desk) -> None:
    """For who may bring one; and what was brought lies nowhere afterwards but in the spool."""
    assert "is larger than 32 MiB" in desk.refusal(b"x" * (32 * 2**20 + 1))
    assert desk.look(b"x" * (34 * 2**20)).status_code == 413
