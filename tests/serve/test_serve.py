"""One instance as its user sees it: accept, hold, give back; reload; trouble at the start."""

import io
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backupmx import app
from tests.serve.instance import Client, Primary, eventually, running

CONTENT = b"Subject: hello\r\n\r\n..a dot\r\nand 8 bit: \xe5\xe4\xf6\r\n"
AS_STORED = CONTENT.replace(b"\r\n..", b"\r\n.")


def test_mail_is_held_while_the_primary_is_down_and_given_back(tmp_path: Path) -> None:
    """I1: the main job, and the id is the same in the reply, the Received field and the queue."""
    with running(tmp_path) as instance:
        with Client(instance.port) as client:
            reply = client.mail(CONTENT)
            assert reply.startswith("250 2.0.0 ")
            assert client.mail(CONTENT, sender="").startswith("250 ")
        number = reply.split()[-1]
        assert len(number) == 26
        eventually(lambda: instance.status()["domains"][0]["primary"]["state"] == "down", "the primary is seen to be down")
        assert instance.status()["queue"]["messages"] == 2
        assert number in instance.cli("queue", "list", "--json").stdout
        instance.primary.start()
        eventually(lambda: instance.status()["queue"]["messages"] == 0, "the queue drains", 5)
        assert instance.status()["domains"][0]["primary"]["state"] == "up"
        assert sorted(sender for sender, _, _ in instance.primary.received) == ["", "a@sender.test"]
        for _, recipients, content in instance.primary.received:
            assert recipients == ("user@example.com",)
            assert content.endswith(AS_STORED)
        fields = [content.removesuffix(AS_STORED) for _, _, content in instance.primary.received]
        assert all(field.count(b"Received: ") == 1 for field in fields)
        assert any(number.encode() in field for field in fields)
        assert instance.stop() == 0


def test_new_mail_leaves_within_a_second_while_the_primary_is_up(tmp_path: Path) -> None:
    """No polling: the courier hears of new mail at once."""
    with running(tmp_path) as instance:
        instance.primary.start()
        eventually(lambda: instance.status()["domains"][0]["primary"]["state"] == "up", "the primary is seen to be up")
        with Client(instance.port) as client:
            assert client.mail(CONTENT).startswith("250 ")
            eventually(lambda: bool(instance.primary.received), "it leaves", 1)


def test_strangers_cannot_relay(tmp_path: Path) -> None:
    """I2: other domains are refused for good."""
    with running(tmp_path) as instance, Client(instance.port) as client:
        assert client.mail(CONTENT, to=("someone@elsewhere.test",)).startswith("550 5.7.1 ")
        assert client.say("RCPT TO:<postmaster@EXAMPLE.com>").startswith("250 ")


@pytest.mark.slow
def test_an_admin_can_hold_release_and_delete(tmp_path: Path) -> None:
    """What is held stays when the primary returns; what is deleted is gone."""
    with running(tmp_path) as instance:
        with Client(instance.port) as client:
            first = client.mail(CONTENT).split()[-1]
            second = client.mail(CONTENT).split()[-1]
        assert instance.cli("queue", "hold", first, "--yes").returncode == 0
        assert instance.cli("queue", "delete", second, "--yes").returncode == 0
        assert instance.status()["queue"] | {"oldest": None} == {
            "messages": 0, "bytes": 0, "oldest": None, "held": 1, "quarantined": 0,
        }  # fmt: skip
        instance.primary.start()
        eventually(lambda: instance.status()["domains"][0]["primary"]["state"] == "up", "the primary is seen to be up")
        assert not instance.primary.received
        assert instance.cli("queue", "release", first, "--yes").returncode == 0
        eventually(lambda: bool(instance.primary.received), "the released message leaves")


def test_a_dead_process_is_back_at_once(tmp_path: Path) -> None:
    """Each process is killed once; mail is taken and given back all the same."""
    with running(tmp_path) as instance:
        instance.primary.start()
        for name, pid in instance.children().items():
            os.kill(pid, signal.SIGKILL)
            eventually(lambda name=name, pid=pid: instance.children().get(name, pid) != pid, f"{name} is back", 3)
        with Client(instance.port) as client:
            assert client.mail(CONTENT).startswith("250 ")
        eventually(lambda: bool(instance.primary.received), "it leaves", 5)


@pytest.mark.slow
def test_a_changed_configuration_is_applied_or_refused_whole(tmp_path: Path) -> None:
    """`reload` says what is wrong and keeps the old settings; SIGHUP applies good ones without losing a connection."""
    with running(tmp_path) as instance:
        instance.configure(extra="no_such_key = 1")
        refused = instance.cli("reload")
        assert refused.returncode == 78
        assert "no_such_key" in refused.stderr
        instance.configure(smtp='max_message_size = "1 KiB"')
        assert instance.cli("reload").returncode == 0

        def small() -> bool:
            with Client(instance.port) as client:
                return client.mail(b"x" * 4000 + b"\r\n").startswith("552 5.3.4")

        eventually(small, "the new limit holds", 5)
        with Client(instance.port) as client:
            assert client.mail(CONTENT).startswith("250 ")
        instance.primary.start()
        eventually(lambda: bool(instance.primary.received), "the new courier works", 5)


def test_sessions_in_the_middle_of_data_finish_on_sigterm(tmp_path: Path) -> None:
    """A graceful stop: the message is taken, then the server is gone."""
    with running(tmp_path) as instance, Client(instance.port) as client:
        for line in ("MAIL FROM:<a@b.test>", "RCPT TO:<u@example.com>", "DATA"):
            client.say(line)
        client.send(b"Subject: slow\r\n\r\n")
        assert instance.process
        ended = threading.Thread(target=instance.stop)
        ended.start()
        eventually(lambda: "event=stopping" in instance.log.read_text() or not ended.is_alive(), "it stops", 2)
        client.send(b"the rest\r\n.\r\n")
        assert client.reply().startswith("250 2.0.0 ")
        ended.join(10)
        assert instance.process.returncode == 0


@pytest.fixture
def quiet_disk(tmp_path: Path) -> Iterator[Path]:
    """In memory: on the real disk, others write more meanwhile than what the test leaves free."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or shutil.disk_usage(memory).free < 2**30:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="backupmx-test-", dir=memory) as place:
        yield Path(place)


@pytest.mark.slow
def test_a_full_disk_defers_new_mail_and_still_drains(quiet_disk: Path) -> None:
    """I4, I9: `452 4.3.1` at the reserve; the queue drains; mail is taken again by itself."""
    disk = os.statvfs(quiet_disk)
    reserve = disk.f_bavail * disk.f_frsize - 128 * 2**20
    with running(quiet_disk, start=False) as instance:
        instance.path.write_text(instance.path.read_text().replace('"1 MiB"', f'"{reserve} B"'))
        instance.start()
        body = b"Subject: big\r\n\r\n" + (b"x" * 998 + b"\r\n") * 12_000
        taken = 0
        with Client(instance.port) as client:
            for _ in range(40):
                reply = client.mail(body)
                if not reply.startswith("250 "):
                    break
                taken += 1
            assert reply.startswith("452 4.3.1 "), reply
        assert taken > 2
        instance.primary.start()
        eventually(lambda: instance.status()["queue"]["messages"] == 0, "the queue drains", 15)
        assert len(instance.primary.received) == taken
        with Client(instance.port) as client:
            eventually(lambda: client.mail(CONTENT).startswith("250 "), "mail is taken again")


@pytest.fixture
def refuse(tmp_path: Path) -> "Refusal":
    """Starts a server that should not start."""
    return Refusal(tmp_path)


class Refusal:
    """`serve` that ends by itself; what it said."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def serve(self, config: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "backupmx", "serve", "--config", str(config)],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip


@pytest.mark.slow
def test_a_second_instance_on_one_spool_refuses_to_start(tmp_path: Path, refuse: Refusal) -> None:
    """One clear line, exit 1, and the first goes on."""
    with running(tmp_path) as instance:
        other = tmp_path / "other.toml"
        text = instance.path.read_text().replace(str(instance.port), "0").replace("control.sock", "other.sock")
        other.write_text(text)
        said = refuse.serve(other)
        assert said.returncode == 1
        assert len(said.stderr.splitlines()) == 1, said.stderr
        with Client(instance.port) as client:
            assert client.mail(CONTENT).startswith("250 ")


def test_a_broken_configuration_is_told_whole(tmp_path: Path, refuse: Refusal) -> None:
    """All problems at once, exit 78."""
    config = tmp_path / "bad.toml"
    config.write_text('hostnam = "x"\n[smtp]\nmax_connections = "many"\n[domain."example.com"]\nholding_window = "90d"\n')
    said = refuse.serve(config)
    assert said.returncode == 78
    for key in ("hostnam", "smtp.max_connections", "holding_window"):
        assert key in said.stderr


def test_a_spool_that_is_no_directory_is_one_clear_line(tmp_path: Path, refuse: Refusal) -> None:
    """Exit 1, nothing touched."""
    with running(tmp_path, start=False) as instance:
        (tmp_path / "spool").write_text("not a directory")
        said = refuse.serve(instance.path)
        assert said.returncode == 1
        assert len(said.stderr.splitlines()) == 1, said.stderr
        assert (tmp_path / "spool").read_text() == "not a directory"


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path, refuse: Refusal) -> None:
    """Exit 1, and it says which."""
    taken = Primary()
    taken.start()
    try:
        with running(tmp_path, start=False) as instance:
            instance.port = taken.port
            instance.configure()
            said = refuse.serve(instance.path)
            assert said.returncode == 1
            assert str(taken.port) in said.stderr
            assert len(said.stderr.splitlines()) == 1, said.stderr
    finally:
        taken.stop()


def test_the_limit_of_open_files_is_raised(tmp_path: Path) -> None:
    """A thousand connections do not fit below the soft limit that most systems have; too low a hard limit is told."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        with running(tmp_path, start=False) as instance:
            instance.configure(smtp="max_connections = 100000")
            instance.start()
            (line,) = re.findall("Max open files.*", Path(f"/proc/{instance.children()['edge0']}/limits").read_text())
            assert line.split()[3] == line.split()[4]
            told = f'event="too few files" allowed={hard} max_connections=100000' in instance.log.read_text()
            assert told is (hard < 100_100)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_ready_line_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes share standard error: a line in two writes could have another in its middle."""
    read, write = os.pipe2(os.O_DIRECT)  # a read gives one write
    # as Python makes it with PYTHONUNBUFFERED
    with io.TextIOWrapper(io.FileIO(write, "w"), write_through=True) as stderr, os.fdopen(read, "rb", buffering=0) as lines:
        monkeypatch.setattr(sys, "stderr", stderr)
        app._announce()
        assert lines.read(100) == b"backupmx: ready\n"


def test_trouble_with_free_pages_is_told_and_passes(tmp_path: Path) -> None:
    """I9: mail comes and goes all the same, and once the spool's file is back in its place nothing more is told."""
    with running(tmp_path) as instance:
        file = tmp_path / "spool" / "data.mdb"
        file.rename(tmp_path / "away")
        eventually(lambda: instance.log.read_text().count('"free pages"') >= 2, "it is told, and looked at again")
        (tmp_path / "away").rename(file)
        with Client(instance.port) as client:
            assert client.mail(CONTENT).startswith("250 ")
        told = instance.log.read_text().count('"free pages"')
        instance.primary.start()
        eventually(lambda: instance.status()["queue"]["messages"] == 0, "the queue drains")
        assert instance.log.read_text().count('"free pages"') <= told + 1
        assert instance.stop() == 0
