"""How fast the courier alone gives back: fills a spool directly, then drains it to Postfix's discarding smtp-sink.

python -m tests.bench.courier [--messages 10000] [--bytes 4096] [--connections 20] [--profile]
"""

import argparse
import asyncio
import cProfile
import pstats
import secrets
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from backupmx.config import Settings
from backupmx.core import ids
from backupmx.core.message import Client, Envelope, Recipient
from backupmx.courier.board import Board
from backupmx.courier.courier import Courier
from backupmx.courier.notifier import Notifier
from backupmx.recipients.knowledge import Knowledge
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool
from backupmx.watch import log
from tests.bench.peers import free_port, sink

DOMAIN = "example.com"
PATIENCE_S = 300.0


def now() -> datetime:
    """The one clock."""
    return datetime.now(UTC)


async def fill(spool: LmdbSpool, messages: int, size: int) -> None:
    """Messages as an edge would have left them."""
    content = b"Received: from client.test by mx2.example.net\r\nSubject: bench\r\n\r\n"
    content += (b"0123456789" * 7 + b"\r\n") * ((size - len(content)) // 72)
    envelope = Envelope("sender@sender.test", (Recipient(f"user@{DOMAIN}", DOMAIN),), Client("192.0.2.7", "client.test"))

    async def one() -> None:
        intake = spool.intake(new_id())
        await intake.write(content)
        await intake.commit(envelope, now())

    for start in range(0, messages, 500):
        await asyncio.gather(*(one() for _ in range(min(500, messages - start))))


def new_id() -> ids.MessageId:
    """As an edge makes them."""
    return ids.made(now(), secrets.randbits(ids.CHANCE))


def employed(spool: LmdbSpool, settings: Settings) -> Courier:
    """A courier for this spool."""
    knowledge = Knowledge(settings.domains, spool.roll, Board(tuple(settings.domains)), now, time.monotonic)
    return Courier(settings, spool, now, knowledge, Notifier(settings, spool.content, new_id))


def settings_for(port: int, connections: int = 20) -> Settings:
    """One domain, whose primary is on this loopback port."""
    return Settings.model_validate(
        {
            "hostname": "mx2.example.net",
            "delivery": {"max_connections_per_route": connections},
            "domain": {DOMAIN: {"primary": (f"127.0.0.1:{port}",)}},
        }
    )


async def drain(spool: LmdbSpool, settings: Settings) -> tuple[float, float]:
    """Seconds until the spool is empty, and those of processor time that this process took."""
    courier = employed(spool, settings)
    began, busy = time.perf_counter(), time.process_time()
    running = asyncio.create_task(courier.run())
    async with asyncio.timeout(PATIENCE_S):
        while spool.census().total:  # noqa: ASYNC110 - a measurement, not a test
            await asyncio.sleep(0.02)
    took = time.perf_counter() - began, time.process_time() - busy
    await courier.stop()
    await running
    return took


async def main(options: argparse.Namespace) -> None:
    """Fill, drain, print."""
    port = free_port()
    settings = settings_for(port, options.connections)
    with tempfile.TemporaryDirectory(dir=options.dir) as place, sink(port) as primary:
        layout.prepare(Path(place))
        spool = LmdbSpool(Path(place), owner="bench", reserve=0)
        await fill(spool, options.messages, options.bytes)
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        took, busy = await drain(spool, settings)
        if options.profile:
            profile.disable()
            pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(45)
        spool.close()
        sent = primary.taken()
        print(
            f"{sent} messages of {options.bytes} octets in {took:.2f} s: {sent / took:.0f}/s, "
            f"{1e6 * busy / sent:.0f} µs of processor time each"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=4096)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--dir", help="where to make the spool; default: the system's temporary directory")
    parser.add_argument("--profile", action="store_true")
    log.set_up("text", "bench")
    uvloop.run(main(parser.parse_args()))
