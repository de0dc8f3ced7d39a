"""What the control socket tells of what became of messages."""

import itertools
from datetime import datetime, timedelta

import pytest

from backupmx.control.answers import LifeRow, Refused
from backupmx.control.requests import Act, TrackMessages, Verb
from backupmx.core.events import Removed, Tried
from backupmx.core.message import Client, Envelope, Recipient
from backupmx.core.outcome import Reply
from backupmx.core.track import Passed, Standing, Wanted
from control.house import NOW, House, an_id

FROM = Client("192.0.2.1", "client.example")


def relayed(house: House, first: int, last: int) -> None:
    """Messages that their primary took in the session."""
    envelope = Envelope("sender@elsewhere.example", (Recipient("user@one.example", "one.example"),), FROM)
    notes = [Passed(an_id(n), NOW, 100, envelope, Reply(250, "ok"), "mail.example", None) for n in range(first, last)]
    house.do(house.spool.track.note(notes))


def test_lives_are_told_newest_first_gone_or_here(house: House) -> None:
    house.take(1)
    house.take(2)
    house.try_all("4.2.0 later")
    house.client.ask(Act(Verb.DELETE, (an_id(1),), "alice", "spam"))
    relayed(house, 3, 4)
    lives = list(house.client.lives(TrackMessages()))
    assert [(life.id, life.standing) for life in lives] == [
        (an_id(3), Standing.RELAYED),
        (an_id(2), Standing.WAITING),
        (an_id(1), Standing.REMOVED),
    ]
    tried, removed = lives[2].events
    assert isinstance(tried, Tried)
    assert (tried.reply, tried.host) == ("451 4.2.0 later", "mail.example")
    assert removed == Removed(NOW, "alice", "spam")


def test_a_question_may_name_each_part(house: House) -> None:
    house.take(1, sender="anna@elsewhere.example")
    house.take(2, to=("other@one.example",), arrived=NOW - timedelta(days=1))
    house.take(40)
    for wanted, expected in (
        (Wanted(id=an_id(1)[:25].lower()), [2, 1]),
        (Wanted(sender="ANNA@"), [1]),
        (Wanted(recipient="other@"), [2]),
        (Wanted(host="192.0.2.1"), [40, 2, 1]),
        (Wanted(host="mail.example"), []),
        (Wanted(until=NOW), [2]),
    ):
        found = house.client.lives(TrackMessages(wanted))
        assert [life.id for life in found] == [an_id(number) for number in expected]


def test_any_number_of_lives_comes_in_pages(house: House) -> None:
    """Each page a request of its own, and in the server several reads."""
    relayed(house, 1, 501)
    assert [life.id for life in house.client.lives(TrackMessages())] == [an_id(n) for n in range(500, 0, -1)]
    assert len(list(house.client.lives(TrackMessages(limit=270)))) == 270
    page = house.client.page(TrackMessages(limit=3, after=an_id(10)))
    assert not isinstance(page, Refused)
    assert [row.life.id for row in page[0] if isinstance(row, LifeRow)] == [an_id(9), an_id(8), an_id(7)]
    assert page[1] == an_id(7)


def test_a_search_ends_with_its_time_and_says_where(house: House) -> None:
    """Who waits for it gets what was found so far; the next question goes on from there."""
    ticks = itertools.count()
    house.tick = lambda: next(ticks)
    relayed(house, 1, 201)
    page = house.client.page(TrackMessages(seconds=2))
    assert not isinstance(page, Refused)
    assert (len(page[0]), page[1]) == (100, an_id(101))
    assert len(list(house.client.lives(TrackMessages(seconds=2)))) == 200


@pytest.mark.parametrize(
    "request_",
    [
        TrackMessages(Wanted(id="U")),
        TrackMessages(after="x"),
        TrackMessages(Wanted(since=datetime(2026, 1, 1))),  # noqa: DTZ001 - that is the point
    ],
)
def test_a_question_that_makes_no_sense_is_refused(house: House, request_: TrackMessages) -> None:
    answer = house.client.page(request_)
    assert isinstance(answer, Refused)
    assert "trouble" not in answer.problems[0]
