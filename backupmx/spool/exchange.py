"""Another database in the place of today's: a backup that is restored, or the same without its free pages.

Knows: files and their names, who else may have the database open, that a crash may come at any moment.
Does not know: what is in a backup, and who is asked whether it is meant.

All of it is done under the spool's lock (`layout.lock`), so that no server runs. A draft is worth nothing until it is renamed
`restored-…`; from then on it is the spool, and whoever meets that name finishes what was begun (`settle`). The old files stay,
under `replaced-…`. A server that runs can make the draft and give it that name, and has to end then: the next one finishes it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

from backupmx import durable
from backupmx.core import words
from backupmx.core.label import BackupLabel
from backupmx.errors import SpoolFull, SpoolLocked, SpoolUnusable
from backupmx.spool import aside, backup, layout
from backupmx.spool.aside import Placement
from backupmx.spool.backup import ASIDE, DATABASE, Incoming, Step
from backupmx.spool.verify import Finding, verify

DRAFT = "restoring"
DECIDED = "restored-"
KEPT = "replaced-"
COMPACTING = "compacting"
LOCK = "lock.mdb"
OWN_TABLES = {"meta", "count", "roll"}
"""Databases with something in them also where no mail has been."""
JOURNAL = "-journal"
MARGIN = 2**24
"""Octets that must be free beyond what a copy takes."""


def settle(path: Path) -> None:
    """What a crash left: an exchange that was decided is finished, drafts go. The caller has the lock. Raises SpoolLocked."""
    for place in (path / DRAFT, path / COMPACTING):
        shutil.rmtree(place, ignore_errors=True)
    for each in decided(path):
        _finish(path, each)


def decided(path: Path) -> list[Path]:
    """Exchanges that were decided and are not finished."""
    return sorted(path.glob(f"{DECIDED}*"))


def held(path: Path) -> int | None:
    """How many messages there are; None when that cannot be told."""
    if not (path / DATABASE).exists():
        return 0
    try:
        with closing(backup.opened(path)) as env:
            return layout.census(env).get("message", 0)
    except SpoolUnusable:
        return None


def empty(path: Path) -> bool:
    """Whether there has been nothing yet that somebody could miss."""
    if not (path / DATABASE).exists():
        return True
    try:
        with closing(backup.opened(path)) as env:
            return not any(entries for name, entries in layout.census(env).items() if name not in OWN_TABLES)
    except SpoolUnusable:
        return False


class Restoration:
    """A backup on its way into a spool, in a directory beside what is there."""

    def __init__(self, path: Path, draft: Path) -> None:
        self._path = path
        self._draft = draft

    def take(self, backup: Incoming, step: Step) -> BackupLabel:
        """Raises BackupUnusable, OSError."""
        return backup.into(self._draft, step)

    def place(self, own: Mapping[str, bytes], placements: Sequence[Placement]) -> None:
        """Files of the configuration that came with it, and where they are to go, in this order."""
        aside.write(self._draft, own, placements)

    @property
    def messages(self) -> int:
        """How many there are in the backup."""
        return held(self._draft) or 0

    def findings(self) -> Iterator[Finding]:
        """Whether each of them is sound, and the indexes too. Raises SpoolTooNew, SpoolUnusable."""
        layout.prepare(self._draft)
        return verify(self._draft)

    def put_in_place(self, now: datetime) -> Path | None:
        """It is the spool from now on; returns where the files are that it replaced, if there were any. Raises SpoolLocked."""
        with _alone(self._path):
            decided = self.decide(now)
            kept = _kept(self._path, decided)
            _exchange(self._path, decided, kept)
        _finish(self._path, decided)
        return kept if kept.exists() else None

    def decide(self, now: datetime) -> Path:
        """It is what the next one who has the lock puts in place, whatever happens meanwhile. Durable when this returns."""
        (self._draft / LOCK).unlink(missing_ok=True)
        for file in [self._draft, *self._draft.rglob("*")]:
            file.chmod(0o700 if file.is_dir() else 0o600)
            durable.sync(file)
        decided = self._draft.rename(self._path / f"{DECIDED}{now:%Y%m%dT%H%M%SZ}")
        durable.sync(self._path)
        return decided


def drafted(path: Path) -> Restoration:
    """Room for a backup beside a server that runs, and whose lock is ours; what was there of another goes."""
    forget(path)
    (path / DRAFT).mkdir(mode=0o700)
    return Restoration(path, path / DRAFT)


def forget(path: Path) -> None:
    """What was drafted, and not decided, is not wanted."""
    shutil.rmtree(path / DRAFT, ignore_errors=True)


@contextmanager
def restoring(path: Path) -> Iterator[Restoration]:
    """Room for a backup, until it is in place or given up. Raises SpoolLocked while a server runs."""
    with _exclusively(path), _drafted(path, DRAFT) as draft:
        yield Restoration(path, draft)


@contextmanager
def _exclusively(path: Path) -> Iterator[None]:
    """No server works with the spool, and none begins to."""
    fd = layout.lock(path)
    try:
        settle(path)
        yield
    finally:
        os.close(fd)


@contextmanager
def _drafted(path: Path, name: str) -> Iterator[Path]:
    """An empty directory that is gone afterwards, unless it was renamed."""
    draft = path / name
    try:
        draft.mkdir(mode=0o700)
        yield draft
    except OSError as error:
        raise SpoolUnusable(f"spool {path}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _kept(path: Path, decided: Path) -> Path:
    return path / f"{KEPT}{decided.name.removeprefix(DECIDED)}"


def _finish(path: Path, decided: Path) -> None:
    """May be begun again wherever it ended: the spool first, then what is not in it, the configuration itself at last."""
    kept = _kept(path, decided)
    # the database is the last one there to be moved
    with _alone(path) if (decided / DATABASE).exists() else nullcontext():
        _exchange(path, decided, kept)
    aside.finish(path, decided, kept)
    shutil.rmtree(decided)
    durable.sync(path)


def _exchange(path: Path, decided: Path, kept: Path) -> None:
    """The database comes last, and with it ends the need to be alone."""
    found = [each for each in decided.rglob("*") if each.is_file() and ASIDE not in each.relative_to(decided).parts]
    for file in sorted(found, key=lambda each: (each.name == DATABASE, each)):
        name = file.relative_to(decided)
        _keep(path, kept, name)
        (path / name).parent.mkdir(mode=0o700, exist_ok=True)
        file.replace(path / name)
    for place in (*(each for each in path.iterdir() if each.is_dir()), path):
        durable.sync(place)


def _keep(path: Path, kept: Path, name: Path) -> None:
    """A second name for what is there, so that there is no moment without it."""
    old, second = path / name, kept / name
    if old.exists() and not second.exists():
        second.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        second.hardlink_to(old)
    journal = path / f"{name}{JOURNAL}"
    if journal.exists():
        # what SQLite left in the middle of something would be taken for a part of the new file
        journal.replace(kept / journal.relative_to(path))


def compact(path: Path, step: Step) -> tuple[int, int]:
    """Leave out free pages; returns the size before and after.

    Raises SpoolFull without room for a copy, SpoolLocked while a server runs, SpoolUnusable.
    """
    before = (path / DATABASE).stat().st_size if (path / DATABASE).exists() else 0
    with _exclusively(path), _drafted(path, COMPACTING) as draft:
        with closing(backup.opened(path)) as env:
            needed, room = layout.in_use(env) + MARGIN, shutil.disk_usage(path).free
            if needed > room:
                raise SpoolFull(f"spool {path}: a copy takes {words.size(needed)}, and {words.size(room)} are free")
            with backup.copied(env, path) as pieces, (draft / DATABASE).open("wb") as file:
                while piece := pieces.read(backup.PIECE):
                    step(file.write(piece))
            entries = layout.census(env)
        with closing(backup.opened(draft)) as env:
            if layout.census(env) != entries:
                raise SpoolUnusable(f"spool {path}: the copy lacks something; nothing is changed")
        (draft / DATABASE).chmod(0o600)
        durable.sync(draft / DATABASE)
        with _alone(path):
            (draft / DATABASE).replace(path / DATABASE)
            durable.sync(path)
    return before, (path / DATABASE).stat().st_size


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody has the database open, not even to read it, and nobody can take it for the one that it was.

    LMDB holds this octet of its lock file as long as it has an environment open. What the file says is of the old database:
    without it the next one who opens it begins anew.
    """
    fd = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        os.ftruncate(fd, 0)
        yield
    except BlockingIOError:
        raise SpoolLocked(f"spool {path}: another command has it open just now") from None
    finally:
        os.close(fd)
