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

from backupmx.control import beside
from backupmx.control.answers import CodeRefused
from backupmx.errors import FileUnwritable
from backupmx.watch import log

NAME = "setup-code"
"""Of the file, beside the mail."""
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are taken for each other: 0 and o, 1, i and l."""
GROUPS, IN_A_GROUP = 3, 4
_FORM = re.compile(rf"[{LETTERS}]{{{IN_A_GROUP}}}(-[{LETTERS}]{{{IN_A_GROUP}}}){{{GROUPS - 1}}}")
FREE = 10
"""Wrong ones before anybody has to wait."""
WAIT_S = 3.0
"""After each that follows. It keeps nobody out for long, and to try all codes takes longer than the world is old."""


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
                beside.put(path, f"{self.text}\n".encode())
        except OSError as error:
            raise FileUnwritable(f"{path}: {error.strerror or error}") from error

    def refused(self, typed: str) -> CodeRefused | None:
        """Why this does not open anything; None: it is the code. Capitals, spaces and hyphens do not matter."""
        left = self._next - self._seconds()
        if left > 0:
            return CodeRefused(math.ceil(left))
        if hmac.compare_digest(_letters(typed), _letters(self.text)):
            self._wrong = 0
            return None
        self._wrong += 1
        wait = WAIT_S if self._wrong >= FREE else 0
        self._next = self._seconds() + wait
        log.setup_code_refused(math.ceil(wait))
        return CodeRefused()


def forget(path: Path) -> None:
    """Whatever code was made for this machine opens nothing any more. Raises OSError."""
    if path.exists():
        path.unlink()
        beside.sync(path.parent)


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
