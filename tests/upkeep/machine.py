"""A machine in a directory, with all that an admin has put on it; it can be lost, and another set up in its place."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner, Result
from control.house import House, an_id, running

from backupmx.cli.main import root
from backupmx.control.accounts import Accounts, Role
from backupmx.core.belief import Learned, Word
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool
from backupmx.spool.verify import verify
from tests.spool.samples import listed

CONTENT = b"Subject: what-it-is-about\r\n\r\nwhat-they-wrote\r\n"
DOMAIN = "one.example"


@dataclass(frozen=True)
class Machine:
    """`etc` and `spool` in one directory."""

    place: Path

    @property
    def etc(self) -> Path:
        return self.place / "etc"

    @property
    def spool(self) -> Path:
        return self.place / "spool"

    @property
    def configuration(self) -> Path:
        return self.etc / "backupmx.toml"

    @property
    def text(self) -> str:
        """Which names a file of each kind: ours, in a directory of ours, and somebody else's."""
        return (
            f'hostname = "mx2.test"\nspool = "{self.spool}"\nreserve = "1 MiB"\n'
            f'[smtp]\nlisten = ["127.0.0.1:2599"]\ntls_certificate = "{self.etc}/tls/c.pem"\ntls_key = "{self.etc}/tls/k.pem"\n'
            f'[control]\nsocket = "{self.place}/c.sock"\n[dns]\nnameservers = ["127.0.0.1:9"]\n'
            f'[alerts]\nurls_file = "{self.place.parent}/elsewhere.txt"\n'
            f'[domain."{DOMAIN}"]  # the office\nprimary = ["127.0.0.1:9"]\nrecipients = "list"\n'
            f'recipient_list = "{self.etc}/list.txt"\n[domain."two.example"]\nprimary = ["127.0.0.1:9"]\n'
        )

    def set_up(self) -> None:
        """As after some months of work."""
        (self.etc / "tls").mkdir(parents=True)
        (self.place.parent / "elsewhere.txt").touch()
        for name in ("tls/c.pem", "tls/k.pem"):
            (self.etc / name).write_text(f"what is in {name}")
        (self.etc / "tls" / "k.pem").chmod(0o600)
        (self.etc / "list.txt").write_text("user@one.example\n")
        self.configuration.write_text(self.text)
        self.configuration.chmod(0o640)
        with self.at_work() as house:
            house.take(1, content=CONTENT)
            house.take(2, content=CONTENT)
            house.learn("two.example", anna=Learned(Word.KNOWN, 7))
            house.put_list(DOMAIN, "berta", "cäsar")
            house.do(house.roll.set_clocks({"two.example": 4711}))
        (self.place / "backupmx.toml").unlink()
        shutil.move(self.place / "history.sqlite", self.spool / "history.sqlite")
        self.accounts.set_user("petra", Role.ADMIN, "correct horse")
        assert self.accounts.create_token("grafana", datetime.now(UTC))
        (self.spool / "alerts.json").write_text('{"version": 1}')
        (self.spool / "tls").mkdir()
        (self.spool / "tls" / "key.pem").write_text("our own key")

    @contextmanager
    def at_work(self) -> Iterator[House]:
        """Somebody has the store open, as a server has."""
        layout.prepare(self.spool)
        store = LmdbSpool(self.spool, owner="test", reserve=0)
        try:
            with running(self.place, store) as house:
                yield house
        finally:
            store.close()

    def lost(self) -> "Machine":
        """Nothing is left of it here; returns where it is, to be compared with."""
        return Machine(Path(shutil.move(self.place, self.place.with_name("lost"))))

    def do(self, *words: str, typed: str | bytes | None = None) -> Result:
        return CliRunner().invoke(root, [*words, "--config", str(self.configuration)], input=typed)

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.spool / "accounts.json")

    @property
    def ids(self) -> set[str]:
        store = LmdbSpool(self.spool, owner="test", reserve=0)
        try:
            return {message.id for message in listed(store)}
        finally:
            store.close()

    @property
    def people(self) -> tuple[object, ...]:
        """All that is known of recipients."""
        store = LmdbSpool(self.spool, owner="test", reserve=0)
        try:
            pages = [store.roll.page(domain, "", 100) for domain in (DOMAIN, "two.example")]
            return *pages, store.roll.lists(DOMAIN), store.roll.known("two.example"), store.roll.clock("two.example")
        finally:
            store.close()

    @property
    def problems(self) -> list[str]:
        return [found.problem for found in verify(self.spool) if found.problem]

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Modes and contents, in the configuration's directory."""
        found = [each for each in self.etc.rglob("*") if each.is_file()]
        return {str(each.relative_to(self.etc)): (each.stat().st_mode & 0o777, each.read_bytes()) for each in found}


MAIL = {an_id(1), an_id(2)}


def age(*words: str, given: bytes = b"") -> bytes:
    """The command of others."""
    return subprocess.run(["age", *words], input=given, capture_output=True, check=True, timeout=20).stdout


def commands(*words: str) -> Sequence[str]:
    return [sys.executable, "-m", "backupmx", *words]
