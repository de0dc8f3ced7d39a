"""A machine becomes somebody's.

Knows: in which order what makes it so is written: power may go at any moment.
Does not know: who asked for it, and whether they may.

First the admin, then the draft of the configuration, then the code goes, and last the draft gets its name. Until then nobody
has claimed anything, and whoever begins again finds a machine that is nobody's; from then on the admin can sign in.
"""

import os
from functools import partial
from pathlib import Path

from backupmx import durable
from backupmx.alone import alone
from backupmx.control.accounts import Accounts
from backupmx.errors import AlreadySetUp, FileUnwritable
from backupmx.setup import code
from backupmx.setup.configuration import Places

MODE = 0o640
"""Who serves may read it, as a member of the directory's group; nobody else: there may be secrets in it."""


def claimed(places: Places) -> bool:
    """Whether the machine is somebody's."""
    return os.path.lexists(places.configuration)


def claim(places: Places, text: str, name: str, password_hash: str) -> None:
    """From now on it is this admin's, with this configuration.

    Raises AlreadySetUp when somebody else was first, and nothing is changed; FileUnwritable, and it is nobody's still.
    """
    path = places.configuration
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(path.parent):
            if claimed(places):
                raise AlreadySetUp(f"{path}: is there already: this machine is set up")
            Accounts(places.spool / "accounts.json").begin(name, password_hash)
            with durable.replacing(
                path, path.with_name(f".{path.name}.first"), partial(_name, places.spool / code.NAME)
            ) as draft:
                draft.write(text.encode())
                _give_away(draft.fileno(), path.parent.stat())
                os.fchmod(draft.fileno(), MODE)
    except OSError as error:
        raise FileUnwritable(f"{error.filename or path}: {error.strerror or error}") from error


def _give_away(fd: int, directory: os.stat_result) -> None:
    """The group that may read the directory is the server's where a package made it; root writes here for its user."""
    made = os.fstat(fd)
    owner = directory.st_uid if os.geteuid() == 0 else made.st_uid
    # a service may be forbidden even to ask for what is so already
    if (made.st_uid, made.st_gid) != (owner, directory.st_gid):
        os.fchown(fd, owner, directory.st_gid)


def _name(kept_code: Path, draft: Path, path: Path) -> None:
    """Not in the place of a file that somebody else put there meanwhile."""
    code.forget(kept_code)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise AlreadySetUp(f"{path}: somebody else has just written it") from None
