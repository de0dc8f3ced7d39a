"""Files that a power cut leaves whole: the old one or the new one, under its name.

Knows: in which order what is written comes to the disk.
Does not know: what is in a file, whose it is, what is said when it cannot be written.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

OURS = 0o600
"""As whoever writes has it at first; another mode is given to what is written, before it has its name."""


@contextmanager
def replacing(path: Path, draft: Path, name: Callable[[Path, Path], object] = Path.replace) -> Iterator[BinaryIO]:
    """What is written into the draft is the file afterwards, durably. Raises OSError, with the old one untouched.

    Whatever ends the writing leaves nothing behind but, after a kill, the draft, which the next try removes. `name` gives a draft
    its name.
    """
    draft.unlink(missing_ok=True)
    try:
        # made anew, so that it is not through a link that somebody put there
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OURS), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        name(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


def replace(path: Path, octets: bytes) -> None:
    """The same with a small file, which is nobody else's to read."""
    with replacing(path, path.with_name(f"{path.name}.new")) as file:
        file.write(octets)


def sync(place: Path) -> None:
    """A file; or a directory, so that the names in it are durable too."""
    fd = os.open(place, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
