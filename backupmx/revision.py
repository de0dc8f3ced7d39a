"""The configuration file being changed: one at a time, right before it is in place, and put back if it has to be.

Knows: the file, who else may be at it, its owner and mode, and who says whether it is right (`config`).
Does not know: what is changed, and what a setting means.
"""

import difflib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backupmx import config
from backupmx.config import Settings
from backupmx.draft import Draft
from backupmx.errors import ConfigurationError, ConfigurationUnchanged


@contextmanager
def revising(path: Path) -> "Iterator[Revision]":
    """Nobody else revises the file meanwhile. Raises ConfigurationError for what cannot be read, ConfigurationUnchanged."""
    try:
        place = path.resolve(strict=True)
        directory = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    except RuntimeError:
        raise ConfigurationError((f"{path}: cannot be read: it is a link to itself",)) from None
    except OSError as error:
        raise ConfigurationError((f"{path}: cannot be read: {error.strerror}",)) from None
    try:
        # the directory, for the file itself is replaced
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield Revision(path, place)
    finally:
        os.close(directory)


def digest(octets: bytes) -> str:
    """Tells one state of the file from another."""
    return hashlib.sha256(octets).hexdigest()


def hindrance(path: Path) -> str:
    """Why this user cannot change the file, as far as can be told beforehand; empty if nothing is in the way."""
    place = Path(os.path.realpath(path))
    # the file is replaced by a new one, which has to be given to whoever has the old one
    try:
        foreign = os.geteuid() not in (0, place.stat().st_uid)
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    if not (os.access(place, os.W_OK, effective_ids=True) and os.access(place.parent, os.W_OK, effective_ids=True)):
        return f"{path}: this user may not change it"
    return f"{path}: it belongs to another user" if foreign else ""


class Revision:
    """What the file is, and what it is to be."""

    def __init__(self, path: Path, place: Path) -> None:
        """`path` is what people call it, `place` where it is."""
        self._path = path
        self._place = place
        self._old = config.octets(path)
        try:
            self.draft = Draft(self._old.decode())
        except ValueError:
            config.read(self._old, path)  # tells where it is wrong
            raise

    @property
    def digest(self) -> str:
        """Of the file as it is."""
        return digest(self._old)

    @property
    def changed(self) -> bool:
        """Whether the draft is anything else than the file."""
        return self.draft.text.encode() != self._old

    def checked(self) -> Settings:
        """The settings that the draft makes. Raises ConfigurationError with all that is wrong in it."""
        new = self.draft.text.encode()
        try:
            return config.read(new, self._path)
        except ConfigurationError as error:
            problems = error.problems
        # a key that this user may not read is none of this change's faults, and the server can
        before, lasting = self._problems(self._old, serving=True), self._problems(new, serving=False)
        if left := tuple(problem for problem in problems if problem not in before or problem in lasting):
            raise ConfigurationError(left)
        return config.read(new, self._path, serving=False)

    def difference(self) -> Iterator[str]:
        """Line by line, as `diff -u` tells it."""
        old, new = self._old.decode().splitlines(), self.draft.text.splitlines()
        return difflib.unified_diff(old, new, str(self._path), f"{self._path} (changed)", lineterm="")

    def put_in_place(self) -> None:
        """The draft is the file from now on. Raises ConfigurationUnchanged."""
        self._replace(self._old, self.draft.text.encode())

    def put_back(self) -> None:
        """The file is what it was. Raises ConfigurationUnchanged when somebody else changed it meanwhile."""
        self._replace(self.draft.text.encode(), self._old)

    def _problems(self, octets: bytes, *, serving: bool) -> tuple[str, ...]:
        try:
            config.read(octets, self._path, serving=serving)
        except ConfigurationError as error:
            return error.problems
        return ()

    def _replace(self, old: bytes, new: bytes) -> None:
        draft = self._place.with_name(f".{self._place.name}.new")
        try:
            # an editor knows nothing of our lock
            if self._place.read_bytes() != old:
                raise ConfigurationUnchanged(f"{self._path}: somebody else has just changed it")
            if not os.access(self._place, os.W_OK, effective_ids=True):
                raise ConfigurationUnchanged(f"{self._path}: this user may not change it")
            draft.unlink(missing_ok=True)
            try:
                self._write(draft, new)
                draft.rename(self._place)
            finally:
                draft.unlink(missing_ok=True)
            _sync(self._place.parent)
        except OSError as error:
            raise ConfigurationUnchanged(f"{self._path}: cannot be written: {error.strerror}") from None

    def _write(self, draft: Path, octets: bytes) -> None:
        """Durable, and as the file is: who owns it, who may read it."""
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(octets)
            made, owner = os.fstat(file.fileno()), self._place.stat()
            # a service may be forbidden even to ask for what is so already
            if (made.st_uid, made.st_gid) != (owner.st_uid, owner.st_gid):
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            shutil.copystat(self._place, draft)
            os.utime(draft)
            file.flush()
            os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
