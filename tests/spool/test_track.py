"""What `ports.Track` promises, asked of the LMDB spool's track and of the in-memory fake alike."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupmx.core import ids, track
from backupmx.core.events import CUT, Damaged, Expired, Held, Released, Removed, Result, Tried
from backupmx.core.ids import MessageId
from backupmx.core.outcome import Deferred, Delivered, Failed, Outcome, Reply
from backupmx.core.track import KEPT, MOST, Life, Passed, Standing, Wanted
from backupmx.ports import Spool
from backupmx.spool import layout
from backupmx.spool import track as lmdb_track
from backupmx.spool.memory import MemorySpool
from backupmx.spool.store import LmdbSpool
from backupmx.spool.verify import verify
from tests.spool.samples import envelope

T0 = datetime(2026, 5, 3, 12, tzinfo=UTC)
SOON = T0 + timedelta(minutes=5)
LATER = T0 + timedelta(hours=1)
TLS = "TLSv1.3 TLS_AES_256_GCM_SHA384"
DONE = Delivered(Reply(250, "2.0.0 ok"), "mail.example.com", TLS)
NOT_NOW = Deferred(Reply(451, "4.3.0 later"), "mail.example.com")
NEVER = Failed(Reply(550, "5.1.1 no such user"), "mail.example.com")


@pytest.fixture(params=["lmdb", "memory"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Spool]:
    """Each store in turn."""
    if request.param == "memory":
        yield MemorySpool()
        return
    layout.prepare(tmp_path / "spool")
    store = LmdbSpool(tmp_path / "spool", owner="test", reserve=0, map_size=256 * 2**20)
    yield store
    store.close()


def id_at(at: datetime, number: int = 0) -> MessageId:
    """As the edge makes them: the time of arrival comes first."""
    return ids.encode((int(at.timestamp() * 1000) << 80 | 7 << 76 | number).to_bytes(16))


async def put(spool: Spool, at: datetime, *addresses: str, sender: str = "a@sender.test", number: int = 0) -> MessageId:
    """Accept one message."""
    intake = spool.intake(id_at(at, number))
    await intake.write(b"Subject: x\r\n\r\nbody\r\n")
    await intake.commit(envelope(*addresses, sender=sender), at)
    return intake.id


async def settle(spool: Spool, outcomes: Outcome | dict[str, Outcome], now: datetime, domain: str = "example.com") -> None:
    """The courier tries what is due; everybody has one outcome, or each its own."""
    for lease in await spool.lease(domain, "courier", now, now + timedelta(hours=1), 1000):
        each = outcomes if isinstance(outcomes, dict) else dict.fromkeys(lease.recipients, outcomes)
        await spool.settle(lease, each, now, now + timedelta(minutes=1))


def life(spool: Spool, id: MessageId) -> Life:
    found = spool.track.find(id)
    assert found is not None
    return found


def found(spool: Spool, limit: int = 100, **wanted: object) -> list[MessageId]:
    """All pages."""
    page = spool.track.page(Wanted(**wanted), None, limit)  # type: ignore[arg-type]
    lives = [*page.lives]
    while page.after:
        page = spool.track.page(Wanted(**wanted), page.after, limit)  # type: ignore[arg-type]
        lives += page.lives
    return [life.id for life in lives]


async def test_a_message_to_which_nothing_happened_is_told_by_itself(spool: Spool) -> None:
    id = await put(spool, T0, "u@example.com", "v@example.com")
    known = life(spool, id)
    assert (known.arrived, known.size, known.sender) == (T0, 20, "a@sender.test")
    assert (known.client.address, known.client.helo) == ("192.0.2.1", "client.test")
    assert known.recipients == ("u@example.com", "v@example.com")
    assert (known.standing, known.events, known.ended) == (Standing.WAITING, (), None)
    assert known.latest() == [None, None]
    assert spool.track.find(id_at(SOON)) is None


async def test_each_attempt_is_told_for_each_recipient_until_the_message_is_gone(spool: Spool) -> None:
    """I1: and the record is complete in the transaction that takes the message away."""
    people = [f"{name}@example.com" for name in "abcd"]
    id = await put(spool, T0, *people)
    await settle(spool, {people[0]: DONE, people[1]: NOT_NOW, people[2]: NOT_NOW, people[3]: NEVER}, T0)
    first = (
        Tried(T0, Result.DELIVERED, (0,), "250 2.0.0 ok", "mail.example.com", TLS),
        Tried(T0, Result.DEFERRED, (1, 2), "451 4.3.0 later", "mail.example.com", None),
        Tried(T0, Result.FAILED, (3,), "550 5.1.1 no such user", "mail.example.com", None),
    )
    assert life(spool, id).events == first
    assert life(spool, id).standing is Standing.WAITING
    await settle(spool, DONE, SOON)
    assert life(spool, id).standing is Standing.QUARANTINED
    await spool.release([id], "petra", "she came back", SOON)
    await settle(spool, DONE, LATER)
    assert spool.get(id) is None
    known = life(spool, id)
    assert known.events == (
        *first,
        Tried(SOON, Result.DELIVERED, (1, 2), "250 2.0.0 ok", "mail.example.com", TLS),
        Released(SOON, "petra", "she came back"),
        Tried(LATER, Result.DELIVERED, (3,), "250 2.0.0 ok", "mail.example.com", TLS),
    )
    assert (known.standing, known.ended, known.arrived, known.size) == (Standing.DELIVERED, LATER, T0, 20)
    assert (known.sender, known.recipients, known.client.address) == ("a@sender.test", tuple(people), "192.0.2.1")
    assert [(last.result, last.at) for last in known.latest() if isinstance(last, Tried)] == [
        (Result.DELIVERED, T0),
        (Result.DELIVERED, SOON),
        (Result.DELIVERED, SOON),
        (Result.DELIVERED, LATER),
    ]


async def test_a_lease_given_back_is_no_event(spool: Spool) -> None:
    """A probe of a primary that is down writes nothing."""
    id = await put(spool, T0)
    await settle(spool, {}, T0)
    assert life(spool, id).events == ()


async def test_what_admins_did_is_told_with_their_names(spool: Spool) -> None:
    """I11: removed by a named admin."""
    id = await put(spool, T0)
    await spool.hold([id], "petra", "looks like fraud", T0)
    assert life(spool, id).standing is Standing.HELD
    await spool.release([id], "paul", "", SOON)
    await spool.remove([id], "root as petra", "fraud it is", LATER)
    known = life(spool, id)
    assert known.events == (
        Held(T0, "petra", "looks like fraud"),
        Released(SOON, "paul", ""),
        Removed(LATER, "root as petra", "fraud it is"),
    )
    assert (known.standing, known.ended) == (Standing.REMOVED, LATER)


async def test_what_changes_nothing_is_no_event(spool: Spool) -> None:
    id = await put(spool, T0)
    assert await spool.release([id], "petra", "", T0) == ()
    await spool.hold([id], "petra", "", T0)
    await spool.remove([id, id], "petra", "", T0)
    assert await spool.hold([id], "petra", "", T0) == ()
    assert len(life(spool, id).events) == 2


async def test_the_end_of_the_window_and_damage_are_told(spool: Spool) -> None:
    id = await put(spool, T0, "u@example.com", "v@example.org")
    await spool.expire("example.org", {message.id: () for message in spool.late("example.org", SOON, SOON, 9)}, SOON, SOON)
    await spool.set_aside(id, "the content does not match its digest", LATER)
    known = life(spool, id)
    assert known.events == (Expired(SOON, (1,)), Damaged(LATER, "the content does not match its digest"))
    assert known.standing is Standing.DAMAGED
    assert known.latest() == [None, Expired(SOON, (1,))]


async def test_deferrals_in_the_same_words_are_counted(spool: Spool) -> None:
    id = await put(spool, T0, "u@example.com")
    for minute in range(100):
        await settle(spool, NOT_NOW, T0 + timedelta(minutes=minute))
    last = T0 + timedelta(minutes=99)
    deferred = Tried(last, Result.DEFERRED, (0,), "451 4.3.0 later", "mail.example.com", None, 100, T0)
    assert life(spool, id).events == (deferred,)
    await spool.hold([id], "petra", "", LATER)
    await spool.release([id], "petra", "", LATER)
    await settle(spool, NOT_NOW, LATER + timedelta(hours=1))
    # not across what an admin did
    assert [type(event) for event in life(spool, id).events] == [Tried, Held, Released, Tried]


async def test_a_record_is_bounded_and_keeps_the_first_and_the_latest_word_on_each_recipient(spool: Spool) -> None:
    """I4: replies that are never the same twice do not make it grow."""
    id = await put(spool, T0, "u@example.com", "v@example.com")
    never = Failed(Reply(550, "x" * 1000), "mail.example.com")
    for minute in range(200):
        words = Deferred(Reply(450, f"4.2.0 greylisted, {minute} seconds to go"), "mail.example.com")
        each = {"u@example.com": words, "v@example.com": never} if minute == 1 else {"u@example.com": words}
        await settle(spool, each, T0 + timedelta(minutes=2 * minute))
    known = life(spool, id)
    assert len(known.events) == MOST
    assert known.dropped == 201 - MOST
    assert isinstance(known.events[0], Tried)
    assert "0 seconds" in known.events[0].reply
    last = [event for event in known.latest() if isinstance(event, Tried)]
    assert "199 seconds" in last[0].reply
    assert len(last[1].reply) == CUT
    assert last[1].at == T0 + timedelta(minutes=2)


async def test_what_the_primary_took_in_the_session_is_found_too(spool: Spool) -> None:
    id = id_at(T0)
    note = Passed(id, T0, 4096, envelope("u@example.com", "v@example.com"), Reply(250, "2.0.0 ok"), "mail.example.com", TLS)
    await spool.track.note([note])
    await spool.track.note([])
    known = life(spool, id)
    assert (known.standing, known.size, known.ended) == (Standing.RELAYED, 4096, T0)
    assert known.events == (Tried(T0, Result.RELAYED, (0, 1), "250 2.0.0 ok", "mail.example.com", TLS),)
    assert found(spool, sender="a@sender.test") == [id]
    assert spool.census().total == {}


async def test_pages_are_newest_first_whatever_became_of_the_message(spool: Spool) -> None:
    """Waiting, gone and relayed in one listing, each once."""
    all_ids = []
    for number in range(9):
        at = T0 + timedelta(minutes=number)
        if number % 3 == 2:
            all_ids.append(id_at(at))
            await spool.track.note([Passed(all_ids[-1], at, 1, envelope(), Reply(250, "ok"), "mail.example.com", None)])
            continue
        all_ids.append(await put(spool, at, f"u{number}@example.com", sender=f"S{number}@Sender.test"))
        if number % 3 == 0:
            await settle(spool, DONE, at)
        elif number == 4:
            await settle(spool, NOT_NOW, at)
    newest = all_ids[::-1]
    for limit in (1, 2, 4, 100):
        assert found(spool, limit) == newest
    assert found(spool, id=newest[0].lower()[:24]) == [id for id in newest if id[:24] == newest[0][:24]]
    assert found(spool, id=newest[3]) == [newest[3]]
    assert found(spool, sender="s4@sender") == [all_ids[4]]
    assert found(spool, recipient="U3@EXAMPLE") == [all_ids[3]]
    assert found(spool, sender="s4@sender", recipient="u3@") == []
    assert found(spool, since=T0 + timedelta(minutes=7)) == newest[:2]
    assert found(spool, until=T0 + timedelta(minutes=2)) == newest[-2:]
    assert found(spool, since=T0 + timedelta(minutes=3), until=T0 + timedelta(minutes=5)) == newest[4:6]
    assert found(spool, since=T0 + timedelta(minutes=3), sender="s3@") == [all_ids[3]]
    assert found(spool, since=T0 + timedelta(minutes=4), sender="s3@") == []
    with pytest.raises(ValueError, match="U"):
        spool.track.page(Wanted(id="U"))


async def test_a_host_is_found_at_either_end(spool: Spool) -> None:
    one = await put(spool, T0)
    await settle(spool, NOT_NOW, T0)
    two = await put(spool, SOON)
    assert found(spool, host="MAIL.example") == [one]
    assert found(spool, host="192.0.2.1") == [two, one]
    assert found(spool, host="client.test") == [two, one]
    assert found(spool, host="elsewhere") == []


async def test_text_beyond_ascii_is_compared_without_case(spool: Spool) -> None:
    id = await put(spool, T0, "jörg@example.com", sender="ÄNNE@sender.test")
    await put(spool, SOON)
    assert found(spool, recipient="JÖRG@") == [id]
    assert found(spool, sender="änne@") == [id]


async def test_one_page_does_not_search_for_ever(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What matches nothing is looked for in several reads; between them others have their turn."""
    note = Passed(id_at(T0), T0, 1, envelope(sender="wanted@sender.test"), Reply(250, "ok"), "mail.example.com", None)
    others = [Passed(id_at(SOON, n), SOON, 1, envelope(), Reply(250, "ok"), "mail.example.com", None) for n in range(50)]
    await spool.track.note([note, *others])
    monkeypatch.setattr(lmdb_track, "LOOK_S", 0.0)
    first = spool.track.page(Wanted(sender="wanted@"), None, 10)
    if isinstance(spool, LmdbSpool):
        assert first.lives == ()
        assert first.after is not None
    assert found(spool, sender="wanted@") == [note.id]


async def test_records_are_swept_a_time_after_the_end(spool: Spool) -> None:
    """Not after the arrival, and never those of messages that are here."""
    old = [await put(spool, T0, number=number) for number in range(3)]
    await spool.hold(old[:1], "petra", "", T0)
    (lease, _) = await spool.lease("example.com", "courier", T0, LATER, 9)
    await spool.settle(lease, {"u@example.com": DONE}, T0, T0)
    late = next(id for id in old[1:] if id != lease.message.id)
    await spool.remove([late], "petra", "", T0 + timedelta(days=20))
    others = [Passed(id_at(T0, n + 10), T0, 1, envelope(), Reply(250, "ok"), "mail.example.com", None) for n in range(2500)]
    await spool.track.note(others)
    young = await put(spool, T0 + timedelta(days=15))
    await spool.remove([young], "petra", "", T0 + timedelta(days=15))
    assert await spool.track.sweep(T0) == 0
    assert await spool.track.sweep(T0 + timedelta(days=31) - KEPT) == 2501
    assert set(found(spool)) == {old[0], late, young}
    assert await spool.track.sweep(T0 + timedelta(days=19)) == 1
    assert set(found(spool)) == {old[0], late}
    assert await spool.track.sweep(T0 + timedelta(days=100)) == 1
    assert found(spool) == [old[0]]
    assert life(spool, old[0]).events == (Held(T0, "petra", ""),)


def test_the_last_word_on_many_recipients_is_never_dropped() -> None:
    """A thousand of them, each with a reply of its own, for a hundred attempts."""
    record = track.NOTHING
    for number in range(20):
        at = T0 + timedelta(minutes=number)
        events = [Tried(at, Result.DEFERRED, (who,), f"450 {number} <u{who}>", "primary", None) for who in range(300)]
        record = track.noted(record, events)
    assert len(record.events) == 301
    assert record.dropped == 20 * 300 - 301
    last = track.Life(
        id_at(T0), T0, 1, "", tuple(map(str, range(300))), envelope().client, Standing.WAITING, record.events
    ).latest()
    assert [event.reply for event in last if isinstance(event, Tried)] == [f"450 19 <u{who}>" for who in range(300)]


async def test_a_record_that_does_not_fit_its_message_is_seen(tmp_path: Path) -> None:
    layout.prepare(tmp_path / "spool")
    store = LmdbSpool(tmp_path / "spool", owner="test", reserve=0, map_size=2**26)
    id = await put(store, T0)
    await store.track.note([Passed(id, T0, 1, envelope(), Reply(250, "ok"), "mail.example.com", None)])
    store.close()
    assert [finding.id for finding in verify(tmp_path / "spool") if finding.problem] == [id]
