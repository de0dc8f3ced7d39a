"""A copy of the whole spool in one stream, taken while others work on it; and such a stream read back.

Knows: the form of the stream, which files belong to the mail, how each is copied as it was at one moment.
Does not know: where the stream goes to and comes from, and how a spool that was read back comes into its place.

It is a tar file, so that it can be looked into without us: the database in pieces, in their order (`cat data.mdb.*` is it),
then the other files, and at last what all of them must be.
"""

import io
import os
import re
import sqlite3
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import lmdb
import msgspec
from msgspec import Struct
from xxhash import xxh3_128

from backupmx.errors import BackupUnusable, SpoolUnusable
from backupmx.spool import layout

FORM = 1
PIECE = 4 * 2**20
"""Octets of the database in one member: what is held in memory."""
DATABASE = "data.mdb"
CONTENTS = "contents.json"
"""The last member: a stream that was cut off lacks it."""
LARGEST = 2**30
"""Of a file beside the database."""
_PIECE = re.compile(r"data\.mdb\.([0-9]{6,})")
_BESIDE = re.compile(r"(?!data\.mdb|lock|contents\.json)([A-Za-z0-9_-][A-Za-z0-9._-]*/)?[A-Za-z0-9_-][A-Za-z0-9._-]*")
_PASSING = (".lock", ".new", ".damaged", "-journal")
"""Ends of names that belong to nobody's state."""
_DIRECTORIES = ("tls", "mta-sts")

Step = Callable[[int], None]
"""So many octets more are done."""


class Contents(Struct, frozen=True):
    """What must have come when all has come: of each member the XXH3 digest, in hexadecimal digits."""

    form: int
    taken: datetime
    digests: dict[str, str]


def size(path: Path) -> int:
    """Octets of the database in a backup, nearly. Raises SpoolUnusable."""
    with closing(opened(path)) as env:
        return layout.in_use(env)


def opened(path: Path) -> lmdb.Environment:
    """The environment of a spool that is there. Raises SpoolUnusable."""
    if not (path / DATABASE).exists():
        raise SpoolUnusable(f"spool {path}: there is none")
    return layout.open_environment(path, None)


def write(path: Path, out: BinaryIO, now: datetime, step: Step) -> None:
    """Write all of a spool, whoever works on it. Raises SpoolUnusable, OSError of the stream."""
    with closing(opened(path)) as env, tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        digests: dict[str, str] = {}

        def put(name: str, octets: bytes) -> None:
            digests[name] = xxh3_128(octets).hexdigest()
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(octets), 0o600, int(now.timestamp())
            tar.addfile(member, io.BytesIO(octets))

        with copied(env, path) as copy:
            for number, piece in enumerate(iter(lambda: copy.read(PIECE), b"")):
                put(f"{DATABASE}.{number:06}", piece)
                step(len(piece))
        for name in _beside(path):
            try:
                octets = _octets(path / name)
            except FileNotFoundError:
                # what is gone meanwhile was of no importance
                continue
            except OSError as error:
                raise SpoolUnusable(f"{path / name}: {error.strerror}") from None
            put(name, octets)
        put(CONTENTS, msgspec.json.encode(Contents(FORM, now, digests)))


@contextmanager
def copied(env: lmdb.Environment, path: Path) -> Iterator[BinaryIO]:
    """The database as it is at this moment, without its free pages, from the end of a pipe."""
    ours, theirs = os.pipe()
    trouble: list[lmdb.Error] = []

    def copy() -> None:
        try:
            env.copyfd(theirs, compact=True)
        except lmdb.Error as error:
            trouble.append(error)
        finally:
            os.close(theirs)

    thread = threading.Thread(target=copy, name="spool-copy", daemon=True)
    thread.start()
    try:
        with os.fdopen(ours, "rb") as stream:
            yield stream
    finally:
        # who reads no further has closed the pipe, and that ends it
        thread.join()
    if trouble:
        raise SpoolUnusable(f"spool {path}: {trouble[0]}")


def _beside(path: Path) -> list[str]:
    """The names of the files that belong to the mail."""
    places = [path, *(path / name for name in _DIRECTORIES if (path / name).is_dir())]
    files = [file for place in places for file in place.iterdir() if file.is_file() and not file.name.endswith(_PASSING)]
    return sorted(name for file in files if _BESIDE.fullmatch(name := str(file.relative_to(path))))


def _octets(file: Path) -> bytes:
    """A file as it was at one moment; those that are replaced whole are so by themselves."""
    if file.suffix == ".sqlite":
        try:
            place = f"{file.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(place, uri=True)) as source, closing(sqlite3.connect(":memory:")) as copy:
                source.backup(copy)
                return copy.serialize()
        except sqlite3.DatabaseError:
            # a damaged one as it is
            pass
    return file.read_bytes()


def read(stream: BinaryIO, place: Path, step: Step) -> Contents:
    """Read a backup into an empty directory, and hold all of it against its digests. Raises BackupUnusable."""
    digests: dict[str, str] = {}
    contents: Contents | None = None
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar, (place / DATABASE).open("wb") as database:
            for member in tar:
                octets = _content(tar, member)
                if member.name == CONTENTS:
                    contents = msgspec.json.decode(octets, type=Contents)
                    continue
                digests[member.name] = xxh3_128(octets).hexdigest()
                if _PIECE.fullmatch(member.name):
                    database.write(octets)
                    step(len(octets))
                else:
                    file = place / member.name
                    file.parent.mkdir(exist_ok=True)
                    file.write_bytes(octets)
    except (tarfile.TarError, EOFError, msgspec.MsgspecError) as error:
        raise BackupUnusable(f"is no backup, or not a whole one: {error}") from None
    except OSError as error:
        raise BackupUnusable(f"cannot be read into {place}: {error.strerror or error}") from None
    if contents is None:
        raise BackupUnusable("is not whole: its end is missing")
    if contents.form != FORM:
        raise BackupUnusable(f"its form is {contents.form}, and this program knows {FORM}: a newer one wrote it")
    # the order of the pieces is a part of it
    if list(digests.items()) != list(contents.digests.items()):
        raise BackupUnusable("is damaged: what is in it does not match its digests")
    return contents


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """What a member holds, if we could have written it: names lead nowhere else, and nothing is larger than it should be."""
    piece = _PIECE.fullmatch(member.name)
    ours = piece or member.name == CONTENTS or _BESIDE.fullmatch(member.name)
    if not ours or not member.isreg() or member.size > (PIECE if piece else LARGEST):
        raise BackupUnusable(f"is no backup: {member.name!r} does not belong into one")
    file = tar.extractfile(member)
    assert file is not None
    return file.read()
