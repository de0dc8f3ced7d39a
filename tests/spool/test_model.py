"""The stores against a plain model: whatever is done in whatever order, crashes between, all tell the same (I1, I8, I11)."""

import asyncio
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from backupmx.core.ids import MessageId
from backupmx.core.message import Kind, Lease, State
from backupmx.core.outcome import Deferred, Delivered, Failed, Reply
from backupmx.spool import layout
from backupmx.spool.memory import MemorySpool
from backupmx.spool.store import LmdbSpool
from backupmx.spool.verify import verify
from tests.spool.samples import envelope, listed, new_id, notice, tracked

T0 = datetime(2026, 5, 3, tzinfo=UTC)
DOMAINS = ("one.test", "two.test")
OUTCOMES = {
    "delivered": Delivered(Reply(250, "ok"), "primary"),
    "deferred": Deferred(Reply(451, "later"), "primary"),
    "failed": Failed(Reply(550, "never"), "primary"),
    "untold": None,
}


class Spools(RuleBasedStateMachine):
    """Every verb is done to the LMDB store and to the fake; the model knows only what must be there."""

    ids = Bundle("ids")
    leases = Bundle("leases")

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.place = Path(tempfile.mkdtemp(prefix="backupmx-model-"))
        layout.prepare(self.place / "spool")
        self.fake = MemorySpool()
        self.now = T0
        self.contents: dict[MessageId, bytes] = {}
        """The model: what was accepted, and not yet delivered to all or removed."""
        self.open()

    def open(self) -> None:
        self.store = LmdbSpool(self.place / "spool", owner="model", reserve=0, map_size=256 * 2**20)

    def both(self, verb: str, *words: Any) -> Any:
        """Do it to each; they must say the same."""
        said = [self.loop.run_until_complete(getattr(spool, verb)(*words)) for spool in (self.store, self.fake)]
        assert said[0] == said[1]
        return said[0]

    @rule(
        target=ids,
        size=st.sampled_from([0, 10, 262_127, 262_128, 262_129, 530_000]),
        to=st.lists(st.sampled_from(["a@one.test", "b@one.test", "c@two.test"]), min_size=1, unique=True),
    )
    def accept(self, size: int, to: list[str]) -> MessageId:
        id, content = new_id(), b"x" * size

        async def run(spool: Any) -> None:
            intake = spool.intake(id)
            await intake.write(content)
            await intake.commit(envelope(*to), self.now)

        for spool in (self.store, self.fake):
            self.loop.run_until_complete(run(spool))
        self.contents[id] = content
        return id

    @rule(crash=st.booleans())
    def begin_and_give_up(self, crash: bool) -> None:
        intake = self.store.intake(new_id())
        self.loop.run_until_complete(intake.write(b"x" * 600_000))
        if crash:
            self.crash()
        else:
            self.loop.run_until_complete(intake.abandon())

    @rule(target=leases, domain=st.sampled_from(DOMAINS), limit=st.integers(1, 3))
    def lease(self, domain: str, limit: int) -> Any:
        until = self.now + timedelta(minutes=3)
        return multiple(*self.both("lease", domain, "courier", self.now, until, limit))

    @rule(lease=consumes(leases), kinds=st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=3, max_size=3), told=st.booleans())
    def settle(self, lease: Lease, kinds: list[str], told: bool) -> None:
        pairs = zip(lease.recipients, kinds, strict=False)
        outcomes = {address: OUTCOMES[kind] for address, kind in pairs if OUTCOMES[kind]}
        failed = [address for address, outcome in outcomes.items() if isinstance(outcome, Failed)]
        notices = [notice(*failed)] if told and failed else []
        done = self.both("settle", lease, outcomes, self.now, self.now + timedelta(minutes=1), notices)
        self.contents |= {each.id: each.content for each in done}
        self.gone(lease.message.id)

    def gone(self, id: MessageId) -> None:
        if self.fake.get(id) is None:
            self.contents.pop(id, None)

    @rule(id=ids)
    def bounce(self, id: MessageId) -> None:
        message = self.fake.get(id)
        told = notice(*message.unfinished()) if message else notice("a@one.test")
        if self.both("bounce", told, id, "petra", "why", self.now):
            self.contents[told.id] = told.content
            self.gone(id)

    @rule(domain=st.sampled_from(DOMAINS))
    def warn(self, domain: str) -> None:
        found = [spool.unwarned(domain, self.now - timedelta(minutes=5), 3) for spool in (self.store, self.fake)]
        assert [m.id for m in found[0]] == [m.id for m in found[1]]
        if found[0]:
            told = notice("a@one.test", kind=Kind.DELAYED)
            self.both("warn", domain, found[0][-1].id, {found[0][0].id: told}, self.now)
            self.contents[told.id] = told.content

    @rule(minutes=st.integers(0, 5))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(id=ids)
    def hold(self, id: MessageId) -> None:
        self.both("hold", [id], "petra", "why", self.now)

    @rule(id=ids)
    def release(self, id: MessageId) -> None:
        self.both("release", [id], "petra", "why", self.now)

    @rule(id=ids)
    def retry(self, id: MessageId) -> None:
        self.both("retry", [id], self.now)

    @rule(limit=st.integers(1, 3), minutes=st.sampled_from([0, 0, 5, 90]))
    def hurry(self, limit: int, minutes: int) -> None:
        self.both("hurry", "example.com", self.now + timedelta(minutes=minutes), self.now, limit)

    @rule(id=consumes(ids))
    def remove(self, id: MessageId) -> None:
        self.both("remove", [id], "petra", "why", self.now)
        self.contents.pop(id, None)

    @rule(domain=st.sampled_from(DOMAINS))
    def expire(self, domain: str) -> None:
        upto = self.now - timedelta(minutes=10)
        late, same = (spool.late(domain, upto, self.now, 10) for spool in (self.store, self.fake))
        assert [message.id for message in late] == [message.id for message in same]
        notices = {message.id: [notice(*message.pending(domain))] if number % 2 else [] for number, message in enumerate(late)}
        done = self.both("expire", domain, notices, upto, self.now)
        self.contents |= {each.id: each.content for several in done.values() for each in several}
        for id in done:
            self.gone(id)

    @rule()
    def reclaim(self) -> None:
        self.both("reclaim", "courier", self.now)

    @rule(id=ids)
    def set_aside(self, id: MessageId) -> None:
        self.both("set_aside", id, "damaged", self.now)

    @rule()
    def crash(self) -> None:
        """Nothing is closed in order: what is durable is what was committed."""
        copy = self.place / "copy"
        copy.mkdir()
        shutil.copy(self.place / "spool" / "data.mdb", copy)
        self.store.close()
        shutil.move(copy / "data.mdb", self.place / "spool" / "data.mdb")
        copy.rmdir()
        self.open()
        self.store.sweep(None)

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "store"):
            return
        assert set(self.fake.messages) == set(self.contents)
        for id, content in self.contents.items():
            message = self.store.get(id)
            assert message is not None
            expected = self.fake.messages[id]
            assert (message.schedule, message.progress, message.state()) == (
                expected.schedule,
                expected.progress,
                expected.state(),
            )
            if message.state() is not State.DAMAGED:
                assert b"".join(self.store.content(id)) == content
        assert self.store.census() == self.fake.census()
        books = self.store.books(0)
        assert books == self.fake.books(0)
        assert all(line.difference == 0 for lines in books.values() for line in lines.values())
        for domain in DOMAINS:
            assert self.store.next_due(domain) == self.fake.next_due(domain)
            assert self.store.last_due(domain) == self.fake.last_due(domain)
        assert [message.id for message in listed(self.store)] == sorted(self.contents, reverse=True)
        assert self.store.stats().unfinished == 0
        assert tracked(self.store) == tracked(self.fake)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            found = [finding for finding in verify(self.place / "spool") if finding.problem]
            assert all(finding.problem.startswith("set aside") for finding in found if finding.problem), found
            self.loop.close()
            shutil.rmtree(self.place)


Spools.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestSpools = Spools.TestCase
