"""The disk under the spool, and the spool's directory: does it last, is it safe from others, is there room?

Knows: Linux' list of mounts, which file systems keep what they are given, what marks a memory card.
Does not know: what is in the spool.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from backupmx.core import words
from backupmx.core.finding import About, Finding

LITTLE = 256 * 2**20
"""Octets of room that a few large messages use up."""
GONE_WITH_POWER = {"tmpfs", "ramfs"}
OF_A_CONTAINER = {"overlay", "aufs"}
OF_ANOTHER_MACHINE = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs"}
"""The store's file must be mapped and locked as only a disk of this machine can be (LMDB says so itself)."""
_ESCAPED = re.compile(r"\\([0-7]{3})")
_CARD = re.compile(r"mmcblk\d+")


class Mount(NamedTuple):
    """A file system in its place."""

    point: Path
    kind: str
    device: str
    """Major and minor number, `8:1`."""


class System(NamedTuple):
    """Where the system tells of itself."""

    mounts: Path = Path("/proc/self/mountinfo")
    devices: Path = Path("/sys/dev/block")


LINUX = System()


def look(spool: Path, reserve: int, system: System = LINUX) -> list[Finding]:
    """What is to be said of the spool's place, whether it is made yet or not. A disk that fails may make it wait."""
    try:
        place = next(above for above in (spool, *spool.parents) if above.exists())
        mount = mounted(place.resolve(), system.mounts.read_text(encoding="utf-8", errors="replace"))
        found = [_kind(spool, mount), *_card(mount, system.devices), _room(spool, place, reserve)]
        return [*found, _directory(spool)] if place == spool else found
    except OSError as error:
        said = f"{error.filename or spool} cannot be looked at: {error.strerror}"
        return [About("spool").unknown(said, "Look again as root, or as the server's user.")]


def mounted(place: Path, mounts: str) -> Mount | None:
    """The file system that a place is on: of those that are mounted above it the nearest, and the last one mounted there."""
    found: Mount | None = None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 6 or not after:
            continue
        point = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        if place.is_relative_to(point) and (found is None or len(point.parts) >= len(found.point.parts)):
            found = Mount(point, after.split(" ")[0], fields[2])
    return found


def _kind(spool: Path, mount: Mount | None) -> Finding:
    about = About("disk")
    if mount is None:
        return about.unknown(f"on which file system {spool} is cannot be told", f"Look yourself: `df -T {spool}`")
    on = f"{spool} is on a file system of the kind {mount.kind}"
    move = (
        "set `spool` in the configuration to a directory on a disk of this machine. Stop the server while you move what is there."
    )
    if mount.kind in GONE_WITH_POWER:
        return about.bad(f"{on}: in memory, gone with the power, and all mail with it", f"Now: {move}")
    if mount.kind in OF_ANOTHER_MACHINE:
        return about.bad(f"{on}: on another machine, where the store can be damaged", f"Now: {move}")
    if mount.kind in OF_A_CONTAINER:
        mend = f"Give the container a volume for it, like `-v backupmx:{spool}`"
        return about.bad(f"{on}: it is gone when the container is made anew", mend)
    return about.good(f"{on}, which lasts")


def _room(spool: Path, place: Path, reserve: int) -> Finding:
    about = About("room")
    room = shutil.disk_usage(place).free - reserve
    kept = f"{words.size(reserve)} are kept free"
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        mend = f"The system may have found the disk faulty: `dmesg` tells. Then: `mount -o remount,rw {place}`, or another disk."
        return about.bad(f"{spool} cannot be written to: it is on a file system that is read-only", mend)
    mend = f"Make room on the disk of {spool} (`du -xh / | sort -h | tail`), or put the spool on a larger one."
    if room <= 0:
        return about.bad(f"none ({kept}): new mail is put off until there is some; what is held is safe", mend)
    if room < LITTLE:
        return about.odd(f"only {words.size(room)} are left for mail ({kept})", mend)
    return about.good(f"{words.size(room)} for mail ({kept})")


def _card(mount: Mount | None, devices: Path) -> Iterator[Finding]:
    device = (devices / mount.device).resolve() if mount else Path()
    card = next((parent for parent in (device, *device.parents) if _CARD.fullmatch(parent.name)), None)
    if card is None:
        return
    try:
        kind = (card / "device" / "type").read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return
    if kind == "SD":
        yield About("disk").odd(
            f"the spool is on a memory card ({card.name}): cards wear out, and fail without a warning",
            "For mail that matters put the spool on an SSD at the USB port, and set `spool` in the configuration to its place.",
        )


def _directory(spool: Path) -> Finding:
    about = About("spool")
    found = spool.stat()
    if not stat.S_ISDIR(found.st_mode):
        return about.bad(f"{spool} is no directory", "Set `spool` in the configuration to a directory of its own.")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        return about.odd(f"others on this machine may look into {spool} (mode {mode:04o})", f"Close it: `chmod 0700 {spool}`")
    return about.good(f"{spool} is closed to others")
