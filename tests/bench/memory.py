"""What clients cost in memory, summed over all our processes: idle connections, and large messages at once.

python -m tests.bench.memory [--idle 1000] [--clients 100] [--mebibytes 20] [--line 78]
"""

import argparse
import asyncio
import resource
import time

from tests.bench.ours import Memory, Ours, ours
from tests.bench.peers import directory, free_port

EVERY_S = 0.1
PATIENCE_S = 300.0


def said(name: str, memory: Memory) -> str:
    return f"{name}: PSS {memory.pss:.1f} MB (of it {memory.anonymous:.1f} MB no file's pages), RSS {memory.rss:.1f} MB"


async def greeted(port: int) -> asyncio.StreamWriter:
    """A client that says EHLO, and then nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert (await reader.readline()).startswith(b"220")
    writer.write(b"EHLO client.test\r\n")
    while (await reader.readline())[3:4] == b"-":
        pass
    return writer


async def idle(us: Ours, count: int) -> None:
    """Before and after `count` connections that said EHLO."""
    await asyncio.gather(
        *(greeted(us.port) for _ in range(20))
    )  # what is loaded with the first connection is no connection's cost
    before = us.memory()
    writers = [await greeted(us.port) for _ in range(count)]
    after = us.memory()
    print(said("no connection", before))
    print(said(f"{count} idle connections", after))
    print(f"{count} idle connections cost {after.pss - before.pss:.1f} MB PSS, {after.rss - before.rss:.1f} MB RSS", flush=True)
    for writer in writers:
        writer.close()


async def large(port: int, mebibytes: int, length: int) -> bytes:
    """One message with lines of so many octets; the last reply."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
    piece = (b"x" * (length - 2) + b"\r\n") * (2**20 // length)
    for words in (b"", b"EHLO client.test", b"MAIL FROM:<a@sender.test>", b"RCPT TO:<user@example.com>", b"DATA"):
        if words:
            writer.write(words + b"\r\n")
        while (line := await reader.readline())[3:4] == b"-":
            pass
        assert line[:1] in b"23", line
    for _ in range(mebibytes):
        writer.write(piece)
        await writer.drain()
    writer.write(b".\r\n")
    reply = await reader.readline()
    writer.close()
    return reply


async def at_once(us: Ours, clients: int, mebibytes: int, length: int) -> None:
    """The peak while all send."""
    began = time.monotonic()
    sending = asyncio.gather(*(large(us.port, mebibytes, length) for _ in range(clients)))
    peaks: list[Memory] = []
    while not sending.done():
        peaks.append(await asyncio.to_thread(us.memory))
        await asyncio.wait([sending], timeout=EVERY_S)
    replies = await sending
    taken = sum(reply.startswith(b"250") for reply in replies)
    peak = Memory(*(max(getattr(one, name) for one in peaks) for name in ("rss", "pss", "anonymous")))
    print(said(f"peak with {clients} clients of {mebibytes} MiB at once, {length} octets a line", peak))
    print(f"{taken} of {clients} accepted in {time.monotonic() - began:.1f} s", flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--idle", type=int, default=1000)
    asked.add_argument("--clients", type=int, default=100)
    asked.add_argument("--mebibytes", type=int, default=20)
    asked.add_argument("--line", type=int, default=78, help="octets of a line with its end; 2: empty lines")
    wish = asked.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for measure in (lambda us: idle(us, wish.idle), lambda us: at_once(us, wish.clients, wish.mebibytes, wish.line)):
        with directory() as place, ours(place / "ours", free_port(), probe="30s") as us:
            asyncio.run(asyncio.wait_for(measure(us), PATIENCE_S))


if __name__ == "__main__":
    main()
