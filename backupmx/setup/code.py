"""The one-time code: whoever has it owns the machine.

Knows: its form, the file that keeps it, how often it may be guessed.
Does not know: how it reaches the owner (the console, a file on the card), what it opens.
"""

import hmac
import math
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from backupmx import durable
from backupmx.control.answers import CodeRefused
from backupmx.errors import FileUnwritable
from backupmx.owner import as_owner
from backupmx.watch import log

NAME = "setup-code"
"""Of the file, beside the mail."""
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are taken for each other: 0 and o, 1, i and l."""
GROUPS, IN_A_GROUP = 3, 4
_FORM = re.compile(rf"[{LETTERS}]{{{IN_A_GROUP}}}(-[{LETTERS}]{{{IN_A_GROUP}}}){{{GROUPS - 1}}}")
FREE = 10
"""Wrong ones before whoever gives another wrong one is told to wait."""
WAIT_S = 3.0
"""After each that follows: what comes meanwhile and is wrong is not even noted, so that nobody fills the log.

The right one is never kept waiting, or anybody could keep its owner out. Nor is that what makes guessing hopeless: there are
31^12 = 7.9 * 10^17 codes (59 bits). Who could try 10,000 a second, many times what any of our machines answers, has tried half of
them after 3.9 * 10^13 s, which is more than a million years; in a month they find it once in 30 million times.
"""


class OneTimeCode:
    """The code of this machine; it is made once, and outlives the process."""

    def __init__(self, path: Path, seconds: Callable[[], float] = time.monotonic) -> None:
        """Raises FileUnwritable."""
        self._path = path
        self._seconds = seconds
        self._wrong = 0
        self._next = -math.inf
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.text = _read(path)
            if not self.text:
                self.text = _new()
                with as_owner(path.parent):
                    durable.replace(path, f"{self.text}\n".encode())
        except OSError as error:
            raise FileUnwritable(f"{path}: {error.strerror or error}") from error

    def refused(self, typed: str) -> CodeRefused | None:
        """Why this does not open anything; None: it is the code. Capitals, spaces and hyphens do not matter."""
        if hmac.compare_digest(_letters(typed), _letters(self.text)):
            self._wrong, self._next = 0, -math.inf
            return None
        left = self._next - self._seconds()
        if left > 0:
            return CodeRefused(math.ceil(left))
        self._wrong += 1
        wait = WAIT_S if self._wrong >= FREE else 0
        self._next = self._seconds() + wait
        log.setup_code_refused(math.ceil(wait))
        return CodeRefused()


def forget(path: Path) -> None:
    """Whatever code was made for this machine opens nothing any more. Raises OSError."""
    if path.exists():
        path.unlink()
        durable.sync(path.parent)


def _read(path: Path) -> str:
    try:
        text = path.read_text(errors="replace").strip()
    except FileNotFoundError:
        return ""
    return text if _FORM.fullmatch(text) else ""


def _new() -> str:
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(IN_A_GROUP)) for _ in range(GROUPS))


def _letters(typed: str) -> bytes:
    return re.sub(r"[\s-]", "", typed.lower()).encode(errors="replace")
