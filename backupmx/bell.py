"""How the workers tell the courier that something changed: lines in a pipe.

Knows: their form, and how often they are worth a line.
Does not know: what is made of them.

A line is empty for new mail; else it is a word and the domain that it is about, or from the supervisor the process.
"""

import asyncio
import os
from collections.abc import Sequence

BELL_S = 0.02
"""New mail is told at most this often: a signal for each message would cost more than the message."""
ETRN = "etrn"
"""A primary asks for what waits."""
DIED = "died"
"""A process ended unasked; its name stands in the place of the domain."""


class Bell:
    """A worker's end: rings not more often than the courier wants to hear it."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._pending = False

    def ring(self) -> None:
        """Cheap: called for each message."""
        if not self._pending:
            self._pending = True
            asyncio.get_running_loop().call_later(BELL_S, self._write)

    def ask(self, domain: str) -> None:
        """A primary wants what waits for this domain."""
        self.tell(ETRN, domain)

    def tell(self, what: str, domain: str) -> None:
        """Something was learned about a primary."""
        self._say(f"{what} {domain}")

    def _write(self) -> None:
        self._pending = False
        self._say("")

    def _say(self, line: str) -> None:
        try:
            os.write(self._pipe, f"{line}\n".encode("ascii"))
        except BlockingIOError:
            pass  # the pipe is full of rings: it will be heard


def heard(pipe: int) -> Sequence[tuple[str, str]] | None:
    """The courier's end: what was said since the last time, each once; None when nothing was."""
    try:
        # a line that is cut in two is no word about a domain, and an alarm all the same
        lines = os.read(pipe, 4096).decode("ascii").split("\n")
    except BlockingIOError:
        return None
    said = (line.partition(" ") for line in dict.fromkeys(lines))
    return [(what, domain) for what, _, domain in said if domain]
