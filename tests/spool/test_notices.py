"""Notifications come into the spool with the transaction that is their reason; asked of both stores."""

from datetime import timedelta
from pathlib import Path

import lmdb
import pytest

from backupmx.core import ids
from backupmx.core.events import Bounced, Result, Told, Tried
from backupmx.core.message import NOTICES, NULL_SENDER, Fate, Kind, State
from backupmx.core.track import Standing
from backupmx.ports import Spool
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool
from backupmx.spool.transaction import CHUNK
from backupmx.spool.verify import verify
from tests.spool.samples import notice, put
from tests.spool.test_contract import DONE, LATER, NEVER, NOT_NOW, SOON, T0, spool  # noqa: F401 - the fixture

A, B = "a@example.com", "b@example.com"


@pytest.mark.parametrize("size", [10, CHUNK, CHUNK + 1])
async def test_a_failure_of_which_the_sender_is_told_ends_the_message(spool: Spool, size: int) -> None:  # noqa: F811
    """I1, I3: the notification is there in the same transaction, from nobody, and due at once."""
    id = await put(spool, T0, b"x", A, B)
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 1)
    told = notice(B, content=b"y" * size)
    assert await spool.settle(lease, {A: DONE, B: NEVER}, SOON, LATER, [told]) == [told]
    assert spool.get(id) is None
    life = spool.track.find(id)
    assert life is not None
    assert (life.standing, life.returned(), life.ended) == (Standing.RETURNED, {1}, SOON)
    assert [type(event) for event in life.events] == [Tried, Tried, Told]
    (out,) = await spool.lease(NOTICES, "me", SOON, LATER, 9)
    assert (out.message.id, out.message.envelope.sender, out.message.arrived) == (told.id, NULL_SENDER, SOON)
    assert b"".join(spool.content(told.id)) == b"y" * size


async def test_what_failed_without_a_word_is_quarantined_beside_what_is_returned(spool: Spool) -> None:  # noqa: F811
    id = await put(spool, T0, b"x", A, B)
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 1)
    await spool.settle(lease, {A: NEVER, B: NEVER}, SOON, LATER, [notice(B)])
    message = spool.get(id)
    assert message is not None
    assert (message.fate(A), message.fate(B), message.state()) == (Fate.QUARANTINED, Fate.RETURNED, State.QUARANTINED)
    assert message.unfinished() == (A,)
    assert spool.census().domains["example.com"][State.QUARANTINED].messages == 1
    # what was returned stays so, whatever an admin does with the rest
    await spool.release([id], "petra", "", SOON)
    assert spool.get(id).pending() == (A,)  # type: ignore[union-attr]
    (lease,) = await spool.lease("example.com", "me", SOON, LATER, 9)
    await spool.settle(lease, {A: DONE}, LATER, LATER)
    assert spool.get(id) is None
    assert spool.track.find(id).standing is Standing.RETURNED  # type: ignore[union-attr]


async def test_a_notice_that_is_not_true_any_more_is_not_sent(spool: Spool) -> None:  # noqa: F811
    """The lease lapsed, and somebody else came to an end with it: the sender is told one thing only."""
    id = await put(spool, T0, b"x", A)
    (slow,) = await spool.lease("example.com", "me", T0, SOON, 1)
    (quick,) = await spool.lease("example.com", "you", SOON, LATER, 1)
    assert len(await spool.settle(quick, {A: NEVER}, SOON, LATER, [notice(A)])) == 1
    assert len(await spool.settle(slow, {A: NEVER}, SOON, LATER, [notice(A)])) == 0
    assert spool.get(id) is None
    assert spool.census().total[State.WAITING].messages == 1

    other = await put(spool, T0, b"x", A)
    (slow,) = await spool.lease("example.com", "me", T0, SOON, 1)
    (quick,) = await spool.lease("example.com", "you", SOON, LATER, 1)
    await spool.settle(quick, {A: NEVER}, SOON, LATER)
    assert await spool.settle(slow, {A: NEVER}, SOON, LATER, [notice(A)]) == []
    assert spool.get(other).state() is State.QUARANTINED  # type: ignore[union-attr]


async def test_the_end_of_the_window_returns_what_the_sender_is_told_of(spool: Spool) -> None:  # noqa: F811
    told, untold = await put(spool, T0, b"x", A), await put(spool, T0, b"x", B)
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 1)
    await spool.settle(lease, {A: NOT_NOW}, T0, SOON)
    assert [message.id for message in spool.late("example.com", T0, LATER, 9)] == [told, untold]
    done = await spool.expire("example.com", {told: [notice(A)], untold: []}, T0, LATER)
    assert {id: len(notices) for id, notices in done.items()} == {told: 1, untold: 0}
    assert spool.get(told) is None
    assert spool.get(untold).state() is State.QUARANTINED  # type: ignore[union-attr]


async def test_the_window_stands_still_while_an_admin_holds_a_message(spool: Spool) -> None:  # noqa: F811
    day = timedelta(days=1)
    id = await put(spool, T0)
    await spool.hold([id], "petra", "", T0 + day)
    assert spool.late("example.com", T0 + 9 * day, T0 + 9 * day, 9) == ()
    await spool.release([id], "petra", "", T0 + 4 * day)
    await spool.hold([id], "petra", "", T0 + 5 * day)
    await spool.release([id], "petra", "", T0 + 6 * day)
    assert spool.get(id).window_began == T0 + 4 * day  # type: ignore[union-attr]
    assert spool.late("example.com", T0 + 3 * day, T0 + 9 * day, 9) == ()
    assert [message.id for message in spool.late("example.com", T0 + 4 * day, T0 + 9 * day, 9)] == [id]
    # what is behind it is found all the same
    other = await put(spool, T0 + 2 * day)
    assert [message.id for message in spool.late("example.com", T0 + 3 * day, T0 + 9 * day, 9)] == [other]


async def test_each_message_is_looked_at_once_for_a_warning(spool: Spool) -> None:  # noqa: F811
    ids = [await put(spool, T0, b"x", A) for _ in range(5)]
    await spool.hold(ids[1:2], "petra", "", T0)
    young = await put(spool, LATER, b"x", A)
    waiting = spool.unwarned("example.com", SOON, 2)
    assert [message.id for message in waiting] == [ids[0], ids[2]]
    await spool.warn("example.com", ids[2], {ids[0]: notice(A, kind=Kind.DELAYED)}, SOON)
    assert [message.id for message in spool.unwarned("example.com", SOON, 9)] == ids[3:]
    await spool.warn("example.com", ids[4], {}, SOON)
    assert spool.unwarned("example.com", SOON, 9) == ()
    assert spool.unwarned("example.org", SOON, 9) == ()
    assert [message.id for message in spool.unwarned("example.com", LATER + timedelta(1), 9)] == [young]
    life = spool.track.find(ids[0])
    assert life is not None
    assert (life.standing, [type(event) for event in life.events]) == (Standing.WAITING, [Told])
    assert spool.next_due(NOTICES) == SOON


async def test_a_notice_of_success_goes_out_with_the_delivery(spool: Spool) -> None:  # noqa: F811
    id = await put(spool, T0, b"x", A)
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 1)
    assert len(await spool.settle(lease, {A: DONE}, SOON, LATER, [notice(A, kind=Kind.RELAYED)])) == 1
    life = spool.track.find(id)
    assert life is not None
    assert (life.standing, life.returned()) == (Standing.DELIVERED, frozenset())


async def test_an_admin_sends_a_message_back(spool: Spool) -> None:  # noqa: F811
    """Whoever has not got it; but not while it is on its way, and only if the notice tells of all of them."""
    id = await put(spool, T0, b"x", A, B)
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 1)
    assert not await spool.bounce(notice(A, B), id, "petra", "no", SOON)
    await spool.settle(lease, {A: DONE, B: NOT_NOW}, SOON, LATER)
    assert not await spool.bounce(notice(A, B), id, "petra", "no", SOON)
    await spool.hold([id], "petra", "", SOON)
    assert await spool.bounce(notice(B), id, "petra", "no", SOON)
    assert not await spool.bounce(notice(B), id, "petra", "no", SOON)
    assert spool.get(id) is None
    life = spool.track.find(id)
    assert life is not None
    assert life.standing is Standing.RETURNED
    assert life.events[-2] == Bounced(SOON, "petra", "no")
    assert [event.result for event in life.events if isinstance(event, Tried)] == [Result.DELIVERED, Result.DEFERRED]
    damaged = await put(spool, T0, b"x", A)
    await spool.set_aside(damaged, "digest", T0)
    assert not await spool.bounce(notice(A), damaged, "petra", "no", SOON)


async def test_the_books_balance(spool: Spool) -> None:  # noqa: F811
    """I11: by domain and day of arrival, in recipients."""
    other = T0 + timedelta(days=1)
    both = await put(spool, T0, b"x", A, B, "c@example.org")
    kept, gone, bad = [await put(spool, other, b"x", A) for _ in range(3)]
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 1)
    await spool.settle(lease, {A: DONE, B: NEVER}, SOON, LATER, [notice(B)])
    await spool.hold([kept, both], "petra", "", other)
    await spool.remove([gone], "petra", "", other)
    await spool.set_aside(bad, "digest", other)
    for _ in range(2):
        await put(spool, other, b"x", A)
    lease, _ = await spool.lease("example.com", "me", other, other + timedelta(1), 2)
    await spool.settle(lease, {A: NEVER}, other, other)
    books = spool.books(0)
    day = (T0 - T0.replace(year=1970, month=1, day=1, hour=0)).days
    shown = {(domain, number - day): line.columns() for domain, lines in books.items() for number, line in lines.items()}
    assert shown == {
        #                     accepted delivered returned removed waiting held quarantined damaged
        ("example.com", 0): (2, 1, 1, 0, 0, 0, 0, 0),
        ("example.org", 0): (1, 0, 0, 0, 0, 1, 0, 0),
        ("example.com", 1): (5, 0, 0, 1, 1, 1, 1, 1),
        (NOTICES, 0): (1, 0, 0, 0, 1, 0, 0, 0),
    }
    assert all(line.difference == 0 for lines in books.values() for line in lines.values())
    assert set(spool.books(day + 1)) == {"example.com"}
    await spool.release([both], "petra", "", other)
    (lease,) = await spool.lease("example.org", "me", other, other + timedelta(1), 2)
    await spool.settle(lease, {"c@example.org": DONE}, other, other)
    assert spool.books(0)["example.org"][day].columns() == (1, 1, 0, 0, 0, 0, 0, 0)


async def test_books_that_do_not_balance_are_seen(tmp_path: Path) -> None:
    """A message that vanished would leave its recipients missing."""
    layout.prepare(tmp_path / "spool")
    store = LmdbSpool(tmp_path / "spool", owner="test", reserve=0, map_size=2**26)
    id = await put(store, T0)
    message = store.get(id)
    assert message is not None
    await store._writer.do(lambda work: work._shift(ids.decode(id), message, None))
    store.close()
    problems = [finding.problem for finding in verify(tmp_path / "spool") if finding.problem]
    assert any("books" in problem for problem in problems)


async def test_a_spool_without_books_gets_them(tmp_path: Path) -> None:
    """An older program left it: its messages stand in them from now on."""
    place = tmp_path / "spool"
    layout.prepare(place)
    store = LmdbSpool(place, owner="test", reserve=0, map_size=2**26)
    await put(store, T0, b"x", A, B)
    held = await put(store, T0)
    await store.hold([held], "petra", "", T0)
    (lease,) = await store.lease("example.com", "me", T0, SOON, 1)
    await store.settle(lease, {A: DONE}, T0, SOON)
    before = store.books(0)
    store.close()
    with lmdb.open(str(place), max_dbs=16, lib_version=0) as env:
        book, meta = env.open_db(b"book"), env.open_db(b"meta")
        with env.begin(write=True) as txn:
            txn.drop(book, delete=False)
            txn.put(b"layout", b"1", db=meta)
    layout.prepare(place)
    layout.prepare(place)
    store = LmdbSpool(place, owner="test", reserve=0, map_size=2**26)
    assert store.books(0) == before
    store.close()
    assert [finding.problem for finding in verify(place) if finding.problem] == []
