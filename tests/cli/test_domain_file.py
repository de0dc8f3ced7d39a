"""`backupmx domain add|set|remove`: the file in its place, whoever else is at it, and the server that takes the change."""

import fcntl
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from control.house import House, running
from serve.instance import eventually

from backupmx import app, config  # noqa: F401 - what is not loaded yet, nobody in particular may be unable to read
from backupmx.cli.main import root
from backupmx.errors import ConfigurationUnchanged
from backupmx.revision import hindrance, revising
from backupmx.spool.memory import MemorySpool
from cli.admin import FILE, Admin
from cli.conftest import Run


def test_the_running_server_takes_it_and_knows_who_did_it(house: House, run: Run) -> None:
    """The audit log: who, and what."""
    done = run("domain", "set", "one.example", "primary=new.example:25,b", "allow_private=no", "holding_window=")
    assert (done.exit_code, done.stderr) == (0, "backupmx: the change is in the file, and is being applied\n")
    (event,) = [event for event in house.logged if event.get("verb") == "configure"]
    assert event["what"] == "domain set one.example primary=new.example:25,b allow_private=no holding_window="
    assert event["by"]


def test_a_refused_change_is_taken_back(house: House, run: Run) -> None:
    """The server has the last word: exit 1, its reasons, and the file as it was."""
    path = house.path / "b.toml"
    path.chmod(0o640)
    before = path.read_bytes()
    house.problems = ("b.toml: not on my watch",)
    done = run("domain", "set", "one.example", "holding_window=3d")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "backupmx: b.toml: not on my watch",
        "backupmx: the old configuration stays in force, and the file is as it was",
    ]
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o640
    assert not any(event.get("verb") == "configure" for event in house.logged)


def test_a_server_that_is_just_reloading_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers for a moment, but the spool is in use: the change must not wait for the next start."""
    admin = Admin(tmp_path, FILE.replace('spool = "SPOOL"', 'spool = "SPOOL/spool"'))
    (tmp_path / "spool").mkdir()
    houses: list[House] = []
    with (tmp_path / "spool" / "lock").open("w") as lock, ExitStack() as stack:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def meanwhile(_seconds: float) -> None:
            houses.append(stack.enter_context(running(tmp_path, MemorySpool())))

        monkeypatch.setattr(time, "sleep", meanwhile)
        done = admin("set", "one.example", "holding_window=3d")
    assert (done.exit_code, done.stderr) == (0, "backupmx: the change is in the file, and is being applied\n")
    assert [event["event"] for house in houses for event in house.logged] == ["admin"]


def test_a_domain_with_mail_goes_only_with_a_yes(house: House, run: Run) -> None:
    """How much there is, and what becomes of it; `--dry-run` tells it too."""
    for number in range(3):
        house.take(number, to=("user@two.example",))
    before = (house.path / "b.toml").read_bytes()
    refused = run("domain", "remove", "two.example")
    assert refused.exit_code == 1
    assert "3 messages" in refused.stderr
    assert "it is not lost" in refused.stderr
    dry = run("domain", "remove", "two.example", "--dry-run")
    assert (dry.exit_code, "3 messages" in dry.stderr) == (0, True)
    assert (house.path / "b.toml").read_bytes() == before
    assert run("domain", "remove", "two.example", "--yes").exit_code == 0
    assert list(config.load(house.path / "b.toml").domains) == ["one.example"]


def test_a_domain_without_mail_goes_without_a_yes(house: House, run: Run) -> None:
    """When the server says so; when nobody can tell it takes one."""
    assert run("domain", "remove", "two.example").exit_code == 0


def test_without_a_server_a_domain_goes_only_with_a_yes(admin: Admin) -> None:
    """For nobody can tell whether mail waits."""
    done = admin("remove", "two.example")
    assert done.exit_code == 1
    assert "--yes" in done.stderr
    assert admin.wrote()


def test_owner_mode_and_a_link_stay(tmp_path: Path) -> None:
    """The file itself is replaced, wherever it is, and nothing is left beside it."""
    real, other = tmp_path / "real", tmp_path / "other"
    real.mkdir()
    other.mkdir()
    admin = Admin(real)
    admin.path.chmod(0o604)
    owner = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(admin.path, *owner)
    (other / "link.toml").symlink_to("../real/b.toml")
    done = CliRunner().invoke(root, ["domain", "set", "one.example", "tls=required", "--config", str(other / "link.toml")])
    assert done.exit_code == 0
    found = admin.path.stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o604, *owner)
    assert (other / "link.toml").is_symlink()
    assert "required" in admin.now
    assert [path.name for place in (real, other) for path in place.iterdir()] == ["b.toml", "link.toml"]


@contextmanager
def nobody_in_particular() -> Iterator[None]:
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


def test_a_file_that_this_user_may_not_change_is_told_plainly() -> None:
    """Exit 1, and it is as it was."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        admin = Admin(place)
        assert admin("set", "one.example", "tls=required", "--dry-run").exit_code == 0
        admin.path.chmod(0o444)
        with nobody_in_particular():
            done = admin("set", "one.example", "tls=required")
        assert (done.exit_code, done.stderr) == (1, f"backupmx: {admin.path}: this user may not change it\n")
        assert admin.wrote()
        assert [path.name for path in place.iterdir()] == ["b.toml"]


def test_what_is_in_the_way_of_a_change_is_known_before() -> None:
    """For the page: a directory or a file that may not be written, and an owner that a new file could not be given."""
    with tempfile.TemporaryDirectory() as name:
        place, path = Path(name), Path(name) / "b.toml"
        place.chmod(0o755)
        path.write_text(FILE)
        assert hindrance(path) == ""
        with nobody_in_particular():
            assert hindrance(path) == f"{path}: this user may not change it"
        place.chmod(0o777)
        path.chmod(0o666)
        with nobody_in_particular():
            assert hindrance(path) == f"{path}: it belongs to another user"
        assert hindrance(place / "none.toml") == f"{place}/none.toml: cannot be read: No such file or directory"


def test_a_disk_without_room_leaves_the_file_as_it_was(admin: Admin) -> None:
    """And nothing half written beside it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # a module that is compiled meanwhile would be kept in part, and be broken for everybody
    writes = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        done = admin("set", "one.example", "tls=required")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = writes
    assert (done.exit_code, done.stderr) == (1, f"backupmx: {admin.path}: cannot be written: File too large\n")
    assert admin.wrote()
    assert [path.name for path in admin.path.parent.iterdir()] == ["b.toml"]


def test_a_change_by_an_editor_meanwhile_is_not_lost(admin: Admin) -> None:
    """It knows no lock of ours: what it wrote stays."""
    with revising(admin.path) as revision:
        revision.draft.put("one.example", ("tls",), "required")
        admin.path.write_text(admin.before + "# more\n")
        with pytest.raises(ConfigurationUnchanged, match="somebody else"):
            revision.put_in_place()
    assert admin.now == admin.before + "# more\n"


def test_a_link_that_came_meanwhile_is_not_followed(admin: Admin) -> None:
    """Whoever has the directory could put one there at any moment: what it leads to is not the file that was looked at."""
    other = admin.path.with_name("other")
    with revising(admin.path) as revision:
        revision.draft.put("one.example", ("tls",), "required")
        admin.path.rename(other)
        admin.path.symlink_to(other)
        with pytest.raises(ConfigurationUnchanged, match="cannot be written"):
            revision.put_in_place()
    assert other.read_text() == admin.before
    assert admin.path.is_symlink()
    assert list(admin.path.parent.glob(".*")) == []


def test_two_commands_at_once_lose_neither_change(admin: Admin) -> None:
    """The second waits for the first, and builds on it."""
    wish = ("domain", "set", "one.example", "holding_window=21d")
    command = [sys.executable, "-m", "backupmx", "--config", str(admin.path), *wish]
    with revising(admin.path) as revision:
        revision.draft.put("one.example", ("tls",), "required")
        second = subprocess.Popen(command, stderr=subprocess.DEVNULL)

        def waits() -> bool:
            return any(f" {second.pid} " in line and "->" in line for line in Path("/proc/locks").read_text().splitlines())

        eventually(waits, "the second waits for the first", 10)
        revision.put_in_place()
    assert second.wait(20) == 0
    assert admin.wrote(('holding_window = "15d"', 'holding_window = "21d"\ntls = "required"'))


def test_the_demanded_file_must_be_there(tmp_path: Path) -> None:
    """As ever: exit 78."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "bad").write_text("domain = 5\n")
    (tmp_path / "worse").write_bytes(b"\xff\n")
    for name in ("none", "loop", "bad", "worse"):
        done = CliRunner().invoke(root, ["domain", "add", "one.example", "--config", str(tmp_path / name)])
        assert done.exit_code == 78, name
        assert str(tmp_path / name) in done.stderr
