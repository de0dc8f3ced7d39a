"""What outlives a restart: what was told, and what has still to be sent, in one small file beside the mail.

Knows: the file (JSON, 0600, replaced whole and synced), what to do when it cannot be read.
Does not know: what is in it.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from backupmx import durable
from backupmx.alerts.outbox import Parcel
from backupmx.core.alerts import Memory
from backupmx.watch import log

FILE = "alerts.json"
"""In the spool's directory."""


class Page(Struct, frozen=True):
    """All of it."""

    memory: Memory = Memory()
    waiting: tuple[Parcel, ...] = ()
    version: int = 1


def read(path: Path) -> Page:
    """What was written last. From a file that cannot be used nothing follows: then all that is wrong is told once more."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Page)
    except FileNotFoundError:
        return Page()
    except (OSError, msgspec.MsgspecError) as error:
        log.trouble("alerts", error)
        return Page()


def write(path: Path, page: Page) -> None:
    """Durable when it returns. Raises OSError."""
    durable.replace(path, msgspec.json.encode(page))
