"""A copy of the whole spool in one stream, taken while others work on it; and such a stream read back.

Knows: the form of the stream, which files belong to the mail, how each is copied as it was at one moment.
Does not know: where the stream goes to and comes from, what a configuration is, and how what was read back comes into its place.

It is a tar file, so that it can be looked into without us: a label; the configuration's files, if they are wanted; the database
in pieces, in their order (`cat data.mdb.*` is it), or without the mail what it holds of recipients; then the other files, and at
last what all of them must be.
"""

import io
import os
import re
import sqlite3
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import lmdb
import msgspec
from msgspec import Struct
from xxhash import xxh3_128

from backupmx.core.label import FORM, BackupLabel
from backupmx.errors import BackupUnusable, SpoolUnusable
from backupmx.spool import layout, names

PIECE = 4 * 2**20
"""Octets of the database in one member: what is held in memory."""
DATABASE = "data.mdb"
CONTENTS = "contents.json"
"""The last member: a stream that was cut off lacks it."""
LABEL = "label.json"
"""The first member; what form 1 wrote has none."""
CONFIGURATION = "configuration/"
NAMES = "recipients"
ASIDE = "aside"
"""In a draft, the directory of what is no file of the spool: what was read of a configuration and of recipients."""
LARGEST = 2**30
"""Of a file beside the database."""
LARGEST_OWN = 2**26
"""Of all the configuration's files together: they are held in memory."""
_PIECE = re.compile(r"data\.mdb\.([0-9]{6,})")
_NAMES = re.compile(r"recipients\.([0-9]{6,})")
_BESIDE = re.compile(
    r"(?!data\.mdb|lock|contents\.json|label\.json|recipients\.|aside|restoring|restored-|replaced-|compacting)"
    r"((tls|mta-sts)/)?[A-Za-z0-9_-][A-Za-z0-9._-]*"
)
_OWN = re.compile(r"configuration(/(?!\.{1,2}(/|$))[^/\0]{1,255}){1,20}")
_PASSING = (".lock", ".new", ".damaged", "-journal")
"""Ends of names that belong to nobody's state."""
_DIRECTORIES = ("tls", "mta-sts")
_PAST = ".sqlite"
"""How things went belongs to the mail: without it, what is there stays."""

Step = Callable[[int], None]
"""So many octets more are done."""


class Contents(Struct, frozen=True):
    """What must have come when all has come: of each member the XXH3 digest, in hexadecimal digits."""

    form: int
    taken: datetime
    digests: dict[str, str]


class Own(Struct, frozen=True):
    """A file of the configuration."""

    octets: bytes
    mode: int


def size(path: Path) -> int:
    """Octets of the database in a backup, nearly. Raises SpoolUnusable."""
    with closing(opened(path)) as env:
        return layout.in_use(env)


def opened(path: Path) -> lmdb.Environment:
    """The environment of a spool that is there. Raises SpoolUnusable."""
    if not (path / DATABASE).exists():
        raise SpoolUnusable(f"spool {path}: there is none")
    return layout.open_environment(path, None)


def write(path: Path, out: BinaryIO, label: BackupLabel, own: Mapping[str, Own], step: Step) -> None:
    """Write all of a spool, or all but the mail, whoever works on it. Raises SpoolUnusable, OSError of the stream.

    `own` are the configuration's files, by their names in its directory.
    """
    with closing(opened(path)) as env, tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        digests: dict[str, str] = {}

        def put(name: str, octets: bytes, mode: int = 0o600) -> None:
            digests[name] = xxh3_128(octets).hexdigest()
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(octets), mode, int(label.taken.timestamp())
            tar.addfile(member, io.BytesIO(octets))

        put(LABEL, msgspec.json.encode(label))
        for name, file in own.items():
            put(f"{CONFIGURATION}{name}", file.octets, file.mode)
        for number, piece in enumerate(_pieces(env, path, label.mail)):
            put(f"{DATABASE if label.mail else NAMES}.{number:06}", piece)
            step(len(piece))
        for name in _beside(path, label.mail):
            try:
                octets = _octets(path / name)
            except FileNotFoundError:
                # what is gone meanwhile was of no importance
                continue
            except OSError as error:
                raise SpoolUnusable(f"{path / name}: {error.strerror}") from None
            put(name, octets)
        put(CONTENTS, msgspec.json.encode(Contents(label.form, label.taken, digests)))


def _pieces(env: lmdb.Environment, path: Path, mail: bool) -> Iterator[bytes]:
    if not mail:
        yield from names.written(env)
        return
    with copied(env, path) as copy:
        yield from iter(lambda: copy.read(PIECE), b"")


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


def _beside(path: Path, mail: bool) -> list[str]:
    """The names of the files that belong to the mail; or of those that do not tell of it."""
    places = [path, *(path / name for name in _DIRECTORIES if (path / name).is_dir())]
    files = [file for place in places for file in place.iterdir() if file.is_file() and not file.name.endswith(_PASSING)]
    ours = [file for file in files if mail or file.suffix != _PAST]
    return sorted(name for file in ours if _BESIDE.fullmatch(name := str(file.relative_to(path))))


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


class Incoming:
    """A backup that is being read: first what it is, and its configuration; then all the rest, into a directory."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        """Raises BackupUnusable."""
        self._tar = tar
        self._digests: dict[str, str] = {}
        self.label: BackupLabel | None = None
        """None: of form 1, which is known at its end alone."""
        self.own: dict[str, Own] = {}
        """The configuration's files, by their names in its directory."""
        self._ahead = self._next()
        if self._ahead and self._ahead.name == LABEL:
            self.label = _label(self._octets(self._ahead))
            self._ahead = self._next()
        self._read_own()

    def into(self, place: Path, step: Step) -> BackupLabel:
        """Read the rest into an empty directory, and hold all of it against its digests. Raises BackupUnusable, OSError."""
        contents: Contents | None = None
        mail = self.label is None or self.label.mail
        (place / ASIDE).mkdir(mode=0o700)
        with (place / DATABASE).open("wb") if mail else nullcontext() as database:
            while self._ahead:
                name, octets = self._ahead.name, self._octets(self._ahead)
                if name == CONTENTS:
                    contents = _contents(octets)
                elif database and _PIECE.fullmatch(name):
                    database.write(octets)
                else:
                    self._put(place, name, octets, mail)
                step(len(octets))
                self._ahead = self._next()
        return self._judged(contents)

    def _read_own(self) -> None:
        room = LARGEST_OWN
        while self._ahead and self._ahead.name.startswith(CONFIGURATION):
            if (room := room - self._ahead.size) < 0:
                raise BackupUnusable("is no backup: its configuration is too large to be one")
            name = self._ahead.name.removeprefix(CONFIGURATION)
            self.own[name] = Own(self._octets(self._ahead), self._ahead.mode)
            self._ahead = self._next()
        if not self.own and self.label and self.label.origin:
            raise BackupUnusable("is no backup: there is no configuration in it")
        if tuple(self.own) != (self.label.origin.files if self.label and self.label.origin else ()):
            raise BackupUnusable("is no backup: its configuration is not what it says")

    def _put(self, place: Path, name: str, octets: bytes, mail: bool) -> None:
        if _NAMES.fullmatch(name) and not mail:
            try:
                names.entries(octets)
            except (msgspec.MsgspecError, ValueError) as error:
                raise BackupUnusable(f"is no backup: {name}: {error}") from None
            (place / ASIDE / name).write_bytes(octets)
        elif _BESIDE.fullmatch(name) and (mail or not name.endswith(_PAST)):
            file = place / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(octets)
        else:
            raise _foreign(name)

    def _judged(self, contents: Contents | None) -> BackupLabel:
        if contents is None:
            raise BackupUnusable("is not whole: its end is missing")
        if self.label is None:
            if contents.form != 1:
                raise _newer(contents.form)
            self.label = BackupLabel(form=1, program="", taken=contents.taken, layout=layout.VERSION, mail=True)
        # the order of the pieces is a part of it
        if list(self._digests.items()) != list(contents.digests.items()):
            raise BackupUnusable("is damaged: what is in it does not match its digests")
        return self.label

    def _next(self) -> tarfile.TarInfo | None:
        try:
            return self._tar.next()
        except (tarfile.TarError, EOFError) as error:
            raise _broken(error) from None

    def _octets(self, member: tarfile.TarInfo) -> bytes:
        """What a member holds, if we could have written it: names lead nowhere else, and nothing is larger than it should be."""
        limit = PIECE if _PIECE.fullmatch(member.name) or _NAMES.fullmatch(member.name) else LARGEST
        ours = member.name in (LABEL, CONTENTS) or any(each.fullmatch(member.name) for each in (_PIECE, _NAMES, _OWN, _BESIDE))
        if not ours or not member.isreg() or member.issparse() or member.size > limit or member.name in self._digests:
            raise _foreign(member.name)
        try:
            file = self._tar.extractfile(member)
            assert file is not None
            octets = file.read()
        except (tarfile.TarError, EOFError) as error:
            raise _broken(error) from None
        if member.name != CONTENTS:
            self._digests[member.name] = xxh3_128(octets).hexdigest()
        return octets


@contextmanager
def incoming(stream: BinaryIO) -> Iterator[Incoming]:
    """A backup from a stream. Raises BackupUnusable."""
    try:
        tar = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115 - it is closed below
    except (tarfile.TarError, EOFError) as error:
        raise _broken(error) from None
    with tar:
        yield Incoming(tar)


def _label(octets: bytes) -> BackupLabel:
    try:
        form = msgspec.json.decode(octets, type=_Form).form
        if form > FORM:
            raise _newer(form)
        return msgspec.json.decode(octets, type=BackupLabel)
    except msgspec.MsgspecError as error:
        raise _broken(error) from None


def _contents(octets: bytes) -> Contents:
    try:
        return msgspec.json.decode(octets, type=Contents)
    except msgspec.MsgspecError as error:
        raise _broken(error) from None


class _Form(Struct, frozen=True):
    form: int


def _newer(form: int) -> BackupUnusable:
    return BackupUnusable(f"its form is {form}, and this program knows {FORM}: a newer one wrote it")


def _broken(error: Exception) -> BackupUnusable:
    return BackupUnusable(f"is no backup, or not a whole one: {error}")


def _foreign(name: str) -> BackupUnusable:
    return BackupUnusable(f"is no backup: {name!r} does not belong into one")
