"""A whole instance, written into one stream.

Knows: its parts, and what the label says of them.
Does not know: the form of the stream, where it goes to.
"""

from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from backupmx import __version__, config
from backupmx.config import Settings
from backupmx.control.accounts import Accounts
from backupmx.core.label import BackupLabel, Origin
from backupmx.errors import AccountsUnusable
from backupmx.safekeeping.belongings import belongings
from backupmx.spool import backup, layout, names

ACCOUNTS = "accounts.json"


def write(path: Path, out: BinaryIO, now: datetime, step: backup.Step, *, mail: bool) -> BackupLabel:
    """Of the configuration in this file, with or without a running server; returns what is in it.

    Raises ConfigurationError, SpoolUnusable, OSError of the stream.
    """
    settings = config.load(path, serving=False)
    found = belongings(settings, path)
    own = found.read()
    origin = Origin(str(path.parent), tuple(own), tuple(map(str, found.foreign)), tuple(settings.domains))
    label = describe(settings, now, mail=mail, origin=origin)
    backup.write(settings.spool, out, label, own, step)
    return label


def describe(settings: Settings, now: datetime, *, mail: bool, origin: Origin | None = None) -> BackupLabel:
    """What a backup would hold now. Raises SpoolUnusable."""
    accounts = Accounts(settings.spool / ACCOUNTS)
    users = tokens = 0
    # a damaged file is copied as it is: that must not keep the rest from being kept
    with suppress(AccountsUnusable):
        users, tokens = len(accounts.users()), len(accounts.tokens())
    with closing(backup.opened(settings.spool)) as env:
        entries = layout.census(env)
    return BackupLabel(
        program=__version__,
        taken=now,
        layout=layout.VERSION,
        mail=mail,
        origin=origin,
        messages=entries.get("message", 0) if mail else 0,
        recipients=sum(entries.get(table, 0) for table in names.PEOPLE),
        users=users,
        tokens=tokens,
    )


def size(settings: Settings, *, mail: bool) -> int:
    """Octets of a backup, nearly; 0 where they are too few to be waited for. Raises SpoolUnusable."""
    return backup.size(settings.spool) if mail else 0
