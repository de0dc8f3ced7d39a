"""What is leased is carried, whatever else happens in that moment: a lane looks for more while something is settled (I1)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from backupmx.core.message import Lease, Notice, State
from backupmx.core.outcome import Outcome
from backupmx.courier.carrier import SETTLEMENTS
from backupmx.courier.transaction import Patience
from backupmx.spool.memory import MemorySpool
from tests.courier.house import START, breathe, house, put, settings, until
from tests.courier.primary import DROP, ScriptedPrimary

PATIENCE = Patience()


class Busy(MemorySpool):
    """New mail comes whenever something has just been settled; and what was delivered may have to wait for the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = asyncio.Event()
        self.disk.set()
        self.waiting = 0
        self.comes: Callable[[], None] = lambda: None

    async def settle(
        self, lease: Lease, outcomes: Mapping[str, Outcome], now: datetime, due: datetime, notices: Sequence[Notice] = ()
    ) -> Sequence[Notice]:
        """See `MemorySpool`."""
        if outcomes:
            self.waiting += 1
            await self.disk.wait()
        told = await super().settle(lease, outcomes, now, due, notices)
        self.comes()
        await breathe()
        return told


async def test_a_message_whose_line_broke_is_leased_again_while_others_are_settled() -> None:
    """It is due at once, and seen before its carrier has got to know that it was given back."""
    spool = Busy()
    async with (
        ScriptedPrimary().on("RCPT", DROP, having="late@", times=1) as primary,
        house(settings([f"127.0.0.1:{primary.port}"], max_connections_per_route=1), spool, patience=PATIENCE) as at,
    ):
        spool.comes = at.courier.wake
        spool.disk.clear()
        for _ in range(SETTLEMENTS):
            await put(spool)
        await put(spool, "late@example.com", arrived=START + timedelta(milliseconds=1))
        await at.time.advance(1)
        at.courier.wake()
        await until(lambda: spool.waiting == SETTLEMENTS)
        await until(lambda: any("late@" in command for command in primary.commands))
        await until(lambda: primary.open == 0, "the line is cut")
        await breathe()
        spool.disk.set()
        await until(at.empty, "at once")
        assert len(primary.received) == SETTLEMENTS + 1


async def test_what_is_too_old_when_its_turn_comes_is_not_leased_again_and_again() -> None:
    """It is given back, and its time is over: nobody takes it between the one and the other."""
    spool = Busy()
    config = settings(["127.0.0.1:9"])
    domain = config.domains["example.com"].model_copy(update={"holding_window": timedelta(hours=1)})
    async with ScriptedPrimary() as primary:
        domain = domain.model_copy(update={"primary": settings([f"127.0.0.1:{primary.port}"]).domains["example.com"].primary})
        delivery = config.delivery.model_copy(update={"max_connections_per_route": 1})
        config = config.model_copy(update={"domains": {"example.com": domain}, "delivery": delivery})
        async with house(config, spool, patience=PATIENCE) as at:
            stuck = primary.hold_body = asyncio.Event()
            await put(spool, arrived=START)
            for _ in range(3):
                await put(spool, arrived=START - timedelta(minutes=50))
            spool.comes = at.courier.wake
            at.courier.wake()
            await until(lambda: primary.verbs["DATA"] == 1)
            await at.time.advance(15 * 60)
            stuck.set()
            await until(lambda: all(message.state() is State.QUARANTINED for message in spool.messages.values()))
            assert len(primary.received) + len(spool.messages) == 4
