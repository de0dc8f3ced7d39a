"""Is this machine's clock right? Windows, retries and certificates go by it.

Knows: where systemd's own time service leaves its mark, what timedatectl says, that no program is older than its own files.
Does not know: what time it is, but for what it is told.
"""

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backupmx.core.finding import About, Finding

SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
"""Made by systemd-timesyncd when it set the clock for the first time."""
# the kernel is asked by another process: a service may be killed for adjtimex(2), where its system calls are filtered
ASK = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
ASK_S = 5.0
SLACK = timedelta(days=1)
SET = (
    "Have it set from the network: `timedatectl set-ntp true` (if that is not known: `apt install systemd-timesyncd`, "
    "or `apt install chrony`). Does the firewall let UDP port 123 out?"
)


def look(
    now: datetime,
    built: datetime | None = None,
    mark: Path = SYNCHRONIZED,
    ask: Sequence[str] = ASK,
) -> Finding:
    """`built` is when the program was put there; given none, as its files say. Blocks for some seconds at the worst."""
    about = About("clock")
    built = built or datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    if now < built - SLACK:
        return about.bad(f"says {now:%Y-%m-%d %H:%M} UTC, and this program is from {built:%Y-%m-%d}", SET)
    if mark.exists():
        return about.good("is set from the network by systemd-timesyncd")
    said = _asked(ask)
    if said == "yes":
        return about.good("is set from the network")
    if said == "no":
        return about.odd("is not set from the network: sooner or later it will be wrong", SET)
    unsure = f"nobody can tell whether it is right; it says {now:%Y-%m-%d %H:%M} UTC"
    return about.unknown(unsure, "Compare it with your watch: `date -u`. In a container it is the host's clock: look there.")


def _asked(command: Sequence[str]) -> str:
    """Its answer, or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=False)  # noqa: S603 - no word of it comes from outside
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
