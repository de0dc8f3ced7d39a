"""`backupmx spool backup|restore|compact`: on a real store, with somebody working on it, and killed at every step."""

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from control.house import House, an_id, running

from backupmx.cli.main import root
from backupmx.control.accounts import Accounts, Role
from backupmx.core.label import FORM
from backupmx.core.message import State
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool
from backupmx.spool.verify import verify
from cli.test_root import BACKUPMX, on_a_terminal
from tests.spool.samples import listed

LARGE = b"Subject: large\r\n\r\n" + b"x" * 5_000_000 + b"\r\n"


@contextmanager
def at_work(place: Path) -> Iterator[House]:
    """Somebody has the store of this place open, as a server has."""
    layout.prepare(place / "spool")
    store = LmdbSpool(place / "spool", owner="test", reserve=0)
    lock = layout.lock(place / "spool")
    try:
        with running(place, store) as house:
            yield house
    finally:
        store.close()
        os.close(lock)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A store with two messages, one of them in several pieces, an account and a history; nobody works on it."""
    place = tmp_path / "old"
    place.mkdir()
    with at_work(place) as house:
        house.take(1)
        house.take(2, content=LARGE)
    configured(place)
    Accounts(place / "spool" / "accounts.json").set_user("petra", Role.ADMIN, "correct horse")
    (place / "history.sqlite").rename(place / "spool" / "history.sqlite")
    (place / "spool" / "tls").mkdir()
    (place / "spool" / "tls" / "key.pem").write_text("a key")
    return place / "spool"


def configured(place: Path) -> None:
    place.mkdir(exist_ok=True)
    text = f'spool = "{place}/spool"\n[control]\nsocket = "{place}/c.sock"\n[domain."one.example"]\n'
    (place / "b.toml").write_text(text)


def do(place: Path, *arguments: str, typed: str | bytes | None = None) -> Result:
    return CliRunner().invoke(root, ["spool", *arguments, "--config", str(place / "b.toml")], input=typed)


def ids(path: Path) -> set[str]:
    store = LmdbSpool(path, owner="test", reserve=0)
    try:
        return {message.id for message in listed(store)}
    finally:
        store.close()


def problems(path: Path) -> list[str]:
    return [found.problem for found in verify(path) if found.problem]


@pytest.fixture
def saved(spool: Path, tmp_path: Path) -> Path:
    """A backup of it."""
    assert do(spool.parent, "backup", str(tmp_path / "saved.tar")).exit_code == 0
    return tmp_path / "saved.tar"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Another machine, which has a configuration and nothing else."""
    configured(tmp_path / "new")
    return tmp_path / "new"


def test_a_backup_brings_all_of_it_to_another_machine(spool: Path, saved: Path, new: Path) -> None:
    """Mail, accounts, history, our own certificate; only after a yes, and for nobody else to read."""
    assert saved.stat().st_mode & 0o777 == 0o600
    refused = do(new, "restore", str(saved), typed="n\n")
    assert refused.exit_code == 1
    assert "what was delivered since then will be delivered again" in refused.stderr
    assert sorted(each.name for each in (new / "spool").iterdir()) == ["lock"]
    done = do(new, "restore", str(saved), typed="y\n")
    assert done.exit_code == 0, done.output
    assert "2 messages" in done.stderr
    assert ids(new / "spool") == {an_id(1), an_id(2)}
    assert problems(new / "spool") == []
    assert Accounts(new / "spool" / "accounts.json").find("petra")
    assert (new / "spool" / "tls" / "key.pem").read_text() == "a key"
    with closing(sqlite3.connect(new / "spool" / "history.sqlite")) as history:
        assert history.execute("PRAGMA user_version").fetchone() == (1,)
    assert {each.name for each in (new / "spool").iterdir()} == {each.name for each in spool.iterdir()} - {"accounts.json.lock"}
    for file in ("data.mdb", "accounts.json", "tls/key.pem"):
        assert (new / "spool" / file).stat().st_mode & 0o077 == 0


def test_an_ordinary_tar_shows_what_is_in_it(saved: Path, spool: Path, tmp_path: Path) -> None:
    """And gives the database back without us."""
    with tarfile.open(saved) as tar:
        names = tar.getnames()
        pieces = [tar.extractfile(name).read() for name in names if name.startswith("data.mdb.")]  # type: ignore[union-attr]
    assert names[-1] == "contents.json"
    assert {"accounts.json", "history.sqlite", "tls/key.pem"} < set(names)
    assert len(pieces) > 1
    (tmp_path / "by-hand").mkdir()
    (tmp_path / "by-hand" / "data.mdb").write_bytes(b"".join(pieces))
    assert problems(tmp_path / "by-hand") == []


@pytest.mark.slow
def test_it_is_taken_while_mail_comes_in(tmp_path: Path, new: Path) -> None:
    """One moment's state, sound in itself, without a pause of the server."""
    (tmp_path / "old").mkdir()
    configured(tmp_path / "old")
    with at_work(tmp_path / "old") as house:
        for number in range(20):
            house.take(number, content=b"y" * 300_000)
        command = [*BACKUPMX, "spool", "backup", str(tmp_path / "b.tar"), "--config", str(tmp_path / "old" / "b.toml")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        number = 20
        while process.poll() is None:
            house.take(number, content=b"y" * 300_000)
            number += 1
        assert process.returncode == 0, process.communicate()
        process.communicate()
        taken = {an_id(each) for each in range(number)}
    assert do(new, "restore", str(tmp_path / "b.tar"), "--yes").exit_code == 0
    assert problems(new / "spool") == []
    assert {an_id(each) for each in range(20)} <= ids(new / "spool") <= taken


def test_a_pipe_takes_it_and_gives_it(spool: Path, new: Path) -> None:
    """`backup - | ssh … restore - --yes`; nobody can be asked then, and no terminal gets mail."""
    octets = do(spool.parent, "backup", "-").stdout_bytes
    assert do(new, "restore", "-", typed=octets).exit_code == 2
    assert do(new, "restore", "-", "--yes", typed=octets).exit_code == 0
    assert ids(new / "spool") == {an_id(1), an_id(2)}
    assert "not for a terminal" in on_a_terminal("spool", "backup", "-", "--config", str(spool.parent / "b.toml"))


def test_no_backup_is_written_over_anything(spool: Path, saved: Path) -> None:
    """Exit 1, and the file stays."""
    before = saved.read_bytes()
    done = do(spool.parent, "backup", str(saved))
    assert (done.exit_code, saved.read_bytes()) == (1, before)
    assert "is there already" in done.stderr
    assert do(spool.parent, "backup", "/nowhere/b.tar").exit_code == 1


def test_where_no_spool_is_nothing_is_made(new: Path) -> None:
    """One clear line."""
    for command in (("backup", str(new / "b.tar")), ("compact",)):
        done = do(new, *command)
        assert done.exit_code == 1
        assert "there is none" in done.stderr
    assert not (new / "b.tar").exists()
    assert not (new / "spool" / "data.mdb").exists()


def test_mail_that_is_there_is_replaced_only_if_that_is_said(spool: Path, saved: Path, new: Path) -> None:
    """And stays aside then, whole, with its accounts."""
    with at_work(new) as house:
        house.take(7)
    Accounts(new / "spool" / "accounts.json").set_user("olaf", Role.ADMIN, "correct horse")
    refused = do(new, "restore", str(saved), "--yes")
    assert refused.exit_code == 1
    assert "--replace" in refused.stderr
    assert ids(new / "spool") == {an_id(7)}
    done = do(new, "restore", str(saved), "--yes", "--replace")
    assert done.exit_code == 0
    assert "what is here now: 1 message\n" in done.stderr
    assert ids(new / "spool") == {an_id(1), an_id(2)}
    (kept,) = (new / "spool").glob("replaced-*")
    assert str(kept) in done.stderr
    assert ids(kept) == {an_id(7)}
    assert Accounts(kept / "accounts.json").find("olaf")
    assert not Accounts(new / "spool" / "accounts.json").find("olaf")


def test_a_spool_in_ruins_can_be_replaced(saved: Path, new: Path) -> None:
    """That is what a backup is for."""
    (new / "spool").mkdir()
    (new / "spool" / "data.mdb").write_bytes(b"rubbish" * 5000)
    assert do(new, "restore", str(saved), "--yes").exit_code == 1
    assert do(new, "restore", str(saved), "--yes", "--replace").exit_code == 0
    assert ids(new / "spool") == {an_id(1), an_id(2)}


@pytest.mark.parametrize("harm", ["cut", "end", "flipped", "order", "foreign", "rubbish", "newer", "absent"])
def test_what_is_no_whole_backup_is_not_restored(harm: str, saved: Path, new: Path) -> None:
    """Exit 1, one line that says why, and the spool is as it was."""
    octets = bytearray(saved.read_bytes())
    if harm == "cut":
        octets = octets[: len(octets) // 2]
    elif harm == "flipped":
        octets[len(octets) // 2] ^= 1
    elif harm == "rubbish":
        octets = bytearray(b"rubbish" * 1000)
    else:
        octets = bytearray(rewritten(bytes(octets), harm))
    saved.write_bytes(octets)
    if harm == "absent":
        saved.unlink()
    done = do(new, "restore", str(saved), "--yes")
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 2
    assert done.stderr.endswith("nothing is restored\n")
    # a file that is not there is no reason to make anything
    assert sorted(each.name for each in (new / "spool").glob("*")) == ([] if harm == "absent" else ["lock"])
    assert not (new / "evil").exists()


def rewritten(octets: bytes, harm: str) -> bytes:
    """The same tar file with other members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(octets)) as old, tarfile.open(fileobj=out, mode="w") as tar:
        members = [(member.name, old.extractfile(member).read()) for member in old]  # type: ignore[union-attr]
        if harm == "end":
            members.pop()
        elif harm == "order":
            members[0:2] = reversed(members[0:2])
        elif harm == "foreign":
            members.insert(0, ("../evil", b"x"))
        elif harm == "newer":
            members[0] = ("label.json", json.dumps(json.loads(members[0][1]) | {"form": FORM + 1}).encode())
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_a_backup_that_is_not_sound_is_told_first(spool: Path, new: Path, tmp_path: Path) -> None:
    """Its mail can be had all the same, if that is said; the damaged message is set aside later, as ever."""
    import lmdb

    env = lmdb.open(str(spool), max_dbs=16, map_size=2**30, lib_version=0)
    chunks = env.open_db(b"chunk")
    with env.begin(write=True) as txn, txn.cursor(chunks) as cursor:
        assert cursor.first()
        cursor.put(cursor.key(), cursor.value()[:-1] + b"?")
    env.close()
    assert do(spool.parent, "backup", str(tmp_path / "b.tar")).exit_code == 0
    done = do(new, "restore", str(tmp_path / "b.tar"), "--yes")
    assert done.exit_code == 1
    assert f"{an_id(1)}: the content does not match its digest" in done.stdout
    assert not (new / "spool" / "data.mdb").exists()
    assert do(new, "restore", str(tmp_path / "b.tar"), "--yes", "--unsound").exit_code == 0
    assert ids(new / "spool") == {an_id(1), an_id(2)}


@pytest.mark.parametrize("command", ["restore", "compact"])
def test_nothing_is_exchanged_under_a_running_server(command: str, spool: Path, saved: Path) -> None:
    """Nor while another command reads the database."""
    arguments = ("restore", str(saved), "--yes", "--replace") if command == "restore" else ("compact",)
    before = (spool / "data.mdb").stat().st_ino
    lock = layout.lock(spool)
    assert "another instance works on it" in do(spool.parent, *arguments).stderr
    os.close(lock)
    reader = [sys.executable, "-c", "import lmdb, sys; e = lmdb.open(sys.argv[1], map_size=2**30); print(flush=True); input()"]
    process = subprocess.Popen([*reader, str(spool)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    done = do(spool.parent, *arguments)
    process.communicate(b"\n")
    assert done.exit_code == 1
    assert "another command has it open" in done.stderr
    assert (spool / "data.mdb").stat().st_ino == before
    assert not [each for each in spool.iterdir() if each.name.startswith(("restoring", "restored", "replaced", "compacting"))]
    assert do(spool.parent, *arguments).exit_code == 0


def test_compacting_gives_room_back(tmp_path: Path) -> None:
    """All mail is still there, and sound; what it was and is is told; a server goes on with it."""
    place = tmp_path / "old"
    configured(place)
    with at_work(place) as house:
        for number in range(30):
            house.take(number, content=b"z" * 500_000)
        house.do(house.spool.remove(tuple(an_id(number) for number in range(28)), "petra", "", datetime.now(UTC)))
    before = (place / "spool" / "data.mdb").stat().st_size
    done = do(place, "compact")
    assert done.exit_code == 0, done.output
    after = (place / "spool" / "data.mdb").stat().st_size
    assert after < before / 5
    assert "MiB before, " in done.stderr
    assert ids(place / "spool") == {an_id(28), an_id(29)}
    assert problems(place / "spool") == []
    with at_work(place) as house:
        house.take(50)
        assert house.spool.census().total[State.WAITING].messages == 3
    assert problems(place / "spool") == []


def test_compacting_needs_room_for_a_copy(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for first."""
    from types import SimpleNamespace

    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(total=2**40, free=2**20))
    done = do(spool.parent, "compact")
    assert done.exit_code == 1
    assert "a copy takes" in done.stderr
    assert not (spool / "compacting").exists()


def test_a_hot_journal_is_none_of_the_new_history_s(saved: Path, spool: Path) -> None:
    """What SQLite left half done belongs to the old file, and goes aside with it."""
    (spool / "history.sqlite-journal").write_bytes(b"half done")
    assert do(spool.parent, "restore", str(saved), "--yes", "--replace").exit_code == 0
    (kept,) = spool.glob("replaced-*")
    assert not (spool / "history.sqlite-journal").exists()
    assert (kept / "history.sqlite-journal").read_bytes() == b"half done"


KILLED = """
# Runs a command again and again, each time killed at one more step, and lets the next start find what is left.
import json, os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, "tests")
from backupmx import app, config
from backupmx.cli import spool  # before the fork, once for all
from backupmx.cli.main import root
from backupmx.spool import exchange, layout, verify
from tests.cli.test_spool_copy import ids

place, command = Path(sys.argv[1]), sys.argv[2:]
kept = place.with_name("kept")
shutil.copytree(place, kept)
STEPS = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "fcntl.lockf"}
STEPS |= {"open"} if "backup" in command else set()
for last in range(1, 1000):
    shutil.rmtree(place)
    shutil.copytree(kept, place)
    if child := os.fork():
        _, status = os.waitpid(child, 0)
    else:
        left = last
        def step(event, arguments):
            global left
            if event in STEPS and (event == "fcntl.lockf" or str(place) in str(arguments[0])):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(step)
        root(command, standalone_mode=False)
        os._exit(0)
    lock = layout.lock(place / "spool")
    exchange.settle(place / "spool")
    os.close(lock)
    there = sorted(each.name for each in place.iterdir()), sorted(each.name for each in (place / "spool").iterdir())
    found = [each.problem for each in verify.verify(place / "spool") if each.problem]
    account = json.loads((place / "spool" / "accounts.json").read_text())["users"][0]["name"]
    print(json.dumps([sorted(ids(place / "spool")), account, found, there, status == 0]), flush=True)
    if status == 0:
        break
"""


def killed_at_every_step(place: Path, *command: str) -> list[tuple[list[str], str, list[str], tuple[list[str], list[str]]]]:
    """What the next start finds each time: messages, the account, problems, files here and in the spool.

    In memory, for a kill takes nothing from a file system, and disks take their time for each sync.
    """
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as memory:
        there = Path(memory) / "place"
        shutil.copytree(place, there)
        (there / "b.toml").write_text((place / "b.toml").read_text().replace(str(place), str(there)))
        words = ("spool", *(word.replace(str(place), str(there)) for word in command), "--config", str(there / "b.toml"))
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(there), *words], check=False, capture_output=True, text=True, timeout=55
        )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found, done.stderr
    assert found[-1].pop() is True, done.stderr
    assert not any(each.pop() for each in found[:-1])
    return found


@pytest.mark.slow
def test_a_restore_that_is_killed_is_one_or_the_other(saved: Path, new: Path) -> None:
    """Whole, with the accounts that belong to it; the old mail is never lost, and no draft stays."""
    with at_work(new) as house:
        house.take(7)
    Accounts(new / "spool" / "accounts.json").set_user("olaf", Role.ADMIN, "correct horse")
    found = killed_at_every_step(new, "restore", str(saved), "--yes", "--replace")
    outcomes = {(tuple(ids), account) for ids, account, _, _ in found}
    assert outcomes == {((an_id(7),), "olaf"), ((an_id(1), an_id(2)), "petra")}
    assert len(found) > 20
    for ids_, _, problems, (_, inside) in found:
        assert problems == []
        assert not [name for name in inside if name.startswith(("restoring", "restored", "compacting"))]
        assert (an_id(7) in ids_) or [name for name in inside if name.startswith("replaced-")]


def test_a_compacting_that_is_killed_loses_nothing(spool: Path) -> None:
    """At no step."""
    found = killed_at_every_step(spool.parent, "compact")
    assert len(found) > 5
    for ids_, _, problems, (_, inside) in found:
        assert (ids_, problems) == ([an_id(1), an_id(2)], [])
        assert "compacting" not in inside


@pytest.mark.slow
def test_a_backup_that_is_killed_is_whole_or_not_there(spool: Path) -> None:
    """And the spool does not feel it."""
    found = killed_at_every_step(spool.parent, "backup", str(spool.parent / "b.tar"))
    assert found[-1][3][0].count("b.tar") == 1
    for ids_, _, problems, _ in found:
        assert (ids_, problems) == ([an_id(1), an_id(2)], [])
    assert ["b.tar" in here for *_, (here, _) in found].index(True) > 1


@pytest.mark.slow
def test_a_bar_is_drawn_on_a_terminal(spool: Path, tmp_path: Path) -> None:
    """While it is copied; a pipe gets the last line alone."""
    sent = on_a_terminal("spool", "backup", str(tmp_path / "b.tar"), "--config", str(spool.parent / "b.toml"))
    assert "copying" in sent
    assert "verifying" in on_a_terminal("spool", "verify", "--config", str(spool.parent / "b.toml"))
