"""Files that commands write: each is there whole or not at all, and never in the place of another."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from backupmx import durable
from backupmx.durable import OURS
from backupmx.errors import FileUnwritable

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a file system says that knows no second name of a file, as that of a memory stick."""


@contextmanager
def new_file(path: Path, mode: int = OURS, *, replace: bool = False, draft: Path | None = None) -> Iterator[BinaryIO]:
    """A file that gets its name when all of it is written, durably. Mail is nobody else's business. Raises FileUnwritable."""
    if not replace and os.path.lexists(path):
        raise FileUnwritable(f"{path}: is there already")
    draft = draft or path.with_name(f".{path.name}.part")
    try:
        with durable.replacing(path, draft, Path.replace if replace else _name) as file:
            yield file
            os.fchmod(file.fileno(), mode)
    except OSError as error:
        raise FileUnwritable(f"{path}: {error.strerror or error}") from error


def _name(draft: Path, path: Path) -> None:
    """Where somebody else took the name meanwhile, theirs stays."""
    try:
        path.hardlink_to(draft)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        draft.rename(path)
