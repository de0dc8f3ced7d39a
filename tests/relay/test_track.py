"""What a primary took in the session is noted for the track."""

from backupmx.core.events import Result, Tried
from backupmx.core.ids import MessageId
from backupmx.core.message import Client, Envelope, Recipient
from backupmx.core.outcome import Reply
from backupmx.core.track import Passed, Standing, Wanted
from backupmx.edge.arrival import MOST_NOTED, Dock
from backupmx.spool.memory import MemorySpool
from tests.admission.house import unproven
from tests.courier.house import START
from tests.courier.primary import DROP, ScriptedPrimary
from tests.relay.house import house, sent


async def test_a_relayed_message_is_found_with_the_primarys_words() -> None:
    """I11: what was taken for the primary is known to be with it."""
    async with ScriptedPrimary() as primary, house(primary) as at:
        assert (await sent(at, "user@example.com", "other@example.com")).taken
        await at.spool.track.note(at.edge.take_noted())
        (life,) = at.spool.track.page(Wanted(sender="a@sender.test")).lives
        assert (life.standing, life.arrived, life.ended) == (Standing.RELAYED, START, START)
        assert life.recipients == ("user@example.com", "other@example.com")
        assert life.events == (Tried(START, Result.RELAYED, (0, 1), "250 2.0.0 taken", f"127.0.0.1:{primary.port}", None),)
        assert life.id.encode() in primary.received[0].content
        assert at.edge.take_noted() == []


async def test_what_was_refused_or_kept_is_not_noted() -> None:
    """The one is nobody's, the other is in the spool."""
    for dot in ("550 5.7.1 no", DROP):
        async with ScriptedPrimary().on("DOT", dot) as primary, house(primary) as at:
            assert (await sent(at, "user@example.com")).taken is (dot == DROP)
            assert at.edge.take_noted() == []
            assert len(at.messages()) == (dot == DROP)


def test_notes_are_bounded() -> None:
    """I4: while nothing can be written they do not pile up."""
    dock = Dock(MemorySpool(), "mx2.example.net", 1000, lambda: START, lambda: None, unproven)
    many = tuple(Recipient(f"u{number}@example.com", "example.com") for number in range(1000))
    envelope = Envelope("", many, Client("192.0.2.1", "client.test"))
    note = Passed(MessageId("0" * 26), START, 1, envelope, Reply(250, "ok"), "primary", None)
    for _ in range(100):
        dock.note(note)
    assert len(dock.take_noted()) == MOST_NOTED // len(many)
    dock.note(note)
    assert dock.take_noted() == [note]
