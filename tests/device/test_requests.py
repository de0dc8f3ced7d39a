"""What a commit asks of a disk: few requests, since cards are slow by the request."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool
from tests.spool.samples import listed, put

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]  # others may have the disks first

CONTENT = b"Subject: x\r\n\r\n" + b"x" * 4080
SESSIONS = 25
TURNS = 60
WRITES = 4
"""The place of the number of finished writes in what the kernel tells of a disk (Documentation/admin-guide/iostats.rst)."""


class Disk:
    """With a file system on it."""

    def __init__(self, place: Path) -> None:
        file = place / "disk"
        file.touch()
        os.truncate(file, 2**30)
        # all of what it writes once and later is written now
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", file], check=True)
        command = ["losetup", "--find", "--show", "--direct-io=on", file]
        self.device = Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
        self.mounted = place / "mounted"
        self.mounted.mkdir()
        subprocess.run(["mount", self.device, self.mounted], check=True)

    def close(self) -> None:
        subprocess.run(["umount", self.mounted], check=True)
        subprocess.run(["losetup", "--detach", self.device], check=True)

    @property
    def written(self) -> int:
        """Requests."""
        return int(Path("/sys/block", self.device.name, "stat").read_text().split()[WRITES])


@pytest.fixture
def disk(place: Path) -> Iterator[Disk]:
    found = Disk(place)
    yield found
    found.close()


async def test_a_commit_goes_to_the_disk_in_a_few_pieces(disk: Disk) -> None:
    """Each of an outage, and of the next one, when the file is no longer new: 5 on both, and 15 to 25 if no page lay fallow."""
    commits: list[float] = []
    place = disk.mounted / "spool"
    layout.prepare(place)
    spool = LmdbSpool(place, owner="test", reserve=0, map_size=2**29, on_commit=commits.append)
    for outage in range(3):
        for _ in range(3):
            await spool.tend()
        commits.clear()
        before = disk.written
        for _ in range(TURNS):
            now = datetime.now(UTC)
            await asyncio.gather(*(put(spool, now, CONTENT) for _ in range(SESSIONS)))
        each = (disk.written - before) / len(commits)
        assert each <= 8, outage
        while some := listed(spool)[:SESSIONS]:
            await asyncio.gather(*(spool.remove([message.id], "petra", "", now) for message in some))
    spool.close()
