"""The spool's directory: made durable, locked by one instance, its layout known.

Knows: files, the version of the layout.
Does not know: messages.
"""

import fcntl
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import lmdb

from backupmx import durable
from backupmx.errors import SpoolLocked, SpoolTooNew, SpoolUnusable
from backupmx.spool.transaction import Tables, Transaction, decode

VERSION = 2
"""2: with books. Everything older is brought up to it before it is used."""
LAYOUT = b"layout"
TABLES = 16
META_PAGES = 2
READERS = 1024
PAGE_ROUND = 2**20
LEAST_MAP = 2**30


def prepare(path: Path) -> None:
    """Make the spool if there is none, durably; check the one that is there. Raises SpoolTooNew, SpoolUnusable."""
    make_directory(path)
    env = open_environment(path, None)
    try:
        there = tables(env)
        with env.begin(write=True) as txn:
            version = int(txn.get(LAYOUT, str(VERSION).encode(), db=there.meta))
            if version < 2:
                open_books(txn, there)
            txn.put(LAYOUT, str(VERSION).encode(), db=there.meta)
    finally:
        env.close()
    # LMDB never does
    for place in (path, path.parent):
        durable.sync(place)


def open_books(txn: lmdb.Transaction, there: Tables) -> None:
    """They begin with what is here."""
    work = Transaction(txn, there)
    with txn.cursor(there.message) as cursor:
        for _, raw in cursor:
            work.enter(decode(raw))
    work.finish()


def make_directory(path: Path) -> None:
    """A directory for us alone."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SpoolUnusable(f"spool {path}: {error.strerror}") from None


def lock(path: Path) -> int:
    """Take the spool for this instance; the descriptor holds it, also in forked processes. Raises SpoolLocked, SpoolUnusable."""
    make_directory(path)
    try:
        fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SpoolUnusable(f"spool {path}: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise SpoolLocked(f"spool {path}: another instance works on it") from None
    return fd


def locked(path: Path) -> bool:
    """Whether an instance has the spool now; no, when there is none or this user may not look. Makes nothing."""
    try:
        fd = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def open_environment(path: Path, map_size: int | None) -> lmdb.Environment:
    """Open, durable settings only. Raises SpoolTooNew before anything is touched, SpoolUnusable."""
    try:
        _check_version(path)
        env = lmdb.open(
            str(path),
            map_size=map_size or default_map_size(path),
            max_dbs=TABLES,
            max_readers=READERS,
            mode=0o600,
            # files of LMDB 0.9 and 1.0 cannot be read by each other
            lib_version=0,
        )
        # readers that were killed would pin the pages of messages long gone
        env.reader_check()
    except (lmdb.Error, OSError) as error:
        raise SpoolUnusable(f"spool {path}: {error}") from None
    return env


def _check_version(path: Path) -> None:
    if not (path / "data.mdb").exists():
        return
    env = lmdb.open(str(path), readonly=True, lock=False, max_dbs=TABLES, lib_version=0)
    try:
        meta = env.open_db(b"meta", create=False)
        with env.begin() as txn:
            version = int(txn.get(LAYOUT, b"0", db=meta))
    except lmdb.NotFoundError:
        version = 0
    finally:
        env.close()
    if version > VERSION:
        raise SpoolTooNew(f"spool {path}: its layout is {version}, and this program knows {VERSION}: a newer one wrote it")


def default_map_size(path: Path) -> int:
    """The whole disk: the map is sparse, and the reserve is what stops us."""
    total = shutil.disk_usage(path).total
    return max(LEAST_MAP, total // PAGE_ROUND * PAGE_ROUND)


def census(env: lmdb.Environment) -> Mapping[str, int]:
    """How many entries each database has that is there; nothing is made."""
    return {name: int(stat["entries"]) for name, stat in _stats(env).items()}


def in_use(env: lmdb.Environment) -> int:
    """Octets in pages that hold something: what a copy without free pages takes."""
    found = [env.stat(), *_stats(env).values()]
    pages = sum(int(stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]) for stat in found)
    return (META_PAGES + pages) * int(found[0]["psize"])


def _stats(env: lmdb.Environment) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    with env.begin() as txn:
        for name in Tables.__dataclass_fields__:
            with suppress(lmdb.NotFoundError):
                found[name] = txn.stat(env.open_db(name.encode(), txn=txn, create=False))
    return found


def tables(env: lmdb.Environment) -> Tables:
    """Open every database, making those that are missing."""
    return Tables(*(env.open_db(name.encode()) for name in Tables.__dataclass_fields__))
