"""What the database holds of recipients, taken out of it and put into another: lists, what was learned, the primaries' clocks.

Knows: which tables that are, and the form of the pieces.
Does not know: what is in them, and what else a backup has.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import lmdb
import msgspec

from backupmx.errors import SpoolUnusable
from backupmx.spool import layout

PEOPLE = ("recipient", "listed")
TABLES = (*PEOPLE, "roll")
PIECE = 2**20
"""Octets of one piece, and at most an entry more."""
Entry = tuple[str, bytes, bytes]
"""Table, key, value."""
_decode = msgspec.msgpack.Decoder(list[Entry]).decode


def written(env: lmdb.Environment) -> Iterator[bytes]:
    """All of them as they are at this moment, piece by piece."""
    batch: list[Entry] = []
    octets = 0
    with env.begin() as txn:
        for name in TABLES:
            with suppress(lmdb.NotFoundError):
                for key, value in txn.cursor(env.open_db(name.encode(), txn=txn, create=False)):
                    batch.append((name, bytes(key), bytes(value)))
                    octets += len(key) + len(value)
                    if octets > PIECE:
                        yield msgspec.msgpack.encode(batch)
                        batch, octets = [], 0
    if batch:
        yield msgspec.msgpack.encode(batch)


def entries(piece: bytes) -> list[Entry]:
    """What is in a piece. Raises msgspec.MsgspecError, ValueError for what cannot be one."""
    found = _decode(piece)
    if any(table not in TABLES or not 0 < len(key) <= 511 for table, key, _ in found):
        raise ValueError("something that is no recipient")
    return found


def put(path: Path, pieces: Iterable[bytes]) -> None:
    """In the place of those that are there, all at once; the mail is not touched. Raises SpoolUnusable."""
    layout.prepare(path)
    with closing(layout.open_environment(path, None)) as env:
        tables = layout.tables(env)
        try:
            with env.begin(write=True) as txn:
                for name in TABLES:
                    txn.drop(getattr(tables, name), delete=False)
                for piece in pieces:
                    for name, key, value in entries(piece):
                        txn.put(key, value, db=getattr(tables, name))
        except lmdb.Error as error:
            raise SpoolUnusable(f"spool {path}: {error}") from None
