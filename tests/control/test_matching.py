"""Acting on all that a filter means: counted first, then done, and it ends. And a look that ends when its time is over."""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from backupmx.control import admin
from backupmx.control.answers import Counted, Done, Refused, Row
from backupmx.control.requests import ActMatching, CountMatching, ListQueue, Verb
from backupmx.core.message import NOTICES, Proof, State
from backupmx.core.queue import Filter
from backupmx.spool import view
from control.house import NOW, House, an_id

LATER = NOW + timedelta(hours=1)


def count(house: House, verb: Verb, seconds: float = 1.0, **parts: Any) -> Counted:
    answer = house.client.ask(CountMatching(verb, Filter(**parts), seconds))
    assert isinstance(answer, Counted)
    return answer


def act(house: House, verb: Verb, upto: datetime = LATER, **parts: Any) -> Iterator[Done]:
    """All the thousands, one after the other."""
    request = ActMatching(verb, Filter(**parts), "alice", upto, "because")
    for _ in range(100):
        answer = house.client.ask(request)
        assert isinstance(answer, Done)
        yield answer
        if answer.after is None:
            return
        request = ActMatching(verb, Filter(**parts), "alice", upto, "because", answer.after)
    raise AssertionError("it does not end")


def changed(house: House, verb: Verb, **parts: Any) -> list[str]:
    return [id for done in act(house, verb, **parts) for id in done.ids]


def in_every_state(house: House) -> dict[State, str]:
    """One message in each."""
    quarantined = house.take(1)
    house.try_all("5.1.1 nobody", fail=True)
    leased = house.take(2)
    house.do(house.spool.lease("one.example", "courier", NOW, LATER, 9))
    waiting, held, damaged = house.take(3), house.take(4), house.take(5)
    house.do(house.spool.hold((held,), "petra", "", NOW))
    house.do(house.spool.set_aside(damaged, "digest", NOW))
    return {
        State.QUARANTINED: quarantined,
        State.LEASED: leased,
        State.WAITING: waiting,
        State.HELD: held,
        State.DAMAGED: damaged,
    }


@pytest.mark.parametrize(
    ("verb", "moves"),
    [
        (Verb.RETRY, {State.WAITING, State.LEASED}),
        (Verb.HOLD, {State.WAITING, State.LEASED}),
        (Verb.RELEASE, {State.HELD, State.QUARANTINED, State.DAMAGED}),
        (Verb.BOUNCE, {State.WAITING, State.HELD, State.QUARANTINED}),
        (Verb.DELETE, set(State)),
    ],
)
def test_a_verb_counts_what_it_can_move(house: House, verb: Verb, moves: set[State]) -> None:
    """By the counters and by a look at each, the same; also of one state, where waiting means what is leased too."""
    there = in_every_state(house)
    for parts in ({}, {"domain": "one.example"}, {"sender": "sender@"}, {"domain": "one.example", "before": LATER}):
        assert count(house, verb, **parts) == Counted(len(moves), all=True, upto=NOW), parts
        for state in there:
            means = {State.WAITING, State.LEASED} if state is State.WAITING else {state}
            assert count(house, verb, state=state, **parts) == Counted(len(means & moves), all=True, upto=NOW), (state, parts)
    assert count(house, verb, domain="two.example").messages == 0


def test_what_is_counted_is_done_and_the_rest_left_alone(house: House) -> None:
    """Each change is in the log with its name; the courier is woken."""
    there = in_every_state(house)
    house.take(9, to=("user@two.example",))
    found = changed(house, Verb.RELEASE, domain="one.example")
    assert set(found) == {there[State.HELD], there[State.QUARANTINED], there[State.DAMAGED]}
    assert house.woken == 1
    lines = [(line["verb"], line["by"], line["id"], line["why"]) for line in house.logged if line["event"] == "admin"]
    assert lines == [("release", "alice", id, "because") for id in found]
    assert changed(house, Verb.RELEASE) == []
    assert house.woken == 1


@pytest.mark.parametrize("verb", [Verb.RETRY, Verb.HOLD, Verb.DELETE])
def test_more_than_one_request_may_do_is_done_by_several_and_none_twice(
    house: House, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that was moved and matches still (a retry) does not come again: this ends."""
    monkeypatch.setattr(admin, "IDS_LIMIT", 60)
    for number in range(130):
        house.take(number)
    answers = list(act(house, verb))
    assert len(answers) >= 3
    assert all(len(answer.ids) <= admin.IDS_LIMIT for answer in answers)
    done = [id for answer in answers for id in answer.ids]
    assert done == [an_id(number) for number in reversed(range(130))]


def test_what_came_after_it_was_counted_is_left_alone(house: House) -> None:
    """Nobody deletes what nobody saw: to the microsecond."""
    house.take(1)
    counted = count(house, Verb.DELETE)
    assert counted.upto is not None
    house.take(2, arrived=counted.upto + timedelta.resolution)
    (done,) = act(house, Verb.DELETE, upto=counted.upto)
    assert done.ids == (an_id(1),)
    (done,) = act(house, Verb.DELETE, upto=LATER, before=NOW)
    assert done.ids == ()


def test_a_notification_that_a_bounce_brings_about_is_not_bounced(house: House) -> None:
    """It is newer than all that is meant; whose sender is not known stays where it is."""
    proven = [house.take(number, proof=Proof.SPF) for number in range(70)]
    doubtful = house.take(100)
    assert set(changed(house, Verb.BOUNCE)) == set(proven)
    left = [row.message for row in house.client.listing(ListQueue())]
    assert sum(message.domains() == (NOTICES,) for message in left) == 70
    assert [message.id for message in left if message.domains() != (NOTICES,)] == [doubtful]


def test_who_acts_is_said(house: House) -> None:
    """And nothing is done otherwise, nor with a time that could be meant in two ways."""
    house.take(1)
    naive = datetime(2026, 11, 23)  # noqa: DTZ001 - that is the point
    for request in (
        ActMatching(Verb.DELETE, Filter(), "", LATER),
        ActMatching(Verb.DELETE, Filter(), "alice", naive),
        ActMatching(Verb.DELETE, Filter(before=naive), "alice", LATER),
        ActMatching(Verb.DELETE, Filter(), "alice", LATER, after="zzz"),
        CountMatching(Verb.DELETE, Filter(before=naive)),
    ):
        assert isinstance(house.client.ask(request), Refused), request
    assert isinstance(house.client.page(ListQueue(Filter(before=naive))), Refused)
    assert [row.message.id for row in house.client.listing(ListQueue())] == [an_id(1)]


@pytest.fixture
def hasty(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Each page of the spool looks at one message, and each look at the clock finds a second gone."""
    monkeypatch.setattr(view, "LOOK_S", 0.0)
    monkeypatch.setattr(admin, "PAGE", 1)
    ticks = itertools.count()
    house.tick = lambda: next(ticks)
    for number in range(10):
        house.take(number, sender="rare@x.test" if number == 0 else "often@x.test")
    return house


def test_a_listing_ends_with_its_time_and_goes_on_from_there(hasty: House) -> None:
    """What was looked at is answered, and where it stopped."""
    page = hasty.client.page(ListQueue(seconds=3))
    assert not isinstance(page, Refused)
    rows, after = page
    assert [row.message.id for row in rows if isinstance(row, Row)] == [an_id(9), an_id(8), an_id(7)]
    assert after == an_id(7)
    assert [row.message.id for row in hasty.client.listing(ListQueue(after=after))] == [an_id(n) for n in range(6, -1, -1)]
    assert [row.message.id for row in hasty.client.listing(ListQueue(seconds=3))] == [an_id(n) for n in range(9, -1, -1)]


def test_a_count_ends_with_its_time_and_says_so(hasty: House) -> None:
    """Nobody takes a part for the whole."""
    assert count(hasty, Verb.DELETE, 3, sender="often@") == Counted(3, all=False, upto=NOW)
    assert count(hasty, Verb.DELETE, 100, sender="often@") == Counted(9, all=True, upto=NOW)
    assert count(hasty, Verb.DELETE, 3) == Counted(10, all=True, upto=NOW)


def test_a_search_for_what_to_act_on_ends_with_its_time(hasty: House) -> None:
    """A client is not kept waiting: it asks again, from where it stopped."""
    answers = list(act(hasty, Verb.DELETE, sender="rare@"))
    assert [id for answer in answers for id in answer.ids] == [an_id(0)]
