"""What a million recipients that were learned cost: at the start, and for each RCPT while the primary is down.

python -m tests.bench.recipients [--known 1000000] [--asked 100000]
"""

import argparse
import asyncio
import os
import socket
import time
from pathlib import Path

from backupmx.core.belief import Learned, Word
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool
from tests.bench.ours import Ours, ours
from tests.bench.peers import directory, free_port

PART = 10_000
BATCH = 900
"""RCPTs sent ahead at a time; less than a transaction may have."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--known", type=int, default=1_000_000)
    asked.add_argument("--asked", type=int, default=100_000)
    wish = asked.parse_args()
    with directory() as place:
        for name, known in (("empty", 0), ("full", wish.known)):
            asyncio.run(fill(place / name / "spool", known))
            began = time.monotonic()
            with ours_again(place / name) as us:
                print(f"{known:,} known: ready after {time.monotonic() - began:.2f} s", flush=True)
                if known:
                    seconds, taken = ask(us, known, wish.asked)
                    print(f"{wish.asked:,} RCPT, {taken:,} taken: {seconds / wish.asked * 1e6:.0f} µs of processor time each")


def ours_again(place: Path):  # type: ignore[no-untyped-def]
    return ours(place, free_port(), probe="30s")


async def fill(path: Path, known: int) -> None:
    layout.prepare(path)
    spool = LmdbSpool(path, owner="bench", reserve=0)
    for start in range(0, known, PART):
        await spool.roll.learn("example.com", {f"user{n}": Learned(Word.KNOWN, 0) for n in range(start, start + PART)})
    spool.close()


def ask(us: Ours, known: int, asked: int) -> tuple[float, int]:
    """Processor seconds of all our processes, and how many were taken."""
    before, taken = processor(us), 0
    with socket.create_connection(("127.0.0.1", us.port)) as line:
        heard = line.makefile("rb")
        heard.readline()
        say(line, heard, b"EHLO client.test\r\n")
        for start in range(0, asked, BATCH):
            names = [f"user{n * 7919 % known}" for n in range(start, min(start + BATCH, asked))]
            commands = [f"RCPT TO:<{name}@example.com>\r\n".encode() for name in names]
            line.sendall(b"MAIL FROM:<a@sender.test>\r\n" + b"".join(commands))
            assert heard.readline().startswith(b"250")
            taken += sum(heard.readline().startswith(b"250") for _ in names)
            say(line, heard, b"RSET\r\n")
    return processor(us) - before, taken


def say(line: socket.socket, heard: object, command: bytes) -> None:
    line.sendall(command)
    while heard.readline()[3:4] == b"-":  # type: ignore[attr-defined]
        pass


def processor(us: Ours) -> float:
    """Of the whole family."""
    total = 0
    children = Path(f"/proc/{us.pid}/task/{us.pid}/children").read_text().split()
    for pid in (str(us.pid), *children):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total * TICK_S


if __name__ == "__main__":
    main()
