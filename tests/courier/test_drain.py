"""The courier gives back what is held, at the doors: a spool on one side, a primary on the other."""

import asyncio

from tests.courier.house import house, put, settings, until
from tests.courier.primary import ScriptedPrimary


async def test_what_waits_is_given_back() -> None:
    """I1: what the spool holds arrives, and leaves the spool."""
    async with ScriptedPrimary() as primary:
        async with house(settings([f"127.0.0.1:{primary.port}"])) as at:
            await put(at.spool)
            at.courier.wake()
            await until(at.empty)
            assert len(primary.received) == 1
