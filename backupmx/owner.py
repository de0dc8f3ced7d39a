"""Root's commands in a directory of another user, done with that user's rights.

Knows: effective users.
Does not know: what is done.

Whoever owns a directory can put links into it, to any file: what root wrote, gave away or read there by its name could be
the system's own. With the owner's rights nothing can be reached that the owner could not reach.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_owner(directory: Path) -> Iterator[None]:
    """Inside, root has the rights of the directory's owner; anybody else, and where there is no directory, one's own."""
    owner = directory.stat() if os.geteuid() == 0 and directory.is_dir() else None
    if owner is None or owner.st_uid == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([owner.st_gid])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
