"""Connections counted over workers."""

import os

from backupmx.config import Smtp
from backupmx.edge.tally import Tally
from tests.edge.door import client, door, until


def test_each_worker_sees_what_all_have() -> None:
    """In all, and of one client."""
    tally = Tally.make(3)
    rows = [tally.row(number) for number in range(3)]
    cell, *_ = rows[0].enter("192.0.2.1")
    assert rows[1].enter("192.0.2.1") == (cell, 2, 2)
    other, in_all, of_client = rows[2].enter("192.0.2.2")
    assert (in_all, of_client) == (3, 1)
    rows[0].leave(cell)
    assert rows[1].enter("192.0.2.1")[1:] == (3, 2)
    assert other != cell


def test_the_rows_are_one_memory_after_a_fork() -> None:
    """What a child counts, its siblings see."""
    tally = Tally.make(2)
    pid = os.fork()
    if pid == 0:
        tally.row(1).enter("192.0.2.1")
        os._exit(0)
    os.waitpid(pid, 0)
    assert tally.row(0).enter("192.0.2.1")[1:] == (2, 2)


def test_a_worker_that_starts_anew_has_no_connections() -> None:
    """What it held went with its predecessor."""
    tally = Tally.make(2)
    tally.row(0).enter("192.0.2.1")
    tally.row(1).enter("192.0.2.1")
    assert tally.row(1).enter("192.0.2.1")[1:] == (2, 2)


def test_an_ipv6_client_is_its_network() -> None:
    """A /64 is one client; the IPv4 address in IPv6 clothes is itself."""
    row = Tally.make(1).row(0)
    cell = row.enter("2001:db8::1")[0]
    assert row.enter("2001:db8::ffff:1")[0] == cell
    assert row.enter("2001:db8:0:1::1")[0] != cell
    assert row.enter("::ffff:192.0.2.1")[0] == row.enter("192.0.2.1")[0]
    assert row.enter("fe80::1%lo")[0] > 0


async def test_who_is_turned_away_takes_no_place() -> None:
    """A crowd at the door does not keep out those who come after it."""
    tally = Tally.make(1)
    async with door(Smtp(max_connections=1), tally=tally) as at:
        async with client(at.port):
            for _ in range(3):
                async with client(at.port, hello=None) as refused:
                    assert (await refused.reply()).startswith("421 4.3.2 ")
            assert tally.sum(0) == 1
        await until(lambda: tally.sum(0) == 0, "the place is free")
        async with client(at.port) as talk:
            assert (await talk.say("NOOP")).startswith("250 ")
