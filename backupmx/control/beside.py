"""A small file beside the mail: there whole or not at all, durable, and nobody else's to read.

Knows: how such a file is replaced.
Does not know: what is in it.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def put(path: Path, octets: bytes) -> None:
    """Replace the file, or make it. Raises OSError, with the old one untouched."""
    new = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(octets)
        give_to_owner(path, file)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    sync(path.parent)


def give_to_owner(path: Path, file: BinaryIO) -> None:
    """Root may write here for a server that runs as another user."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(file.fileno(), owner.st_uid, owner.st_gid)


def sync(directory: Path) -> None:
    """So that the names in it are durable, too."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
