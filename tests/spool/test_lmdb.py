"""What only the real store can get wrong: the hazards of LMDB and of disks."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import lmdb
import pytest

from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.core.message import State
from backupmx.core.outcome import Delivered, Reply
from backupmx.errors import MessageDamaged, SpoolFull, SpoolLocked, SpoolTooNew, SpoolUnusable
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool
from backupmx.spool.transaction import Transaction
from backupmx.spool.verify import verify
from tests.spool.samples import new_id, put

T0 = datetime(2026, 5, 3, tzinfo=UTC)
LATER = T0 + timedelta(hours=1)
DONE = Delivered(Reply(250, "ok"), "primary")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A prepared spool."""
    layout.prepare(tmp_path / "spool")
    return tmp_path / "spool"


@pytest.fixture
def opened(place: Path) -> Iterator[Callable[..., LmdbSpool]]:
    """Opens stores that are closed afterwards."""
    stores: list[LmdbSpool] = []

    def open_store(**words: object) -> LmdbSpool:
        stores.append(LmdbSpool(place, **{"owner": "test", "reserve": 0, "map_size": 64 * 2**20} | words))  # type: ignore[arg-type]
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def problems(place: Path) -> list[str]:
    """What the verification finds wrong."""
    return [f"{finding.id}: {finding.problem}" for finding in verify(place) if finding.problem]


async def test_a_flipped_bit_is_seen_before_the_last_chunk_and_the_others_go_on(
    place: Path, opened: Callable[..., LmdbSpool]
) -> None:
    """Hazard 1: LMDB has no checksums of its own."""
    spool = opened()
    good, bad, torn = await put(spool, T0), await put(spool, T0, b"y" * 700_000), await put(spool, T0, b"z" * 700_000)
    spool.close()
    env = lmdb.open(str(place), max_dbs=8, map_size=64 * 2**20, lib_version=0)
    chunks = env.open_db(b"chunk")
    with env.begin(write=True) as txn:
        key = ids.decode(bad) + (1).to_bytes(4)
        value = bytearray(txn.get(key, db=chunks))
        value[77] ^= 1
        txn.put(key, bytes(value), db=chunks)
        txn.delete(ids.decode(torn) + (1).to_bytes(4), db=chunks)
    env.close()
    spool = opened()
    handed_out = 0
    with pytest.raises(MessageDamaged, match="digest"):
        for chunk in spool.content(bad):
            handed_out += len(chunk)
    assert handed_out < 700_000
    with pytest.raises(MessageDamaged, match="missing"):
        list(spool.content(torn))
    assert b"".join(spool.content(good)) == b"Subject: x\r\n\r\nbody\r\n"
    spool.close()
    assert sorted(line.split(":")[0] for line in problems(place)) == sorted([bad, torn])


async def test_the_settings_are_durable(opened: Callable[..., LmdbSpool]) -> None:
    """No flag that trades safety for speed, and the file format that is named."""
    flags = opened()._env.flags()
    assert flags["sync"]
    assert flags["metasync"]
    assert not flags["writemap"]
    assert not flags["map_async"]


def test_the_directory_and_its_parent_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 1: LMDB never does."""
    synced = []
    real = os.fsync

    def noting(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink())
        real(fd)

    monkeypatch.setattr(os, "fsync", noting)
    layout.prepare(tmp_path / "deep" / "spool")
    assert {tmp_path / "deep" / "spool", tmp_path / "deep"} <= set(synced)
    assert (tmp_path / "deep" / "spool").stat().st_mode & 0o777 == 0o700


def test_a_newer_layout_is_left_alone(place: Path) -> None:
    """One clear line, and not one octet changes."""
    env = lmdb.open(str(place), max_dbs=8, lib_version=0)
    with env.begin(write=True) as txn:
        txn.put(b"layout", b"99", db=env.open_db(b"meta", txn=txn))
    env.close()
    before = hashlib.sha256((place / "data.mdb").read_bytes()).digest()
    with pytest.raises(SpoolTooNew, match="99"):
        layout.prepare(place)
    with pytest.raises(SpoolTooNew):
        LmdbSpool(place, owner="test", reserve=0)
    assert hashlib.sha256((place / "data.mdb").read_bytes()).digest() == before


def test_what_is_no_spool_is_told_in_one_line(tmp_path: Path) -> None:
    """A file in the way; rubbish in the file."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "rubbish").mkdir()
    (tmp_path / "rubbish" / "data.mdb").write_bytes(b"rubbish" * 5000)
    for name in ("file", "rubbish"):
        with pytest.raises(SpoolUnusable) as caught:
            layout.prepare(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1
    assert (tmp_path / "rubbish" / "data.mdb").read_bytes() == b"rubbish" * 5000


def test_one_instance_at_a_time(place: Path) -> None:
    """The lock is held as long as any process of the instance has it."""
    fd = layout.lock(place)
    with pytest.raises(SpoolLocked):
        layout.lock(place)
    os.close(fd)
    os.close(layout.lock(place))


async def drain(spool: LmdbSpool) -> int:
    """Give everything back."""
    count = 0
    while leases := await spool.lease("example.com", "me", LATER, LATER + timedelta(hours=1), 50):
        for lease in leases:
            await spool.settle(lease, {"u@example.com": DONE}, LATER, LATER)
        count += len(leases)
    return count


@pytest.mark.parametrize("limit", ["map", "disk"])
async def test_a_full_spool_refuses_drains_and_takes_again(
    limit: str, place: Path, opened: Callable[..., LmdbSpool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """I4, hazards 2 and 5: deleting needs room too, so new mail is stopped well before the end."""
    if limit == "disk":
        # a disk of our own: on the real one, what others write meanwhile would be missing from the free space
        pages, file = 6144, place / "data.mdb"

        def free(_path: object) -> SimpleNamespace:
            left = pages - file.stat().st_size // 4096
            return SimpleNamespace(f_bavail=left, f_bfree=left, f_blocks=pages, f_frsize=4096)

        monkeypatch.setattr(os, "statvfs", free)
    spool = opened(map_size=24 * 2**20 if limit == "map" else 2**30)
    for _ in range(3):
        taken = 0
        with pytest.raises(SpoolFull):
            for taken in range(10_000):
                await put(spool, T0, b"x" * (300_000 if taken % 3 else 5000))
        assert taken > 20
        assert await drain(spool) == taken
        assert spool.census().total == {}
        assert spool.stats().unfinished == 0
    spool.close()
    assert problems(place) == []


async def test_commits_that_come_together_share_a_sync(opened: Callable[..., LmdbSpool]) -> None:
    """Group commit; and one command that fails harms no other."""
    commits: list[float] = []
    spool = opened(on_commit=commits.append)
    await asyncio.gather(*(put(spool, T0) for _ in range(100)))
    assert len(commits) < 20
    assert spool.census().total[State.WAITING].messages == 100


async def test_a_broken_environment_is_unusable_until_it_is_opened_anew(
    opened: Callable[..., LmdbSpool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 7: nobody gets a 250 from it."""
    spool = opened()
    id = await put(spool, T0)

    class Broken:
        def begin(self, write: bool) -> None:
            raise lmdb.PanicError("meta page")

    monkeypatch.setattr(spool._writer, "_env", Broken())
    with pytest.raises(SpoolUnusable):
        await put(spool, T0)
    assert spool.broken
    with pytest.raises(SpoolUnusable):
        await put(spool, T0)
    spool.close()
    assert opened().get(id) is not None


async def test_a_bug_in_one_command_harms_no_other(opened: Callable[..., LmdbSpool]) -> None:
    """I9: who asked for it is told, the rest of the batch is durable, and the thread lives on."""
    spool = opened()

    def bug(work: Transaction) -> None:
        work.txn.put(b"x" * 16, b"rubbish", db=work.tables.message)
        raise ZeroDivisionError

    done = await asyncio.gather(put(spool, T0), spool._writer.do(bug), put(spool, T0), return_exceptions=True)
    assert isinstance(done[1], ZeroDivisionError)
    assert spool.census().total[State.WAITING].messages == 2
    assert spool.get(ids.encode(b"x" * 16)) is None
    await put(spool, T0)


async def test_unfinished_messages_are_swept_by_owner(opened: Callable[..., LmdbSpool]) -> None:
    """What never got its 250; never what did."""
    spool = opened(owner="edge0")
    await spool.intake(new_id()).write(b"x" * 600_000)
    whole = await put(spool, T0, b"y" * 600_000)
    assert spool.stats().unfinished == 1
    assert spool.sweep("edge1") == 0
    assert spool.sweep("edge0") == 1
    assert spool.stats().unfinished == 0
    assert b"".join(spool.content(whole)) == b"y" * 600_000


WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from backupmx.spool.store import LmdbSpool
from backupmx.spool.transaction import Transaction
from tests.spool.samples import put

async def main():
    spool = LmdbSpool(Path(sys.argv[1]), owner=sys.argv[2], reserve=0, map_size=2**30)
    async def one(n):
        while True:
            id = await put(spool, datetime.now(UTC), n.to_bytes(2) * (n % 3 * 150_000 + 100))
            sys.stdout.write(f"{id} {n}\\n"); sys.stdout.flush()
    await asyncio.gather(*map(one, range(20)))
asyncio.run(main())
"""


def killed_writers(place: Path, seconds: float) -> dict[MessageId, int]:
    """Two processes that write until they are killed; what they said was committed."""
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(place), f"edge{n}"], stdout=subprocess.PIPE) for n in range(2)]
    for process in running:
        assert process.stdout
        process.stdout.readline()
    subprocess.run(["sleep", str(seconds)], check=True)
    said: dict[MessageId, int] = {}
    for process in running:
        process.send_signal(signal.SIGKILL)
        output, _ = process.communicate()
        for line in output.decode().splitlines():
            words = line.split()
            if len(words) == 2 and len(words[0]) == 26:
                said[MessageId(words[0])] = int(words[1])
    return said


@pytest.mark.parametrize("seconds", ["0.3", "0.7"])
def test_what_was_said_to_be_durable_is_there_after_a_kill(place: Path, seconds: str) -> None:
    """I1: two processes at once, killed in the middle."""
    said = killed_writers(place, float(seconds))
    assert said
    spool = LmdbSpool(place, owner="test", reserve=0, map_size=2**30)
    spool.sweep(None)
    for id, n in said.items():
        assert b"".join(spool.content(id)) == n.to_bytes(2) * (n % 3 * 150_000 + 100)
    spool.close()
    assert problems(place) == []
