"""Where all processes count together: a directory in memory, which spares the card.

Knows: files.
Does not know: what is counted.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a name of ours there is believed only if we made it


def fresh(spool: Path) -> Path:
    """An empty directory for the instance that has locked this spool; one that was killed left its own in the same place."""
    if not IN_MEMORY.is_dir():
        return Path(tempfile.mkdtemp(prefix="backupmx-"))
    name = hashlib.blake2b(os.fsencode(spool.resolve()), digest_size=8).hexdigest()
    place = IN_MEMORY / f"backupmx-{name}"
    try:
        if _ours(place):
            shutil.rmtree(place)
        place.mkdir(mode=0o700)
    except OSError:
        # somebody else has it
        return Path(tempfile.mkdtemp(prefix="backupmx-", dir=IN_MEMORY))
    return place


def gone(place: Path) -> None:
    """It is of no more use."""
    shutil.rmtree(place, ignore_errors=True)


def _ours(place: Path) -> bool:
    try:
        found = place.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
