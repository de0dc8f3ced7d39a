"""What a courier costs while many messages wait for a primary that is down, and how soon it begins once a probe finds it up.

python -m tests.bench.waiting [--messages 1000000] [--bytes 1024] [--seconds 90]
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from backupmx.core.status import PrimaryState
from backupmx.courier.courier import Courier
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool
from backupmx.watch import log
from tests.bench.courier import DOMAIN, employed, fill, settings_for
from tests.bench.peers import free_port, sink

PATIENCE_S = 60.0


async def until(courier: Courier, state: PrimaryState) -> float:
    """The moment at which the primary is known to be in this state."""
    async with asyncio.timeout(PATIENCE_S):
        while courier.views()[DOMAIN].primary.state is not state:  # noqa: ASYNC110 - a measurement, not a test
            await asyncio.sleep(0.005)
    return time.monotonic()


async def main(options: argparse.Namespace) -> None:
    """Fill, wait, let the primary return, print."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=options.dir) as place:
        layout.prepare(Path(place))
        spool = LmdbSpool(Path(place), owner="bench", reserve=0)
        await fill(spool, options.messages, options.bytes)
        print(f"{options.messages} messages wait", flush=True)
        courier = employed(spool, settings_for(port))
        running = asyncio.create_task(courier.run())
        await until(courier, PrimaryState.DOWN)
        busy = time.process_time()
        await asyncio.sleep(options.seconds)
        busy = time.process_time() - busy
        print(f"{100 * busy / options.seconds:.3f} % of a core in {options.seconds:g} s", flush=True)
        with sink(port) as primary:
            up = await until(courier, PrimaryState.UP)
            async with asyncio.timeout(PATIENCE_S):
                while not primary.taken():  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.005)
            print(f"first delivery {1000 * (primary.times[min(primary.times)] - up):.0f} ms after the probe that found it up")
            await courier.stop()
        await running
        spool.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--bytes", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--dir", help="where to make the spool; default: the system's temporary directory")
    log.set_up("text", "bench")
    uvloop.run(main(parser.parse_args()))
