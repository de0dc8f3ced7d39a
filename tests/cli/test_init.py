"""`backupmx init`: three questions, and a configuration that works."""

import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backupmx import config
from backupmx.cli.main import root

HOST = "mx2.example.net"


def init(path: Path, *options: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(root, ["init", "--config", str(path), *options], input=typed)


@pytest.fixture(autouse=True)
def full_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's, whatever it is really called."""
    monkeypatch.setattr("socket.getfqdn", lambda: HOST)


def test_three_answers_make_a_configuration_that_works(tmp_path: Path) -> None:
    """What cannot be read is asked again; the file is for its owner and group alone."""
    path = tmp_path / "etc" / "b.toml"
    done = init(path, typed="not a domain\nExample.COM.\nmail.example.com, smtps://10.0.0.5\nmx9.example.net\n")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("Which domain") == 2
    assert f"[{HOST}]" in done.stderr
    settings = config.load(path)
    assert settings.hostname == "mx9.example.net"
    assert list(settings.domains) == ["example.com"]
    assert list(map(str, settings.domains["example.com"].primary)) == ["mail.example.com:25", "smtps://10.0.0.5:465"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert CliRunner().invoke(root, ["check", "--config", str(path)]).exit_code == 0
    assert list(path.parent.iterdir()) == [path]


def test_enter_takes_the_mx_hosts_and_this_machine_s_name(tmp_path: Path) -> None:
    """Two of the three questions need no answer."""
    assert init(tmp_path / "b.toml", typed="example.com\n\n\n").exit_code == 0
    settings = config.load(tmp_path / "b.toml")
    assert (settings.hostname, settings.domains["example.com"].primary) == (HOST, ())


def test_scripts_are_asked_nothing(tmp_path: Path) -> None:
    """What is given is not asked, and with --yes nothing is."""
    assert init(tmp_path / "b.toml", "--domain", "example.com", "--yes").exit_code == 0
    assert config.load(tmp_path / "b.toml").hostname == HOST
    done = init(tmp_path / "c.toml", "--domain", "example.com", "--primary", "mail", "--hostname", "mx3.example.net")
    assert (done.exit_code, done.stderr) == (0, "")
    assert init(tmp_path / "d.toml", "--yes").exit_code == 2
    assert init(tmp_path / "d.toml", "--domain", "a b", "--yes").exit_code == 2
    assert not (tmp_path / "d.toml").exists()


def test_a_machine_without_a_full_name_must_be_given_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` is nobody's mail server."""
    for name in ("localhost.localdomain", "backupmx.local", "backupmx"):
        monkeypatch.setattr("socket.getfqdn", lambda name=name: name)
        assert init(tmp_path / "b.toml", "--domain", "example.com", "--yes").exit_code == 2
    assert init(tmp_path / "b.toml", typed=f"example.com\n\n\n{HOST}\n").exit_code == 0
    assert config.load(tmp_path / "b.toml").hostname == HOST


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """Unless it is said that it may go; nothing is asked before that is told."""
    path = tmp_path / "b.toml"
    path.write_text("mine")
    done = init(path, typed="example.com\n\n\n")
    assert (done.exit_code, path.read_text()) == (1, "mine")
    assert "is there already" in done.stderr
    assert "Which domain" not in done.stderr
    assert init(path, "--force", "--domain", "example.com", "--yes").exit_code == 0
    assert config.load(path).hostname == HOST


def test_it_says_what_to_do_next(tmp_path: Path) -> None:
    """With the configuration that was written, and the record for DNS."""
    path = tmp_path / "b.toml"
    done = init(path, "--domain", "example.com", "--primary", "10.0.0.5,mail.example.com", "--yes")
    assert f"backupmx check --network --config {path}" in done.stdout
    assert "backupmx user add NAME --role admin" in done.stdout
    assert "example.com.  IN MX 10 mail.example.com.\n  example.com.  IN MX 20 mx2.example.net." in done.stdout


def test_a_server_cannot_be_its_own_primary(tmp_path: Path) -> None:
    """Mail would go round in a circle."""
    assert init(tmp_path / "b.toml", "--domain", "example.com", "--primary", HOST, "--yes").exit_code == 1
    assert not (tmp_path / "b.toml").exists()


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """At the second question, on a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "backupmx", "init", "--config", str(tmp_path / "new" / "b.toml")]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    seen = b""
    for question, answer in ((b"Which domain", b"example.com\n"), (b"Where is", b"")):
        while question not in seen:
            seen += os.read(ours, 4096)
        os.write(ours, answer)
    # a signal just before it reads is seen when it has read; a person presses again, but not while it ends
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
            break
    assert process.returncode == 1
    os.close(ours)
    assert list(tmp_path.iterdir()) == []
