"""The configuration file being changed: one at a time, right before it is in place, and put back if it has to be.

Knows: the file, who else may be at it, its owner and mode, whose links lead to it, and who says whether it is right (`config`).
Does not know: what is changed, and what a setting means.
"""

import difflib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from backupmx import config, durable
from backupmx.alone import alone
from backupmx.config import Settings
from backupmx.draft import Draft
from backupmx.errors import ConfigurationError, ConfigurationUnchanged

MOST_LINKS = 40
"""On the way to one file, as for the system itself."""


@contextmanager
def revising(path: Path) -> "Iterator[Revision]":
    """Nobody else revises the file meanwhile. Raises ConfigurationError for what cannot be read, ConfigurationUnchanged."""
    with ExitStack() as inside:
        try:
            place = _followed(path)
            inside.enter_context(alone(place.parent))
        except OSError as error:
            raise ConfigurationError((f"{path}: cannot be read: {error.strerror}",)) from None
        yield Revision(path, place)


def digest(octets: bytes) -> str:
    """Tells one state of the file from another."""
    return hashlib.sha256(octets).hexdigest()


def hindrance(path: Path) -> str:
    """Why this user cannot change the file, as far as can be told beforehand; empty if nothing is in the way."""
    # the file is replaced by a new one, which has to be given to whoever has the old one
    try:
        place = _followed(path)
        foreign = os.geteuid() not in (0, place.stat().st_uid)
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    except ConfigurationError as error:
        return str(error)
    if not (os.access(place, os.W_OK, effective_ids=True) and os.access(place.parent, os.W_OK, effective_ids=True)):
        return f"{path}: this user may not change it"
    return f"{path}: it belongs to another user" if foreign else ""


def _followed(path: Path) -> Path:
    """Where the file itself is, that a link may lead to. Raises OSError; ConfigurationError where that is nowhere for root to go.

    Whoever may write in a directory could lead root from there to any file of the system's.
    """
    for _ in range(MOST_LINKS):
        # what is looked at is what is followed
        link = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            found, directory = os.fstat(link), path.parent.stat()
            if not stat.S_ISLNK(found.st_mode):
                return path
            roots = found.st_uid == 0 or (directory.st_uid == 0 and not directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
            if os.geteuid() == 0 and not roots:
                raise ConfigurationError((f"{path}: is another user's link, and root follows its own: chown -h root {path}",))
            path = path.parent / os.readlink("", dir_fd=link)
        finally:
            os.close(link)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _opened(place: Path) -> BinaryIO:
    """The file itself, and no link that has come into its place. Raises OSError."""
    return os.fdopen(os.open(place, os.O_RDONLY | os.O_NOFOLLOW), "rb")


class Revision:
    """What the file is, and what it is to be."""

    def __init__(self, path: Path, place: Path) -> None:
        """`path` is what people call it, `place` where it is."""
        self._path = path
        self._place = place
        try:
            with _opened(place) as file:
                self._old = file.read()
        except OSError as error:
            raise ConfigurationError((f"{path}: cannot be read: {error.strerror}",)) from None
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
        try:
            with _opened(self._place) as there:
                # an editor knows nothing of our lock
                if there.read() != old:
                    raise ConfigurationUnchanged(f"{self._path}: somebody else has just changed it")
                if not os.access(self._place, os.W_OK, effective_ids=True):
                    raise ConfigurationUnchanged(f"{self._path}: this user may not change it")
                with durable.replacing(self._place, self._place.with_name(f".{self._place.name}.new")) as file:
                    file.write(new)
                    _make_alike(file.fileno(), there.fileno())
        except OSError as error:
            raise ConfigurationUnchanged(f"{self._path}: cannot be written: {error.strerror}") from None


def _make_alike(new: int, old: int) -> None:
    """Who owns it, who may read it. By descriptors: names may be somebody's links by now."""
    made, owner = os.fstat(new), os.fstat(old)
    # a service may be forbidden even to ask for what is so already
    if (made.st_uid, made.st_gid) != (owner.st_uid, owner.st_gid):
        os.fchown(new, owner.st_uid, owner.st_gid)
    # access lists and labels, as far as the file system and this user's rights go
    with suppress(OSError):
        for name in os.listxattr(old):
            with suppress(OSError):
                os.setxattr(new, name, os.getxattr(old, name))
    os.fchmod(new, stat.S_IMODE(owner.st_mode))
