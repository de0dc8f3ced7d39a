"""What the ledger campaign ran into, each in the smallest form that shows it."""

from datetime import timedelta

from backupmx.core.message import State
from backupmx.core.outcome import Reply
from backupmx.core.status import PrimaryState
from backupmx.spool.memory import MemorySpool
from tests.courier.house import START, breathe, house, put, settings, until
from tests.courier.primary import ScriptedPrimary

OWNER = "courier@mx2.example.net"


async def test_a_clock_that_leaps_ahead_doubles_nothing() -> None:
    """I1: a board without a clock of its own is set right while mail is on its way, and every lease has lapsed at once."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        primary.gate.clear()
        for _ in range(3):
            await put(at.spool)
        at.courier.wake()
        await until(lambda: primary.verbs["DATA"] == 1, "one is at its final dot")
        await at.time.advance(2 * 3600)
        await breathe()
        primary.gate.set()
        await until(at.empty)
        assert len(primary.received) == 3


async def test_who_comes_late_does_not_end_the_lease_of_another() -> None:
    """I1: what was leased again after a lease had lapsed is not due when that one is given back."""
    spool, hour = MemorySpool(), timedelta(hours=1)
    await put(spool)
    (lapsed,) = await spool.lease("example.com", OWNER, START, START + hour, 10)
    later = START + 2 * hour
    (holds,) = await spool.lease("example.com", OWNER, later, later + hour, 10)
    await spool.settle(lapsed, {}, later, START)
    assert holds.until == later + hour
    assert not await spool.lease("example.com", OWNER, later, later + hour, 10)


async def test_a_new_courier_does_not_believe_a_primary_that_was_wrong() -> None:
    """I10: a crash, a reload or an upgrade in the middle of it; up to nine refusals are believed."""
    nobody = "550 5.1.1 no such user"
    async with ScriptedPrimary() as primary:
        config, spool = settings([f"127.0.0.1:{primary.port}"]), MemorySpool()
        async with house(config, spool) as at:
            await until(lambda: at.primary() == "up")
            at.knowledge.learn("example.com", "user", Reply(250, "2.1.5 ok"))
            await at.knowledge.write()
            primary.on("RCPT", nobody)
            at.courier.told("doubtful", "example.com")
            await until(lambda: at.board.state("example.com") is PrimaryState.DOWN, "it is doubtful")
        for _ in range(5):
            await put(spool)
        async with house(config, spool) as at:
            await until(lambda: primary.verbs["RCPT"] >= 2 and at.primary() == "up")
            await until(lambda: not any(message.state() is State.LEASED for message in spool.messages.values()))
            assert not any(message.state() is State.QUARANTINED for message in spool.messages.values())
