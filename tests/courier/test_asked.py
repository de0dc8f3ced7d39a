"""A primary that is back asks for its queue (ETRN, RFC 1985), and need not wait for our clocks."""

import pytest

from tests.courier.house import house, put, settings, until
from tests.courier.primary import ScriptedPrimary


async def test_what_was_deferred_is_due_at_once() -> None:
    """Its own back-off is over; no time passes in this test."""
    async with (
        ScriptedPrimary().on("RCPT", "450 4.2.0 busy", times=2) as primary,
        house(settings([f"127.0.0.1:{primary.port}"], retry_min="5m")) as at,
    ):
        both = [await put(at.spool) for _ in range(2)]
        at.courier.wake()
        await until(lambda: all(at.spool.get(id).schedule["example.com"].deferrals == 1 for id in both), "deferred")
        at.courier.asked("example.com")
        await until(at.empty, "given back")


async def test_a_primary_that_was_down_is_probed_at_once() -> None:
    """Long before the next probe is due."""
    primary = ScriptedPrimary()
    async with primary, house(settings([f"127.0.0.1:{primary.port}"], probe_interval="1h")) as at:
        primary.on("CONNECT", "421 4.3.2 starting", times=1)
        id = await put(at.spool)
        at.courier.wake()
        await until(lambda: at.primary() == "down", "the primary is seen to be down")
        at.courier.asked("example.com")
        await until(at.empty, "given back")
        assert at.spool.get(id) is None


@pytest.mark.parametrize("domain", ["elsewhere.test", "xample.com", ""])
async def test_nobody_else_is_asked_for(domain: str) -> None:
    """What names no domain of ours changes nothing."""
    async with ScriptedPrimary() as primary, house(settings([f"127.0.0.1:{primary.port}"])) as at:
        at.courier.asked(domain)
        await put(at.spool)
        at.courier.wake()
        await until(at.empty, "given back")
