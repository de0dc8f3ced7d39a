"""The page as systemd starts it: with a socket that is open already, and a word now and then that all is well."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import free_port

PASS = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="backupmx-web.socket")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
SOON = """
import sys
from pathlib import Path
import webui.serve
from backupmx.core.notation import listener
webui.serve.SIGN_OF_LIFE_S = 0.1
sys.exit(webui.serve.main(listener("127.0.0.1:1"), Path("control.sock"), elsewhere=True))
"""


@contextmanager
def started(passed: socket.socket, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Ready, with this socket as file descriptor 3."""
    copy = os.dup2(passed.fileno(), 100)
    process = subprocess.Popen(
        [sys.executable, "-c", PASS, str(copy), *arguments],
        pass_fds=[copy],
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(copy)
    try:
        assert process.stderr
        assert process.stderr.readline() == "backupmx web: ready\n"
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def configuration(place: Path, web: str) -> Path:
    path = place / "backupmx.toml"
    path.write_text(
        f'spool = "{place}"\n[control]\nsocket = "{place}/control.sock"\n{web}[domain."example.com"]\nprimary = ["127.0.0.1:1"]\n'
    )
    return path


def answers(port: int) -> bool:
    """503: the page does, and there is no server behind it."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).close()
    except urllib.error.HTTPError as error:
        with error:
            return error.code == 503
    except OSError:
        return False
    return False


def test_without_a_setting_whoever_opened_the_socket_has_chosen(tmp_path: Path) -> None:
    """A drop-in of the socket unit is all that it takes to have the page elsewhere."""
    path = configuration(tmp_path, "")
    with socket.create_server(("127.0.0.1", 0)) as passed, started(passed, "-m", "backupmx", "web", "--config", str(path)):
        assert answers(passed.getsockname()[1])


@pytest.mark.parametrize("same", [True, False])
def test_a_setting_holds_to_the_letter(tmp_path: Path, same: bool) -> None:
    """The socket that was passed is used if it is the one that is meant; of another address, it is nobody's."""
    with socket.create_server(("127.0.0.1", 0)) as passed:
        port = passed.getsockname()[1] if same else free_port()
        path = configuration(tmp_path, f'[web]\nlisten = "127.0.0.1:{port}"\n')
        with started(passed, "-m", "backupmx", "web", "--config", str(path)):
            assert answers(port)
            assert answers(passed.getsockname()[1]) == same


def test_systemd_hears_that_it_is_ready_and_works_and_ends(tmp_path: Path) -> None:
    """From the process that replaces workers; when that one stands still, nobody says so."""
    with socket.create_server(("127.0.0.1", 0)) as passed, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        with started(passed, "-P", "-c", SOON, NOTIFY_SOCKET=str(tmp_path / "notify")) as process:
            assert systemd.recv(200).startswith(b"READY=1")
            assert systemd.recv(200) == b"WATCHDOG=1"
            process.send_signal(signal.SIGTERM)
            said = iter(lambda: systemd.recv(200), b"STOPPING=1")
            assert set(said) <= {b"WATCHDOG=1"}
