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

from backupmx import durable
from backupmx.owner import as_owner
from backupmx.spool import backup, names
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
        durable.sync(each)
    draft.rename(kept / NAMES)
    durable.sync(kept)


def _place(octets: bytes, named: Path, mode: int, path: Path, kept: Path) -> None:
    """One file, durably, wherever the rights of its directory's owner reach; the one that was there is kept."""
    make_directory(named.parent)
    with as_owner(named.parent):
        place = Path(os.path.realpath(named))
        try:
            old: bytes | None = place.read_bytes()
        except FileNotFoundError:
            old = None
    if old == octets:
        return
    if old is not None and not kept.exists():
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.replace(kept, old)
        for directory in kept.relative_to(path).parents:
            durable.sync(path / directory)
    with as_owner(named.parent):
        make_directory(place.parent)
        was = place.stat() if old is not None else None
        with durable.replacing(place, place.with_name(f".{place.name}{NEW}")) as file:
            file.write(octets)
            _give(file.fileno(), was or place.parent.stat())
            os.fchmod(file.fileno(), was.st_mode & 0o7777 if was else mode)


def make_directory(directory: Path) -> None:
    """With those around it, durably, for whoever has the first that is there."""
    for each in reversed([each for each in (directory, *directory.parents) if not each.exists()]):
        with as_owner(each.parent):
            each.mkdir(mode=FRESH)
            _give(each, each.parent.stat())
        durable.sync(each.parent)


def _give(file: Path | int, owner: os.stat_result) -> None:
    """What root makes in a directory of its own may be for another group, and an old file may be another user's."""
    if os.geteuid() == 0:
        os.chown(file, owner.st_uid, owner.st_gid)
