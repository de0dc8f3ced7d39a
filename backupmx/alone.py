"""One at a time: whoever makes this machine somebody's, or something else of it, in whichever process.

Knows: that a directory can be locked, for the file in it is replaced.
Does not know: what is written there.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Nobody else is inside, who asks for the same; waits. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
