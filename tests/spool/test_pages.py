"""A page of the queue: what each filter means, in both stores; and that no look at it lasts long."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from backupmx.core import ids
from backupmx.core.message import Message, State
from backupmx.core.queue import Filter
from backupmx.ports import Spool
from backupmx.spool import layout, view
from backupmx.spool.store import LmdbSpool
from tests.spool.samples import listed, notice, put
from tests.spool.test_contract import DONE, LATER, NEVER, SOON, T0, spool  # noqa: F401 - the fixture

ENCODED = "=?utf-8?q?R=C3=A4kning_f=C3=B6r?= =?utf-8?b?IG5vdmVtYmVy?="


def ids_of(found: list[Message]) -> list[str]:
    return [message.id for message in found]


async def test_a_subject_is_kept_as_it_came_and_found_as_it_is_read(spool: Spool) -> None:  # noqa: F811
    """Whole or in part, without case; one that is encoded by what a person sees, and not by what stands there."""
    plain = await put(spool, T0, b"x", subject="Minutes of  the meeting")
    encoded = await put(spool, T0, b"x", subject=ENCODED)
    none = await put(spool, T0, b"x")
    assert [spool.get(id).subject for id in (plain, encoded, none)] == ["Minutes of  the meeting", ENCODED, ""]  # type: ignore[union-attr]
    for wanted, expected in (
        ("minutes OF the MEETING", [plain]),
        ("of the", [plain]),
        ("räkning FÖR nov", [encoded]),
        ("RÄKN", [encoded]),
        ("november", [encoded]),
        ("n", [encoded, plain]),
        ("utf-8", []),
        ("C3=A4", []),
        ("", [none, encoded, plain]),
        (" ", [encoded, plain]),
    ):
        assert ids_of(listed(spool, Filter(subject=wanted))) == expected, wanted
    assert ids_of(listed(spool, Filter(sender="a@", recipient="u@", subject="minutes"))) == [plain]
    assert ids_of(listed(spool, Filter(sender="b@", subject="minutes"))) == []


async def test_what_we_write_ourselves_has_a_subject_too(spool: Spool) -> None:  # noqa: F811
    """For who looks at the queue."""
    await put(spool, T0)
    (lease,) = await spool.lease("example.com", "me", T0, LATER, 1)
    told = notice("u@example.com", content=b"From: us\r\nSubject: Not delivered\r\n\r\nSubject: the other one\r\n")
    await spool.settle(lease, {"u@example.com": NEVER}, SOON, LATER, [told])
    assert [(message.id, message.subject) for message in listed(spool, Filter(subject="not deliv"))] == [
        (told.id, "Not delivered")
    ]


async def test_a_domain_has_the_messages_that_still_concern_it(spool: Spool) -> None:  # noqa: F811
    """In whatever state they are; what its own recipients have got is another one's message."""
    both = await put(spool, T0, b"x", "a@one.test", "b@two.test")
    other = await put(spool, SOON, b"x", "a@one.test")
    await spool.hold([other], "petra", "", SOON)
    assert ids_of(listed(spool, Filter(domain="one.test"))) == [other, both]
    (lease,) = await spool.lease("one.test", "me", SOON, LATER, 9)
    await spool.settle(lease, {"a@one.test": DONE}, SOON, LATER)
    assert ids_of(listed(spool, Filter(domain="one.test"))) == [other]
    assert ids_of(listed(spool, Filter(domain="one.test", state=State.QUARANTINED))) == []
    assert ids_of(listed(spool, Filter(domain="two.test"))) == [both]
    (lease,) = await spool.lease("two.test", "me", SOON, LATER, 9)
    await spool.settle(lease, {"b@two.test": NEVER}, SOON, LATER)
    assert ids_of(listed(spool, Filter(domain="two.test"))) == [both]
    assert ids_of(listed(spool, Filter(domain="two.test", state=State.QUARANTINED))) == [both]
    assert ids_of(listed(spool)) == [other, both]


async def test_every_state_of_a_domain_is_in_one_order(spool: Spool) -> None:  # noqa: F811
    """Newest first over all of them, page by page."""
    made = [await put(spool, T0 + timedelta(seconds=n), b"x", f"u@{('one', 'two')[n % 2]}.test") for n in range(12)]
    await spool.hold(made[::3], "petra", "", T0)
    await spool.set_aside(made[2], "digest", T0)
    expected = made[10::-2]
    assert ids_of(listed(spool, Filter(domain="one.test"))) == expected
    found, after = [], None
    while True:
        page = spool.page(Filter(domain="one.test"), after, 1)
        found += ids_of(list(page.messages))
        after = page.after
        if after is None:
            break
    assert found == expected


async def test_before_a_moment_is_what_arrived_before_it(spool: Spool) -> None:  # noqa: F811
    """To the microsecond, whatever the ids say; with a place to go on from it is both."""
    made = [await put(spool, T0 + timedelta(minutes=n), b"x") for n in range(6)]
    late = await put(spool, T0 + timedelta(minutes=2, microseconds=1), b"x")
    assert ids_of(listed(spool, Filter(before=T0 + timedelta(minutes=2)))) == made[1::-1]
    assert ids_of(listed(spool, Filter(before=T0 + timedelta(minutes=2, microseconds=1)))) == made[2::-1]
    assert ids_of(listed(spool, Filter(before=T0 + timedelta(minutes=2, microseconds=2)))) == [late, *made[2::-1]]
    page = spool.page(Filter(before=T0 + timedelta(minutes=5)), made[1], 9)
    assert ids_of(list(page.messages)) == made[:1]
    assert ids_of(listed(spool, Filter(before=T0 - timedelta(days=30_000)))) == []


@pytest.mark.parametrize(
    "wanted",
    [Filter(), Filter(sender="s7@"), Filter(domain="example.com"), Filter(state=State.WAITING), Filter(subject="nobody's")],
)
async def test_a_page_that_has_no_time_gets_on_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: Filter
) -> None:
    """I4: no read transaction lasts for long, and page after page the whole queue is looked through."""
    layout.prepare(tmp_path / "spool")
    store = LmdbSpool(tmp_path / "spool", owner="test", reserve=0, map_size=2**26)
    made = [await put(store, T0 + timedelta(seconds=n), b"x", sender=f"s{n}@x.test") for n in range(20)]
    expected = ids_of(listed(store, wanted))
    monkeypatch.setattr(view, "LOOK_S", 0.0)
    found, pages, after = [], 0, None
    while True:
        page = store.page(wanted, after, 50)
        found += ids_of(list(page.messages))
        pages += 1
        after = page.after
        if after is None:
            break
    assert found == expected
    assert pages >= len(made)
    store.close()


async def test_what_an_older_program_wrote_has_no_subject(tmp_path: Path) -> None:
    """And is read all the same."""
    layout.prepare(tmp_path / "spool")
    store = LmdbSpool(tmp_path / "spool", owner="test", reserve=0, map_size=2**26)
    id = await put(store, T0, b"x", subject="new")

    def command(work) -> None:  # type: ignore[no-untyped-def]
        fields = msgspec.msgpack.decode(work.txn.get(ids.decode(id), db=work.tables.message))
        del fields["subject"]
        work.txn.put(ids.decode(id), msgspec.msgpack.encode(fields), db=work.tables.message)

    await store._writer.do(command)
    message = store.get(id)
    assert message is not None
    assert message.subject == ""
    assert ids_of(listed(store, Filter(subject="new"))) == []
    store.close()
