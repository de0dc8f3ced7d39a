"""Who is signed in: each session by a key that only its browser has.

Knows: how long a session lasts, how many there may be, and what is kept for one between two requests.
Does not know: passwords, roles, requests, cookies.

They are in this process's memory, and end with it. What ends one here ends it everywhere: a cookie that was copied opens nothing.
"""

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

Clock = Callable[[], datetime]

IDLE = timedelta(hours=12)
"""After which a session that nobody used is over."""
LIVES = timedelta(days=7)
"""How long a session is good for, at most."""
MOST = 1000
MOST_OF_ONE = 20
"""Sessions of one user; the one that was used the longest time ago makes room."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that is signed in."""

    key: str = field(repr=False)
    """Only the browser's cookie has it."""
    label: str
    """By which it is named in forms."""
    name: str
    """The user's."""
    fingerprint: str
    """Of the password that was given: the session dies with it."""
    address: str
    browser: str
    """In short, and in none of the words that the browser said."""
    began: datetime
    seen: datetime


@dataclass(slots=True)
class _Kept:
    session: Session
    aside: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Sessions:
    """All of them; threads may share it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def begin(self, name: str, fingerprint: str, address: str, browser: str) -> Session:
        """A new one, under a key that nobody knew before."""
        now = self._clock()
        key, label = secrets.token_urlsafe(32), secrets.token_hex(8)
        session = Session(key, label, name, fingerprint, address, browser, now, now)
        with self._lock:
            self._sweep(now)
            self._make_room((kept.session for kept in self._kept.values() if kept.session.name == name), MOST_OF_ONE)
            self._make_room((kept.session for kept in self._kept.values()), MOST)
            self._kept[key] = _Kept(session)
        return session

    def again(self, key: str) -> Session | None:
        """The session of this key, if it is not over; it was seen now."""
        now = self._clock()
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            if _over(kept.session, now):
                del self._kept[key]
                return None
            kept.session = replace(kept.session, seen=now)
            return kept.session

    def end(self, key: str) -> None:
        """Nobody comes in by this key any more."""
        with self._lock:
            self._kept.pop(key, None)

    def end_labelled(self, label: str, name: str | None) -> Session | None:
        """End the one that a form names, of this user or, with None, of anybody; returns it, if there is one."""
        with self._lock:
            found = next((kept.session for kept in self._kept.values() if kept.session.label == label), None)
            if found is None or name not in (None, found.name):
                return None
            del self._kept[found.key]
            return found

    def end_all(self, name: str, but: str | None = None) -> int:
        """End a user's sessions, but for the one of this key; returns how many there were."""
        with self._lock:
            keys = [key for key, kept in self._kept.items() if kept.session.name == name and key != but]
            for key in keys:
                del self._kept[key]
        return len(keys)

    def all(self) -> tuple[Session, ...]:
        """Those that are not over, the one that was seen last first."""
        with self._lock:
            self._sweep(self._clock())
            found = [kept.session for kept in self._kept.values()]
        return tuple(sorted(found, key=lambda session: session.seen, reverse=True))

    # What must not travel in a cookie

    def put_aside(self, key: str, what: str, texts: tuple[str, ...]) -> None:
        """Keep something for a session's next request, as long as the session lasts."""
        with self._lock:
            if kept := self._kept.get(key):
                kept.aside[what] = texts

    def aside(self, key: str, what: str) -> tuple[str, ...]:
        """What was put aside; nothing, if nothing was."""
        with self._lock:
            kept = self._kept.get(key)
            return kept.aside.get(what, ()) if kept else ()

    def take(self, key: str, what: str) -> tuple[str, ...]:
        """The same, once."""
        with self._lock:
            kept = self._kept.get(key)
            return kept.aside.pop(what, ()) if kept else ()

    def _sweep(self, now: datetime) -> None:
        for key in [key for key, kept in self._kept.items() if _over(kept.session, now)]:
            del self._kept[key]

    def _make_room(self, sessions: Iterable[Session], most: int) -> None:
        found = sorted(sessions, key=lambda session: session.seen)
        for session in found[: max(0, len(found) - most + 1)]:
            del self._kept[session.key]


def _over(session: Session, now: datetime) -> bool:
    return now - session.seen >= IDLE or now - session.began >= LIVES
