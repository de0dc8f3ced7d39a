"""What comes with a backup and is no file of the spool: recipients without their mail, and files of other directories.

Knows: where each of them is to go, how one takes the place of another, that a crash may come at any moment.
Does not know: what the files are for; when it is time (`exchange`).
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from backupmx.spool import backup, layout, names
from backupmx.spool.backup import ASIDE, CONFIGURATION, NAMES

PLACEMENTS = "placements.json"
NEW = ".new"
FRESH = 0o750
"""Of a directory that has to be made."""


class Placement(Struct, frozen=True):
    """A file of the configuration, and where it is to be."""

    name: str
    """In the backup."""
    place: str
    mode: int
    """If there is none yet; else that one's holds, and its owner."""


def write(draft: Path, own: Mapping[str, bytes], placements: Sequence[Placement]) -> None:
    """Files, by their names in a backup, and where each is to be, in this order."""
    for name, octets in own.items():
        file = draft / ASIDE / CONFIGURATION / name
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_bytes(octets)
    (draft / ASIDE / PLACEMENTS).write_bytes(msgspec.json.encode(placements))


def finish(path: Path, decided: Path, kept: Path) -> None:
    """Put all of it in place; may be begun again wherever it ended. Raises SpoolUnusable, OSError."""
    place = decided / ASIDE
    if not place.is_dir():
        return
    if pieces := sorted(place.glob(f"{NAMES}.*")):
        _keep_names(path, kept)
        names.put(path, (piece.read_bytes() for piece in pieces))
        for file in path.glob("*.mdb"):
            give_to_owner(path, file)
    if (place / PLACEMENTS).exists():
        for each in msgspec.json.decode((place / PLACEMENTS).read_bytes(), type=list[Placement]):
            octets = (place / CONFIGURATION / each.name).read_bytes()
            _place(octets, Path(each.place), each.mode, path, kept / CONFIGURATION / each.name)


def _keep_names(path: Path, kept: Path) -> None:
    """What is known of recipients today."""
    if (kept / NAMES).exists() or not (path / backup.DATABASE).exists():
        return
    draft = kept / f"{NAMES}{NEW}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    with closing(backup.opened(path)) as env:
        for number, piece in enumerate(names.written(env)):
            (draft / f"{NAMES}.{number:06}").write_bytes(piece)
    for each in (kept, draft, *draft.iterdir()):
        give_to_owner(path, each)
        sync(each)
    draft.rename(kept / NAMES)
    layout.sync_directory(kept)


def _place(octets: bytes, place: Path, mode: int, path: Path, kept: Path) -> None:
    """One file, durably; the one that was there is kept."""
    place = Path(os.path.realpath(place))
    try:
        old: bytes | None = place.read_bytes()
    except FileNotFoundError:
        old = None
    if old == octets:
        return
    make_directory(place.parent)
    was = place.stat() if old is not None else None
    if old is not None and not kept.exists():
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(kept, old, 0o600, path.stat())
        for directory in kept.relative_to(path).parents:
            give_to_owner(path, path / directory)
            layout.sync_directory(path / directory)
    _write(place, octets, was.st_mode & 0o7777 if was else mode, was or place.parent.stat())
    layout.sync_directory(place.parent)


def make_directory(directory: Path) -> None:
    """With those around it, durably, for whoever has the first that is there."""
    for each in reversed([each for each in (directory, *directory.parents) if not each.exists()]):
        each.mkdir(mode=FRESH)
        _give(each, each.parent.stat())
        layout.sync_directory(each.parent)


def _write(file: Path, octets: bytes, mode: int, owner: os.stat_result) -> None:
    draft = file.with_name(f".{file.name}{NEW}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(octets)
        _give(draft, owner)
        os.fchmod(out.fileno(), mode)
        out.flush()
        os.fsync(out.fileno())
    draft.rename(file)


def _give(file: Path, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(file, owner.st_uid, owner.st_gid)


def give_to_owner(path: Path, file: Path) -> None:
    """Root may work here for a server that runs as another user."""
    _give(file, path.stat())


def sync(file: Path) -> None:
    """A file, or a directory with its names."""
    fd = os.open(file, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
