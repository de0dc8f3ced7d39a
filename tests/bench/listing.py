"""What it costs to look through a million messages: the longest read transaction, and a page with each filter.

python -m tests.bench.listing [--messages 1000000] [--seconds 0.2] [--dir DIR]

A spool that `--dir` has already is used as it is: the filling takes a minute or two.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backupmx.control.admin import Admin
from backupmx.control.answers import AnyAnswer, Counted, Done, Row
from backupmx.control.requests import CountMatching, ListQueue, Verb
from backupmx.core import ids
from backupmx.core.message import Client, Envelope, Message, Recipient, Schedule, State
from backupmx.core.queue import Filter
from backupmx.core.track import Wanted
from backupmx.spool import layout
from backupmx.spool.search import MOMENT, first_id
from backupmx.spool.store import LmdbSpool
from backupmx.spool.transaction import Transaction
from tests.bench.peers import directory

BATCH = 20_000
NOW = datetime(2026, 11, 26, tzinfo=UTC)
APART = timedelta(milliseconds=500)
FILTERS = {
    "nothing": Filter(),
    "one domain of three": Filter(domain="two.example"),
    "a domain that has little": Filter(domain="rare.example"),
    "a state that has little": Filter(state=State.HELD),
    "a sender that is nobody": Filter(sender="nobody@elsewhere.example"),
    "a recipient that is nobody": Filter(recipient="nobody@one.example"),
    "a subject of nobody": Filter(subject="nothing of the kind"),
    "older than five days": Filter(before=NOW - timedelta(days=5)),
}


def message(number: int) -> Message:
    """Half a second after the one before it; every 50th has an encoded subject."""
    at = NOW - timedelta(days=6) + number * APART
    domain = "rare.example" if number % 100_000 == 5 else ("one.example", "two.example", "three.example")[number % 3]
    envelope = Envelope(
        f"sender{number % 977}@elsewhere.example",
        (Recipient(f"user{number % 211}@{domain}", domain),),
        Client("192.0.2.7", "client.elsewhere.example", tls="TLSv1.3 TLS_AES_256_GCM_SHA384"),
    )
    subject = "=?utf-8?q?R=C3=A4kningen_f=C3=B6r_november?=" if number % 50 == 0 else f"The minutes of meeting {number}"
    id = ids.encode(first_id(at)[:MOMENT] + number.to_bytes(10))
    return Message(id, at, 0, 0, bytes(16), envelope, {domain: Schedule(at)}, subject=subject)


async def fill(path: Path, messages: int) -> None:
    """Their records alone, as if all were empty."""
    layout.prepare(path)
    spool = LmdbSpool(path, owner="bench", reserve=0)
    for start in range(0, messages, BATCH):

        def command(work: Transaction, start: int = start) -> None:
            for number in range(start, min(start + BATCH, messages)):
                work.accept(message(number), b"")

        await spool._writer.do(command)
    spool.close()


def timed(read: Callable[..., Any], times: list[float]) -> Callable[..., Any]:
    def read_it(*given: object) -> Any:
        began = time.perf_counter()
        answer = read(*given)
        times.append(time.perf_counter() - began)
        return answer

    return read_it


async def measure(path: Path, seconds: float) -> None:
    spool = LmdbSpool(path, owner="bench", reserve=0)
    times: list[float] = []
    spool.page = timed(spool.page, times)  # type: ignore[method-assign]
    admin = Admin(spool, lambda: NOW, lambda: None, {}, lambda *_: None)
    print(f"{sum(count.messages for count in spool.census().total.values()):,} messages; each listing has {seconds} s")
    for name, wanted in FILTERS.items():
        began = time.perf_counter()
        answers = [answer async for answer in admin.listing(ListQueue(wanted, 50, seconds=seconds))]
        took = time.perf_counter() - began
        counted: AnyAnswer = await admin.count(CountMatching(Verb.DELETE, wanted, seconds))
        assert isinstance(counted, Counted)
        assert isinstance(answers[-1], Done)
        rows = sum(isinstance(answer, Row) for answer in answers)
        more = f", goes on after {answers[-1].after}" if answers[-1].after else ""
        print(
            f"{name}: {rows} rows in {took * 1000:.0f} ms{more}; counted {counted.messages:,}{'' if counted.all else ' or more'}"
        )
    print(
        f"reads of the queue: {len(times)}, longest {max(times) * 1000:.1f} ms, median {statistics.median(times) * 1000:.1f} ms"
    )
    for name, read in (("census", spool.census), ("books", lambda: spool.books(0))):
        began = time.perf_counter()
        read()
        print(f"{name}: {(time.perf_counter() - began) * 1000:.1f} ms")
    tracked: list[float] = []
    look, after = timed(spool.track.page, tracked), None
    for _ in range(20):
        after = look(Wanted(sender="nobody@elsewhere.example"), after, 50).after
    print(f"reads of the track: longest {max(tracked) * 1000:.1f} ms")
    spool.close()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--messages", type=int, default=1_000_000)
    asked.add_argument("--seconds", type=float, default=0.2)
    asked.add_argument("--dir", type=Path)
    wish = asked.parse_args()
    with directory() as place:
        path = wish.dir or place / "spool"
        if not path.exists():
            began = time.monotonic()
            asyncio.run(fill(path, wish.messages))
            print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
        asyncio.run(measure(path, wish.seconds))


if __name__ == "__main__":
    main()
