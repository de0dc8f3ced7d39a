"""A backup that is to be restored over the control socket: once it is decided it is done, whoever has heard of it."""

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from backupmx import config
from backupmx.control import conversations, copies
from backupmx.control.accounts import Role
from backupmx.control.answers import Done, RestoreAnswer, RestoreNumber
from backupmx.control.client import ControlClient
from backupmx.control.requests import AddToRestore, BeginRestore, LookAtRestore, Restore
from backupmx.control.server import ControlServer
from backupmx.core.label import BackupLabel
from backupmx.safekeeping import copying
from backupmx.safekeeping.afar import Afar
from backupmx.spool import layout
from backupmx.spool.memory import MemorySpool
from backupmx.spool.store import LmdbSpool
from control.house import NOW, House, running

WAIT_S = 20


class Slow(Afar):
    """A disk that takes its time to have something decided."""

    deciding: threading.Event
    ready: threading.Event

    def restore(self, number: int) -> BackupLabel:
        self.deciding.set()
        assert self.ready.wait(WAIT_S)
        return super().restore(number)


class Desk:
    """A server to which a backup was brought that can be restored."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.path = house.path / "d.sock"
        house.file.write_text(
            f'hostname = "mx2.test"\nspool = "{house.path}/spool"\n[control]\nsocket = "{self.path}"\n[domain."one.example"]\n'
        )
        house.accounts.set_user("petra", Role.ADMIN, "correct horse")
        settings = config.load(house.file, serving=False)
        self.copies = Slow(house.file, settings, lambda: NOW, lambda *_: ())
        self.copies.deciding, self.copies.ready = threading.Event(), threading.Event()
        self.anew = threading.Event()
        self.server: ControlServer = house.server(path=self.path, copies=self.copies, begin_anew=self.anew.set)
        house.do(self.server.start())

    def bring(self) -> int:
        """Its number; it has been looked at."""
        octets = io.BytesIO()
        copying.write(self.house.file, octets, NOW, lambda _octets: None, mail=False)
        client = ControlClient(self.path, WAIT_S)
        answer = client.ask(BeginRestore())
        assert isinstance(answer, RestoreNumber)
        assert client.ask(AddToRestore(answer.number, octets.getvalue())) == Done()
        found = client.ask(LookAtRestore(answer.number, ""))
        assert isinstance(found, RestoreAnswer)
        assert found.problems == ()
        return answer.number

    def decide(self) -> socket.socket:
        """Somebody has asked for it, and it is being decided."""
        asker = socket.socket(socket.AF_UNIX)
        asker.connect(str(self.path))
        asker.sendall(msgspec.json.encode(Restore(self.bring(), "petra")) + b"\n")
        assert self.copies.deciding.wait(WAIT_S)
        return asker

    @property
    def noted(self) -> list[str]:
        """Who had it done, as the log has it."""
        return [each["by"] for each in self.house.logged if each.get("verb") == "restore"]

    @property
    def decided(self) -> list[Path]:
        return list((self.house.path / "spool").glob("restored-*"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    layout.prepare(tmp_path / "spool")
    # open in this process only once: what is on the disk is for the backup
    LmdbSpool(tmp_path / "spool", owner="control", reserve=0).close()
    with running(tmp_path, MemorySpool()) as house:
        found = Desk(house)
        yield found
        found.copies.ready.set()
        house.do(found.server.stop())


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would begin anew after a while in any case does so after the test."""
    monkeypatch.setattr(copies, "LONGEST_S", 3600.0)


@pytest.mark.usefixtures("at_once")
def test_who_asked_for_it_may_go(desk: Desk) -> None:
    """At the worst moment: then everything begins anew all the same, and it is written down for whom."""
    desk.decide().close()
    assert not desk.anew.is_set()
    assert desk.decided == []
    desk.copies.ready.set()
    assert desk.anew.wait(WAIT_S)
    assert len(desk.decided) == 1
    assert desk.noted == ["petra"]


def test_who_answers_may_be_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a reload: what is half decided is decided, and begins anew without anybody who waits for it."""
    monkeypatch.setattr(conversations, "STOP_S", 0.0)
    monkeypatch.setattr(copies, "LONGEST_S", 0.0)
    with desk.decide() as asker:
        desk.house.do(desk.server.stop())
        assert asker.recv(1) == b""
        assert not desk.anew.is_set()
        desk.copies.ready.set()
        assert desk.anew.wait(WAIT_S)
    assert len(desk.decided) == 1
    assert desk.noted == ["petra"]


@pytest.mark.usefixtures("at_once")
def test_who_waits_for_it_has_an_answer_first(desk: Desk) -> None:
    """And nothing begins anew for one that was not decided."""
    number = desk.bring()
    desk.copies.ready.set()
    client = ControlClient(desk.path, WAIT_S)
    assert client.ask(Restore(number + 1, "petra")) != Done()
    assert not desk.anew.is_set()
    assert client.ask(Restore(number, "petra")) == Done()
    assert desk.anew.wait(WAIT_S)
    assert client.ask(Restore(number, "petra")) != Done(), "once"
