"""The page's process."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from browser import SERVE, web
from canned import PASSWORD, TOKEN, Canned

MEMORY = 60 * 2**20


def fetch(address: str, **headers: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def read_all(address: str, id: str) -> None:
    """Log in, and look at each page a few times."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with opener.open(f"{address}/login", timeout=20) as answer:
        token = re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', answer.read())
    assert token
    form = urllib.parse.urlencode({"name": "petra", "password": PASSWORD, "csrf_token": token[1].decode()})
    opener.open(f"{address}/login", form.encode(), timeout=20).close()
    for path in ("/", "/queue", "/track", "/report", f"/message/{id}") * 3:
        with opener.open(address + path, timeout=20) as answer:
            assert b"Log out" in answer.read()


def memory_of(pid: int) -> int:
    """What a process and its children take of the machine's memory; shared pages count once."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_proportional(process) for process in (str(pid), *children))


def _proportional(pid: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def test_it_serves_until_it_is_told_to_stop(place: Path, canned: Canned) -> None:
    """Ready is said once it listens; a few requests at once are answered; SIGTERM ends it with 0 and without a word."""
    with web(place) as (address, process):
        assert fetch(f"{address}/healthz") == (200, b'{"status":"ok"}\n')
        assert fetch(f"{address}/api/v1/status")[0] == 401
        status, body = fetch(f"{address}/api/v1/queue", Authorization=f"Bearer {TOKEN}")
        assert status == 200 and body.count(b"queue_id") == len(canned.rows)
        read_all(address, canned.rows[1].message.id)
        assert memory_of(process.pid) < MEMORY


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /\x1b[31m\xff HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\n\x1b[2J\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \x1b[2J\r\n\r\n",
        b"GET /message/%1b%5b2J%0a HTTP/1.1\r\nHost: \x1b[3J\r\n\r\n",
        b"A" * 9000,
    ],
)
@pytest.mark.slow
def test_broken_requests_leave_no_trace_in_the_log(place: Path, canned: Canned, raw: bytes) -> None:
    """I7: a stranger cannot write into the log, nor fill it."""
    with web(place) as (address, _):
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as line:
            line.sendall(raw)
            line.shutdown(socket.SHUT_WR)
            assert line.recv(100).startswith(b"HTTP/1.1 ")
        assert fetch(f"{address}/healthz")[0] == 200


def test_it_outlives_a_worker(place: Path, canned: Canned) -> None:
    """A worker that dies is replaced."""
    with web(place) as (address, process):
        fetch(f"{address}/healthz")
        worker = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        os.kill(worker, signal.SIGKILL)
        assert fetch(f"{address}/healthz")[0] == 200
        assert process.stderr
        assert "SIGKILL" in process.stderr.readline()


def test_it_needs_no_running_server_to_start(place: Path) -> None:
    """The page comes up in whichever order the machine starts things, and says what is missing."""
    with web(place) as (address, _):
        assert fetch(f"{address}/healthz")[0] == 503
        assert fetch(f"{address}/login")[0] == 200


def test_an_address_that_is_taken_is_one_clear_line(place: Path) -> None:
    """Exit 1, and who to look for."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        run = subprocess.run(
            [sys.executable, "-c", SERVE, listen, str(place)], check=False, capture_output=True, text=True, timeout=30
        )
    assert run.returncode == 1
    assert run.stderr == f"backupmx web: {listen}: Address already in use\n"
