"""A file that lists who exists in a domain, and what is believed while it changes.

Knows: when to look at the file, when to read it again, and when not to trust what it says.
Does not know: the forms of lists (`core/roster.py`), what is answered to a sender.

A refusal that rests on this file is for good, so a broken file must not cause one. What is unreadable, says nothing about its
domain, or lost most of its addresses and has problems, leaves in force what was read before. And since a file may be seen while
it is being written, an address that is gone is still believed until the file was found unchanged at the next look.
"""

import codecs
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from backupmx.core.roster import EVERYONE, parse, spellings

LOOK_EVERY = 1.0
"""Seconds."""


class ListFile:
    """The addresses that one file lists for one domain."""

    def __init__(self, path: Path, domain: str, delimiter: str, fold_case: bool, clock: Callable[[], float]) -> None:
        self._path = path
        self._domain = domain
        self._delimiter = delimiter
        self._fold_case = fold_case
        self._clock = clock
        self._looking = Lock()
        self._next_look: float | None = None
        self._seen: tuple[int, int, int] | None = None
        """The file's state when it was read."""
        self._names: frozenset[str] | None = None
        self._gone: frozenset[str] = frozenset()
        """What the file had before, and may have again at the next look."""
        self._problems: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the file as it is now."""
        return self._problems

    @property
    def entries(self) -> int:
        """How many addresses and patterns are in force."""
        return len(self._names or ())

    def holds(self, local: str) -> bool | None:
        """Whether this address of the domain exists, as the file said when it was read; None while it has never told."""
        if self._names is None:
            self.refresh()
        names, gone = self._names, self._gone
        if names is None:
            return None
        return any(name in names or name in gone for name in (EVERYONE, *spellings(local, self._delimiter, self._fold_case)))

    def refresh(self) -> None:
        """Look at the file if a second has passed, and read it if it changed.

        A list of a million takes seconds to read: this is called in a thread, and `holds` answers meanwhile from what was read
        before.
        """
        now = self._clock()
        if self._next_look is not None and now < self._next_look:
            return
        if self._looking.acquire(blocking=False):
            try:
                self._next_look = now + LOOK_EVERY
                self._look()
            finally:
                self._looking.release()

    def _look(self) -> None:
        try:
            found = self._path.stat()
            state = (found.st_mtime_ns, found.st_size, found.st_ino)
            if state == self._seen:
                self._gone = frozenset()
                return
            if not stat.S_ISREG(found.st_mode):
                self._keep(None, "is not a file")
                return
            text = _decoded(self._path.read_bytes())
        except OSError as error:
            self._keep(None, f"cannot be read: {error.strerror or error}")
            return
        roster = parse(text, self._domain)
        names = frozenset(
            local.lower() if self._fold_case else local for domain, local in roster.entries if domain == self._domain
        )
        if not names:
            # also when it was emptied on purpose: an export that went wrong looks the same
            self._keep(state, f"lists nobody in {self._domain}", *roster.problems)
        elif self._names is not None and roster.problems and 2 * len(names) < len(self._names):
            self._keep(state, f"has lost {len(self._names) - len(names)} of {len(self._names)} addresses", *roster.problems)
        else:
            self._gone = ((self._names or frozenset()) | self._gone) - names
            self._names, self._seen = names, state
            self._problems = self._told(*roster.problems)

    def _keep(self, state: tuple[int, int, int] | None, *problems: str) -> None:
        """Leave in force what was read before; without a state the file is read at the next look."""
        self._seen = state
        kept = f"{problems[0]}; the {len(self._names)} known before still count" if self._names else problems[0]
        self._problems = self._told(kept, *problems[1:])

    def _told(self, *problems: str) -> tuple[str, ...]:
        return tuple(f"{self._path}: {problem}" for problem in problems)


def _decoded(content: bytes) -> str:
    """UTF-8, or what PowerShell writes unasked. An address with octets that are neither ends as a problem, with its line."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8", "surrogateescape")
