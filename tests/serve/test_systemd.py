"""Listening sockets that come from systemd: nobody here needs the right to open port 25 (sd_listen_fds(3))."""

import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serve.instance import eventually, free_port

PASS = """
import os, sys
for number, fd in enumerate(map(int, sys.argv[1].split(",")), 3):
    os.dup2(fd, number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(number - 2), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.executable, [sys.executable, "-m", "backupmx", "serve", "--config", sys.argv[3]])
"""


def configuration(place: Path, listen: str) -> Path:
    path = place / "backupmx.toml"
    path.write_text(
        f'hostname = "mx2.test"\nspool = "{place}/spool"\nreserve = "1 MiB"\n'
        f'[smtp]\nlisten = {listen}\nworkers = 2\n[control]\nsocket = "{place}/control.sock"\n'
        '[domain."example.com"]\nprimary = ["127.0.0.1:1"]\n'
    )
    return path


@contextmanager
def serving(path: Path, sockets: list[socket.socket], names: str) -> Iterator[subprocess.Popen[str]]:
    """The real server, with these as file descriptors 3 and following."""
    # copies, far above those that they are to become
    copies = [os.dup2(each.fileno(), 100 + number) for number, each in enumerate(sockets)]
    process = subprocess.Popen(
        [sys.executable, "-c", PASS, ",".join(map(str, copies)), names, str(path)],
        pass_fds=copies,
        stderr=subprocess.PIPE,
        text=True,
    )
    for fd in copies:
        os.close(fd)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=40)


def heard(process: subprocess.Popen[str], what: str) -> None:
    """Wait for a line."""
    assert process.stderr
    assert any(what in line for line in process.stderr), "it ended"


def sent(host: str, port: int) -> bool:
    """One message, all the way to its 250; not by a worker that is just going."""
    try:
        with smtplib.SMTP(host, port, timeout=10) as client:
            return client.sendmail("a@sender.test", ["user@example.com"], "Subject: x\r\n\r\nbody\r\n") == {}
    except smtplib.SMTPException:
        return False


@pytest.mark.timeout(60)
def test_mail_comes_by_sockets_that_were_passed(tmp_path: Path) -> None:
    """IPv4 and IPv6 alike, and still after a reload."""
    path = configuration(tmp_path, '["systemd"]')
    four, six = socket.create_server(("127.0.0.1", 0)), socket.create_server(("::1", 0), family=socket.AF_INET6)
    with four, six, serving(path, [four, six], "smtp:smtp") as process:
        heard(process, "backupmx: ready\n")
        assert sent("127.0.0.1", four.getsockname()[1])
        assert sent("::1", six.getsockname()[1])
        process.send_signal(signal.SIGHUP)
        heard(process, "event=reloaded")
        eventually(lambda: sent("127.0.0.1", four.getsockname()[1]), "taken after the reload")


@pytest.mark.timeout(60)
def test_only_the_named_sockets_are_taken(tmp_path: Path) -> None:
    """The others are somebody else's."""
    path = configuration(tmp_path, '["systemd:mail"]')
    mail, other = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    with mail, other, serving(path, [other, mail], "web:mail") as process:
        heard(process, "backupmx: ready\n")
        assert sent("127.0.0.1", mail.getsockname()[1])
        with socket.create_connection(("127.0.0.1", other.getsockname()[1])) as silent:
            silent.settimeout(0.3)
            with pytest.raises(TimeoutError):
                silent.recv(1)


@pytest.mark.timeout(60)
def test_an_address_is_taken_from_what_was_passed_or_bound(tmp_path: Path) -> None:
    """Each that is set: the ones that are open already as they are, the others as without systemd; before and after a reload."""
    with socket.create_server(("127.0.0.1", 0)) as passed:
        port, own = passed.getsockname()[1], free_port()
        path = configuration(tmp_path, f'["127.0.0.1:{port}", "127.0.0.1:{own}"]')
        with serving(path, [passed], "smtp") as process:
            heard(process, "backupmx: ready\n")
            assert sent("127.0.0.1", port)
            assert sent("127.0.0.1", own)
            process.send_signal(signal.SIGHUP)
            heard(process, "event=reloaded")
            eventually(lambda: sent("127.0.0.1", port) and sent("127.0.0.1", own), "taken after the reload")


@pytest.mark.timeout(60)
def test_without_a_setting_whoever_opened_sockets_has_chosen(tmp_path: Path) -> None:
    """Nobody but root could open port 25 here: what was passed is all there is."""
    path = configuration(tmp_path, "[]")
    path.write_text(path.read_text().replace("listen = []\n", ""))
    with socket.create_server(("127.0.0.1", 0)) as passed, serving(path, [passed], "backupmx.socket") as process:
        heard(process, "backupmx: ready\n")
        assert sent("127.0.0.1", passed.getsockname()[1])


def test_without_a_socket_nothing_starts(tmp_path: Path) -> None:
    """One clear line, exit 1, as for a port that cannot be had."""
    path = configuration(tmp_path, '["systemd"]')
    ended = subprocess.run(
        [sys.executable, "-m", "backupmx", "serve", "--config", str(path)],
        env=os.environ | {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == "backupmx: smtp.listen: systemd: no such socket was passed to us (LISTEN_FDS)\n"


def test_the_setting_is_checked(tmp_path: Path) -> None:
    """Addresses, or systemd."""
    ended = subprocess.run(
        [sys.executable, "-m", "backupmx", "--config", str(configuration(tmp_path, '["systemd:", "inetd"]')), "check"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 78
    assert 'smtp.listen[0] = "systemd:": must be' in ended.stderr
    assert 'smtp.listen[1] = "inetd": must be "host:port", or "systemd"' in ended.stderr
    assert len(ended.stderr.splitlines()) == 2
