"""Senders are only doubted when a message is about to be held: what the primary takes is its own."""

from tests.courier.primary import DROP, ScriptedPrimary
from tests.relay.house import CONTENT, house, sent


async def test_nobody_asks_who_sent_what_the_primary_takes_or_refuses() -> None:
    """I3: of neither there will ever be a notification of ours."""
    for dot in ("250 2.0.0 taken", "550 5.7.1 no"):
        async with ScriptedPrimary().on("DOT", dot) as primary, house(primary) as at:
            assert (await sent(at, "user@example.com")).dot.startswith(dot[:3])
            assert at.doubted == []


async def test_what_is_held_in_the_end_is_looked_at_whole() -> None:
    """Although it went to the primary at first."""
    async with ScriptedPrimary().on("DOT", DROP) as primary, house(primary) as at:
        assert (await sent(at, "user@example.com")).taken
        assert at.doubted == [CONTENT]
        assert at.held() == [CONTENT]
