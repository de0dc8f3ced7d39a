"""Free pages lie fallow, within bounds, and nothing is different for the mail."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupmx.spool import layout
from backupmx.spool.fallow import LIMIT, PIECE, TURN
from backupmx.spool.store import LmdbSpool
from backupmx.spool.verify import verify
from tests.spool.samples import listed, put

MIB = 2**20
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def opened(place: Path, room: int = 2**30, on_commit: Callable[[float], None] | None = None) -> LmdbSpool:
    layout.prepare(place)
    return LmdbSpool(place, owner="test", reserve=0, map_size=room, on_commit=on_commit)


def problems(place: Path) -> list[str]:
    return [finding.problem for finding in verify(place) if finding.problem]


def size(place: Path) -> int:
    return (place / "data.mdb").stat().st_size


@pytest.mark.slow
async def test_freed_pages_are_left_alone_up_to_a_limit(tmp_path: Path) -> None:
    """I4: the file is larger by no more than that."""
    spool = opened(tmp_path)
    await spool.tend()
    id = await put(spool, NOW)
    sizes = []
    for commit in range(4000):
        await (spool.hold if commit % 2 else spool.release)([id], "petra", "", NOW)
        if commit % 50 == 0:
            await spool.tend()
            sizes.append(size(tmp_path))
    assert LIMIT < max(sizes) < LIMIT + 8 * MIB
    assert sizes[-1] == sizes[-10]
    spool.close()


async def test_where_there_is_little_room_none_lies_fallow(tmp_path: Path) -> None:
    """Rather many requests than a full disk."""
    spool = opened(tmp_path, room=2 * LIMIT)
    id = await put(spool, NOW)
    for _ in range(TURN):
        await spool.tend()
        await spool.hold([id], "petra", "", NOW)
        await spool.release([id], "petra", "", NOW)
    assert size(tmp_path) < MIB
    spool.close()


async def test_free_pages_are_put_in_order_when_it_is_quiet(tmp_path: Path) -> None:
    """Once, not again and again; the piece itself takes no room on the disk before it is used."""
    commits: list[float] = []
    spool = opened(tmp_path, on_commit=commits.append)
    kept = [await put(spool, NOW) for _ in range(10)]
    for _ in range(TURN):
        id = await put(spool, NOW)
        await spool.tend()
        await spool.remove([id], "petra", "", NOW)
    before, taken = len(commits), size(tmp_path)
    for _ in range(6):
        await spool.tend()
    assert len(commits) == before + 1
    assert size(tmp_path) < taken + MIB < taken + PIECE
    assert {message.id for message in listed(spool)} == set(kept)
    spool.close()
    assert not problems(tmp_path)


async def test_mail_is_as_it_was_after_many_turns(tmp_path: Path) -> None:
    """I1: what comes and goes meanwhile is all there, and whole, and none of what went."""
    spool = opened(tmp_path)
    there = set()
    for turn in range(12):
        there |= set(await asyncio.gather(*(put(spool, NOW, b"%d\r\n" % turn * 900) for _ in range(40))))
        await spool.tend()
        gone = sorted(there)[:: 2 + turn % 3]
        for id in gone:
            await spool.remove([id], "petra", "", NOW)
        there -= set(gone)
        await spool.tend()
        await spool.tend()
    assert {message.id for message in listed(spool)} == there
    spool.close()
    assert not problems(tmp_path)


async def test_trouble_lets_the_pages_go(tmp_path: Path) -> None:
    """I4: nobody tends them any more, and the file is as large as it was."""
    spool = opened(tmp_path)
    id = await put(spool, NOW)
    await spool.tend()
    (tmp_path / "data.mdb").rename(tmp_path / "away")
    with pytest.raises(OSError, match=r"data\.mdb"):
        await spool.tend()
    (tmp_path / "away").rename(tmp_path / "data.mdb")
    for _ in range(TURN):
        await spool.hold([id], "petra", "", NOW)
        await spool.release([id], "petra", "", NOW)
    assert size(tmp_path) < MIB
    spool.close()
