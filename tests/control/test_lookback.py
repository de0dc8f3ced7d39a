"""How things went, as the page and the command line are told: history, books, a month's report."""

from datetime import timedelta

from backupmx.control.answers import BooksAnswer, HistoryAnswer, Refused, ReportAnswer, StatusAnswer
from backupmx.control.balance import Balance
from backupmx.control.requests import GetBooks, GetHistory, GetReport, GetStatus
from backupmx.core import books, history, words
from backupmx.core.books import Line
from backupmx.core.decisions import decisions
from backupmx.core.history import KEPT, Outage, Span, Sums
from backupmx.core.outcome import Delivered, Reply
from backupmx.core.status import Primary, PrimaryState, document
from control.house import LONG_AGO, NOW, House

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
DOWN, UP = Primary(PrimaryState.DOWN, NOW, "connection refused"), Primary(PrimaryState.UP, NOW)


def deliver(house: House, domain: str = "one.example") -> None:
    """The primary takes all that is due."""

    async def attempt() -> None:
        for lease in await house.spool.lease(domain, "courier", NOW, NOW + MINUTE, 100):
            done = Delivered(Reply(250, "ok"), "mail.example")
            await house.spool.settle(lease, dict.fromkeys(lease.recipients, done), NOW, NOW)

    house.do(attempt())


def report(house: House, month: str = "2026-11") -> ReportAnswer:
    answer = house.client.ask(GetReport(month))
    assert isinstance(answer, ReportAnswer)
    return answer


def test_the_history_is_what_was_noted(house: House) -> None:
    """Points and outages, in the words that a page can draw."""
    house.past.sample(NOW - 2 * MINUTE, house.spool.census(), 1000, Sums(refused={"no-such-user": 3}))
    house.take(1)
    house.past.primary("one.example", DOWN, NOW - MINUTE)
    house.past.sample(NOW - MINUTE, house.spool.census(), 900, Sums(1, 2, 3, {"no-such-user": 7}))
    for span in Span:
        answer = house.client.ask(GetHistory(span))
        assert isinstance(answer, HistoryAnswer)
        (point,) = answer.history.points
        assert (point.waiting, point.accepted, point.relayed, point.delivered) == (1, 1, 2, 3)
        assert (point.refused, point.room) == ({"no-such-user": 4}, 900)
        assert answer.history.outages == (Outage("one.example", NOW - MINUTE, None, "connection refused"),)
        assert answer.history.span is span


def test_the_books_are_the_spool_s(house: House) -> None:
    """By domain and day, from a day on."""
    house.take(1, to=("a@one.example", "b@one.example", "c@two.example"))
    house.take(2, arrived=LONG_AGO)
    deliver(house)
    today = books.day(NOW)
    answer = house.client.ask(GetBooks(today))
    assert answer == BooksAnswer(
        {"one.example": {today: Line(accepted=2, delivered=2)}, "two.example": {today: Line(accepted=1, waiting=1)}}
    )
    answer = house.client.ask(GetBooks(0))
    assert isinstance(answer, BooksAnswer)
    assert answer.lines == house.spool.books(0)
    assert house.client.ask(GetBooks(2**40)) == BooksAnswer({})
    assert house.client.ask(GetBooks(-1)) == answer
    assert len(answer.lines["one.example"]) == 2


def test_a_month_is_told_for_all_and_for_each(house: House) -> None:
    """From the books, the outages and the longest waits; what overlaps is one outage for all."""
    house.take(1, to=("a@one.example", "b@one.example", "c@two.example"))
    deliver(house)
    house.past.delivered("one.example", 41 * MINUTE, NOW)
    house.past.delivered("two.example", 5 * MINUTE, NOW)
    for domain, began, ended in (("one.example", 90, 60), ("two.example", 80, 70), ("one.example", 30, None)):
        house.past.primary(domain, DOWN, NOW - began * MINUTE)
        if ended is not None:
            house.past.primary(domain, UP, NOW - ended * MINUTE)
    whole, one, two = report(house).months
    assert words.month(whole) == "2 outages, 3 messages kept, 0 lost, longest wait 41 min"
    assert (whole.domain, whole.away) == ("", 60 * MINUTE)
    assert (one.domain, one.outages, one.away, one.kept, one.line.delivered) == ("one.example", 2, 60 * MINUTE, 2, 2)
    assert (two.domain, two.outages, two.away, two.longest_wait) == ("two.example", 1, 10 * MINUTE, 5 * MINUTE)
    assert two.line == Line(accepted=1, waiting=1)


def test_a_domain_that_is_no_longer_ours_had_its_month(house: House) -> None:
    """What was ours then is told; notifications to strangers are nobody's mail."""
    house.take(1, to=("a@gone.example",))
    house.take(2)
    house.try_all("5.1.1 nobody", fail=True)
    domains = [month.domain for month in report(house).months]
    assert domains == ["", "one.example", "two.example", "gone.example"]


def test_what_is_not_known_is_not_told(house: House) -> None:
    """A month before all that is kept, or to come, or none at all; and one that is known in part says from when on."""
    for month in ("2026-12", "2026-09", "9999-12", "0001-01", "november", "2026-13", ""):
        answer = house.client.ask(GetReport(month))
        assert isinstance(answer, Refused), month
    assert report(house).since == LONG_AGO
    house.past._since = NOW - 3 * KEPT
    assert report(house).since is None
    assert report(house, "2026-10").since is None
    assert report(house, "2026-09").since == NOW - KEPT
    assert isinstance(house.client.ask(GetReport("2026-08")), Refused)


def test_books_that_do_not_balance_are_told_to_everybody(house: House) -> None:
    """I11: an error in the log with domain and day, a notice on the page and in the terminal; not in the published document."""
    balance = Balance(house.spool)
    house.take(1, to=("a@one.example", "b@one.example"))
    house.do(balance.look())
    assert (balance.difference, house.logged) == (0, [])
    line = house.spool.books(0)["one.example"][books.day(NOW)]
    spoilt = {"one.example": {books.day(NOW): line + Line(accepted=2)}, "two.example": {1: Line(delivered=1)}}
    house.spool.books = lambda _since: spoilt
    house.do(balance.look())
    assert balance.difference == 3
    assert [(each["event"], each["domain"], each["day"], each["difference"]) for each in house.logged] == [
        ("books differ", "one.example", "2026-11-23", 2),
        ("books differ", "two.example", "1970-01-02", -1),
    ]
    house.difference = balance.difference
    answer = house.client.ask(GetStatus())
    assert isinstance(answer, StatusAnswer)
    (notice,) = decisions(answer.status)
    assert "do not balance: of 3 recipients" in notice.said
    assert notice.command == "backupmx spool verify"
    assert "difference" not in document(answer.status)["queue"]
    assert report(house).months[0].lost == 2


def test_a_day_of_a_month_belongs_to_it_alone(house: House) -> None:
    """To the last day, in UTC."""
    first = history.month_named("2026-11")
    house.take(1, arrived=first - timedelta.resolution)
    house.take(2, arrived=first)
    assert report(house).months[0].kept == 1
