"""Ten thousand connections that trickle, one octet each ten seconds, half of them within TLS, while an honest client sends mail.

python -m tests.bench.trickle [--connections 10000] [--seconds 60] [--until-freed]
"""

import argparse
import asyncio
import resource
import ssl
import statistics
import time

from tests.bench.ours import Ours, ours
from tests.bench.peers import directory, free_port

PACE_S = 10.0
HONEST_EVERY_S = 0.1
AT_ONCE = 50
PER_ADDRESS = 50
"""As the default limit for each client has it."""
TRUSTING = ssl.create_default_context()
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> bytes:
    """A command, and the last line of its reply; nothing for the greeting."""
    if line:
        writer.write(line + b"\r\n")
    while (heard := await reader.readline())[3:4] == b"-":
        pass
    return heard


class Trickle:
    """One connection: within TLS or not, in the middle of a command or of content."""

    def __init__(self, number: int) -> None:
        self.tls = number % 2 == 0
        self.in_content = number % 4 < 2
        self.ended: float | None = None
        self._source = f"127.1.{number // PER_ADDRESS // 250}.{number // PER_ADDRESS % 250 + 1}"
        self._writer: asyncio.StreamWriter
        self.watch: asyncio.Task[None]

    async def open(self, port: int, limit: asyncio.Semaphore) -> None:
        async with limit:
            reader, self._writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(self._source, 0), limit=1024)
            commands = [b"", b"EHLO client.test"]
            if self.tls:
                commands += [b"STARTTLS"]
            for command in commands:
                assert (await say(reader, self._writer, command))[:1] == b"2"
            if self.tls:
                await self._writer.start_tls(TRUSTING)
                await say(reader, self._writer, b"EHLO client.test")
            if self.in_content:
                for command in (b"MAIL FROM:<a@slow.test>", b"RCPT TO:<user@example.com>", b"DATA"):
                    assert (await say(reader, self._writer, command))[:1] in b"23"
        self.watch = asyncio.create_task(self._until_end(reader))

    async def _until_end(self, reader: asyncio.StreamReader) -> None:
        try:
            while await reader.read(256):
                pass
        except OSError:
            pass
        self.ended = time.monotonic()
        self._writer.close()

    async def drip(self) -> None:
        while self.ended is None:
            self._writer.write(b"x")
            await asyncio.sleep(PACE_S)


async def honest(port: int, seconds: float) -> list[float]:
    """A message each tenth of a second; how long until each has its 250."""
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        commands = [b"", b"EHLO client.test", b"MAIL FROM:<a@sender.test>", b"RCPT TO:<user@example.com>", b"DATA", b"x\r\n."]
        heard = [await say(reader, writer, command) for command in commands]
        assert heard[-1][:4] == b"250 ", heard
        times.append(time.monotonic() - began)
        writer.close()
        await asyncio.sleep(max(0.0, began + HONEST_EVERY_S - time.monotonic()))
    return times


async def run(us: Ours, wish: argparse.Namespace) -> None:
    """Open, trickle, measure; then wait until all are gone, if that is asked for."""
    before = us.memory()
    await honest(us.port, 1)
    began = time.monotonic()
    all_ = [Trickle(number) for number in range(wish.connections)]
    limit = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(each.open(us.port, limit) for each in all_))
    opened = time.monotonic()
    print(f"{wish.connections} connections, half of them within TLS, were there after {opened - began:.0f} s", flush=True)
    drips = [asyncio.create_task(each.drip()) for each in all_]
    times = sorted(await honest(us.port, wish.seconds))
    memory = us.memory()
    print(
        f"an honest client's 250: median {statistics.median(times):.3f} s, 99th percentile {times[int(len(times) * 0.99)]:.3f} s"
    )
    print(f"memory: PSS {memory.pss:.0f} MB, of it {memory.pss - before.pss:.0f} MB for the connections")
    print(f"ended so far: {sum(each.ended is not None for each in all_)}", flush=True)
    if wish.until_freed:
        for kind in (False, True):
            mine = [each for each in all_ if each.in_content is kind]
            await asyncio.gather(*(each.watch for each in mine))
            last = max(each.ended or 0 for each in mine) - opened
            print(f"{'in content' if kind else 'in a command'}: the last of {len(mine)} ended after {last:.0f} s", flush=True)
    for task in drips:
        task.cancel()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--connections", type=int, default=10_000)
    asked.add_argument("--seconds", type=float, default=60.0)
    asked.add_argument("--until-freed", action="store_true")
    wish = asked.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with directory() as place, ours(place / "ours", free_port(), probe="30s", connections=12_000) as us:
        asyncio.run(run(us, wish))


if __name__ == "__main__":
    main()
