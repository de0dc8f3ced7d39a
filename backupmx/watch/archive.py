"""The file in which history outlives a restart: `history.sqlite`, beside the mail.

Knows: SQL, what to do with a file that cannot be read.
Does not know: what happens, when something is written, and what is asked. Callers take turns.

No history is a reason not to serve: a file that is damaged, or from a newer program, is set aside, and where none can be kept
what is remembered lives in memory. Raises sqlite3.Error, for a full disk for instance.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backupmx.core.history import Outage, Point
from backupmx.watch import log

VERSION = 1
_NO_DATABASE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POINT = """at INTEGER PRIMARY KEY, waiting INTEGER, bytes INTEGER,
    accepted INTEGER, relayed INTEGER, delivered INTEGER, refused TEXT, room INTEGER"""
_FORM = f"""
CREATE TABLE point ({_POINT});
CREATE TABLE minute ({_POINT});
CREATE TABLE outage (domain TEXT, began INTEGER, ended INTEGER, why TEXT, PRIMARY KEY (domain, began)) WITHOUT ROWID;
CREATE TABLE wait (domain TEXT, day INTEGER, seconds REAL, PRIMARY KEY (domain, day)) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""
"""Moments are seconds, days are days, both since 1970; an outage that lasts has no end."""
Waits = Mapping[tuple[str, int], timedelta]
"""The longest, by domain and day."""


class Archive:
    """One open file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._opened()

    def _opened(self) -> sqlite3.Connection:
        try:
            try:
                return _made(str(self._path))
            except sqlite3.DatabaseError as error:
                if not damaged(error):
                    raise
                self._set_aside(str(error))
                return _made(str(self._path))
        except (sqlite3.Error, OSError) as error:
            log.trouble("history", error)
            return _made(":memory:")

    def _set_aside(self, why: str) -> None:
        """Kept for whoever wants to look into it, until the next one."""
        kept = self._path.with_name(f"{self._path.name}.damaged")
        log.history_set_aside(str(kept), why)
        self._path.replace(kept)
        with suppress(FileNotFoundError):
            self._path.with_name(f"{self._path.name}-journal").unlink()

    def begin_anew(self, why: str) -> None:
        """It turned out to be damaged."""
        self._file.close()
        with suppress(OSError):
            self._set_aside(why)
        self._file = self._opened()

    def write(self, points: Iterable[Point], outages: Iterable[Outage], waits: Waits, before: datetime) -> None:
        """What came, and what became longer, in one transaction; what is older than `before` goes."""
        with self._file:
            self._file.executemany("INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_row, points))
            self._file.executemany(
                "INSERT OR REPLACE INTO outage VALUES (?, ?, ?, ?)",
                [(each.domain, _number(each.began), each.ended and _number(each.ended), _plain(each.why)) for each in outages],
            )
            self._file.executemany(
                "INSERT INTO wait VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seconds = max(seconds, excluded.seconds)",
                [(domain, day, wait.total_seconds()) for (domain, day), wait in waits.items()],
            )
            oldest = _number(before)
            self._file.execute("DELETE FROM point WHERE at < ?", (oldest,))
            self._file.execute("DELETE FROM outage WHERE ended < ?", (oldest,))
            self._file.execute("DELETE FROM wait WHERE day < ?", ((before - _EPOCH).days,))

    def write_minutes(self, minutes: Iterable[Point]) -> None:
        """The last hour's, for who begins where we end."""
        with self._file:
            self._file.execute("DELETE FROM minute")
            self._file.executemany("INSERT OR REPLACE INTO minute VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_row, minutes))

    def minutes(self) -> Sequence[Point]:
        """What `write_minutes` left, oldest first."""
        return [_point(*row) for row in self._file.execute("SELECT * FROM minute ORDER BY at")]

    def points(self, since: datetime) -> Sequence[Point]:
        """From then on, oldest first."""
        return [_point(*row) for row in self._file.execute("SELECT * FROM point WHERE at >= ? ORDER BY at", (_number(since),))]

    def ends(self) -> tuple[datetime, datetime] | tuple[None, None]:
        """The moments of the first point and of the last; nothing when there is none."""
        first, last = self._file.execute("SELECT min(at), max(at) FROM point").fetchone()
        return (None, None) if first is None else (_moment(first), _moment(last))

    def outages(self, since: datetime, upto: datetime, most: int) -> Sequence[Outage]:
        """Those of this time, newest first, up to so many."""
        asked = "SELECT * FROM outage WHERE (ended IS NULL OR ended > ?) AND began < ? ORDER BY began DESC LIMIT ?"
        return [_outage(*row) for row in self._file.execute(asked, (_number(since), _number(upto), most))]

    def lasting(self) -> Sequence[Outage]:
        """Those that have no end yet."""
        return [_outage(*row) for row in self._file.execute("SELECT * FROM outage WHERE ended IS NULL")]

    def waits(self, first: int, end: int) -> Mapping[str, timedelta]:
        """The longest of each domain, from the first day to the one before the end."""
        asked = "SELECT domain, max(seconds) FROM wait WHERE day >= ? AND day < ? GROUP BY domain"
        return {domain: timedelta(seconds=seconds) for domain, seconds in self._file.execute(asked, (first, end))}

    def close(self) -> None:
        """Nothing works afterwards."""
        self._file.close()


def damaged(error: sqlite3.Error) -> bool:
    """Whether the file is no use any more, or none of ours; a full disk for instance will pass."""
    return isinstance(error, _Strange) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_DATABASE


class _Strange(sqlite3.DatabaseError):
    """A database, but not one that this program knows."""


def _made(path: str) -> sqlite3.Connection:
    file = sqlite3.connect(path, check_same_thread=False)
    try:
        _check(file)
        if not file.execute("PRAGMA user_version").fetchone()[0]:
            file.executescript(f"BEGIN; {_FORM} COMMIT;")
    except BaseException:
        file.close()
        raise
    return file


def _check(file: sqlite3.Connection) -> None:
    (found,) = file.execute("PRAGMA quick_check(1)").fetchone()
    (version,) = file.execute("PRAGMA user_version").fetchone()
    if found != "ok":
        raise _Strange(found)
    if version not in (0, VERSION):
        raise _Strange(f"its form is {version}, and this program knows {VERSION}")


def _row(point: Point) -> tuple[object, ...]:
    refused = json.dumps(point.refused)
    flows = (point.accepted, point.relayed, point.delivered)
    return (_number(point.at), point.waiting, point.bytes, *flows, refused, point.room)


def _point(at: int, waiting: int, octets: int, accepted: int, relayed: int, delivered: int, refused: str, room: int) -> Point:
    return Point(_moment(at), waiting, octets, accepted, relayed, delivered, json.loads(refused), room)


def _outage(domain: str, began: int, ended: int | None, why: str) -> Outage:
    return Outage(domain, _moment(began), None if ended is None else _moment(ended), why)


def _number(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)


def _moment(number: int) -> datetime:
    return _EPOCH + timedelta(seconds=number)


def _plain(text: str) -> str:
    """A stranger's words, as far as they can be written."""
    return text.encode(errors="replace").decode()
