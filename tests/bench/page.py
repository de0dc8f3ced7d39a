"""How long the page takes with a million messages waiting, and what its process takes of the memory.

python -m tests.bench.page [--messages 1000000] [--rounds 10] [--place DIR]

The real server with its primaries away, the real page in its own process, a browser's requests without a browser. A place that is
filled already is used as it is.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

from tests.bench.listing import fill
from tests.bench.ours import Memory, Ours, family, ours, wait_until
from tests.bench.peers import directory, free_port

PASSWORD = "a password for a bench"
ROW = re.compile('id="message-')
PATHS = {
    "overview": "/",
    "overview, last 30 days": "/?span=month",
    "queue": "/queue",
    "queue of a domain": "/queue?domain=two.example",
    "queue of a domain that has little": "/queue?domain=rare.example",
    "queue, state held (none)": "/queue?state=held",
    "queue, sender nobody": "/queue?sender=nobody%40elsewhere.example",
    "queue, subject of one in 50": "/queue?subject=r%C3%A4kningen",
    "queue, subject of nobody": "/queue?subject=nothing+of+the+kind",
    "queue, older than 5 d": "/queue?older=5d",
    "track": "/track",
    "report": "/report",
}


class Reader:
    """Somebody who is logged in."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> str:
        with self._opener.open(self._address + path, timeout=60) as answer:
            assert answer.status == 200
            return str(answer.read().decode())

    def post(self, path: str, **form: str) -> str:
        with self._opener.open(self._address + path, urllib.parse.urlencode(form).encode(), timeout=60) as answer:
            return str(answer.read().decode())

    def log_in(self) -> None:
        page = self.post("/login", name="petra", password=PASSWORD, csrf_token=self.token("/login"))
        assert "Log out" in page

    def token(self, path: str) -> str:
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(path))
        assert found
        return found[1]


def command(*words: str, config: Path) -> list[str]:
    return [sys.executable, "-m", "backupmx", *words, "--config", str(config)]


def spent(pid: int) -> float:
    """Seconds of processor time of a process and all that it began."""
    ticks = 0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(us: Ours, web: int, config: Path, address: str, rounds: int) -> None:
    subprocess.run(
        command("user", "add", "petra", "--role", "admin", "--password-stdin", config=config),
        input=PASSWORD,
        text=True,
        check=True,
    )
    reader = Reader(address)
    reader.log_in()
    print(f"{us.waiting():,} messages wait", flush=True)
    for name, path in PATHS.items():
        times, before = [], (spent(web), spent(us.pid))
        for _ in range(rounds):
            began = time.perf_counter()
            page = reader.get(path)
            times.append((time.perf_counter() - began) * 1000)
        page_ms, server_ms = ((spent(pid) - then) * 1000 / rounds for pid, then in zip((web, us.pid), before, strict=True))
        print(
            f"{name}: median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms; processor {page_ms:.0f} ms here "
            f"and {server_ms:.0f} ms in the server; {len(ROW.findall(page))} rows, {len(page) // 1024} KiB"
        )
    began = time.perf_counter()
    token = reader.token("/queue")
    preview = reader.post("/queue/preview", verb="delete", everything="yes", subject="nothing", csrf_token=token)
    took = time.perf_counter() - began
    said = re.search("<h1>(.*?)</h1>", preview)
    print(f"preview of what a filter means: {took * 1000:.0f} ms: {said[1] if said else preview[:200]}", flush=True)


def run(place: Path, messages: int, rounds: int) -> None:
    if not (place / "spool").exists():
        place.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        asyncio.run(fill(place / "spool", messages))
        print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
    away, port = free_port(), free_port()
    others = "".join(f'[domain."{name}.example"]\nprimary = ["127.0.0.1:{away}"]\n' for name in ("one", "two", "three", "rare"))
    with ours(place, away, domain=f'{others}[web]\nlisten = "127.0.0.1:{port}"\n') as us:
        config = place / "backupmx.toml"
        web = subprocess.Popen(command("web", config=config), stderr=subprocess.PIPE, text=True)
        try:
            assert web.stderr
            wait_until(lambda: web.stderr.readline() == "backupmx web: ready\n", 30, "the page")
            measure(us, web.pid, config, f"http://127.0.0.1:{port}", rounds)
            memory: Memory = Ours(port, web.pid, us.control).memory()
            print(f"the page's process: PSS {memory.pss:.1f} MB (of it {memory.anonymous:.1f} MB no file's pages)")
        finally:
            web.terminate()
            web.wait(20)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--messages", type=int, default=1_000_000)
    asked.add_argument("--rounds", type=int, default=10)
    asked.add_argument("--place", type=Path)
    wish = asked.parse_args()
    with directory() as place:
        run(wish.place or place, wish.messages, wish.rounds)


if __name__ == "__main__":
    main()
