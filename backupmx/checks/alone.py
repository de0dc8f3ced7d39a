"""One look without a server, for whoever sits at a terminal.

Knows: what a look needs that a server would have.
Does not know: terminals.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from backupmx.checks.primary import PATIENCE
from backupmx.checks.round import Round, Told
from backupmx.config import Settings
from backupmx.core.finding import Finding
from backupmx.courier.client import Dialler
from backupmx.watch import log


def look(settings: Settings, told: Told, tell: Callable[[str], None]) -> Sequence[Finding]:
    """Look at everything once; `tell` hears what is being looked at. Blocks for a minute or two at the worst."""
    log.set_up("text", "check")
    # not the server's own copies: they may be its alone to read, and whoever asks now wants to know what is there now
    with TemporaryDirectory(prefix="backupmx-") as copies:
        dialler = Dialler(settings.hostname, PATIENCE)
        round_ = Round(settings, dialler, lambda: datetime.now(UTC), told, Path(copies), tell)
        return asyncio.run(round_.look())
