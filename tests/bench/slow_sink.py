"""A primary that takes its time for each reply, and throws the mail away; it counts aloud as smtp-sink does.

python -m tests.bench.slow_sink PORT MILLISECONDS

It does one thing after the other: commands that were sent ahead wait until those before them are answered.
"""

import asyncio
import sys

taken = 0


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """One session."""

    async def say(words: str) -> None:
        await asyncio.sleep(seconds)
        writer.write(words.encode() + b"\r\n")

    try:
        await say("220 slow.test ESMTP")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                await say("250-slow.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
            elif verb == b"DATA":
                await say("354 go on")
                while await reader.readline() not in (b".\r\n", b""):
                    pass
                await say("250 2.0.0 taken")
                count()
            else:
                await say("221 2.0.0 bye" if verb == b"QUIT" else "250 2.0.0 fine")
                if verb == b"QUIT":
                    break
    except OSError:
        pass
    finally:
        writer.close()


def count() -> None:
    """Tell the new number."""
    global taken  # noqa: PLW0603 - the one thing that all sessions share
    taken += 1
    print(f"mesg={taken}", end="\r", flush=True)


async def main(port: int, milliseconds: float) -> None:
    """Until killed."""
    server = await asyncio.start_server(lambda r, w: serve(r, w, milliseconds / 1000), "127.0.0.1", port, limit=2**20)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
