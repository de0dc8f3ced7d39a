"""Has a message sent, with a deadline.

Knows: the process that sends (`speaker`), and how to end it.
Does not know: what is sent, and when it is tried again.
"""

import asyncio
import os
import sys
from collections.abc import Sequence

import msgspec

from backupmx.core.alert_text import Letter

SECONDS = 30.0
"""For those who take the message."""
DEADLINE_S = 90.0
"""With the beginning of the process, which takes a small board half a minute."""


async def send(letter: Letter, urls: Sequence[str]) -> Sequence[str | None]:
    """For each URL None, or why nobody was reached by it. Never fails."""
    order = {"urls": urls, "tone": letter.tone, "title": letter.title, "body": letter.body, "seconds": SECONDS}
    try:
        async with asyncio.timeout(DEADLINE_S):
            status, out = await _speak(msgspec.json.encode(order))
        if status == 0:
            return msgspec.json.decode(out, type=list[str | None])
        why = f"the process that sends ended with status {status}"
    except TimeoutError:
        why = f"not done within {DEADLINE_S:.0f} s"
    except (OSError, msgspec.MsgspecError) as error:
        why = f"the process that sends: {error}"
    return [why] * len(urls)


async def _speak(order: bytes) -> tuple[int | None, bytes]:
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    # not through a pipe: a process that ends at once would leave us with its broken end
    with os.fdopen(os.memfd_create("order"), "w+b") as paper:
        paper.write(order)
        paper.seek(0)
        # -P: nothing from the directory in which we happen to work is taken for a module of ours
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "backupmx.alerts.speaker", stdin=paper, stdout=pipe, stderr=nowhere
        )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out
