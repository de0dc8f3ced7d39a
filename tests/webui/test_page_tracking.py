"""The page on which somebody asks what became of a message."""

from datetime import UTC, datetime

from canned import Canned
from flask.testing import FlaskClient
from past import gone
from samples import id_of
from visitor import Elements, fields_of, words_of

from backupmx.control.requests import TrackMessages
from backupmx.core.events import Result, Tried
from backupmx.core.track import Standing, Wanted

OLD = datetime(2026, 11, 1, tzinfo=UTC)


def asked(canned: Canned) -> TrackMessages:
    """The last search."""
    return next(asked for asked in reversed(canned.asked) if isinstance(asked, TrackMessages))


def test_the_newest_lives_are_there_at_once(reader: FlaskClient, canned: Canned) -> None:
    """With the outcome for each recipient and the primary's words; gone or here."""
    words = words_of(reader.get("/track"))
    for life, said in (
        (canned.gone[0], "10:35 UTC relayed office@example.com relayed 10:35 UTC 250 2.0.0 Ok: queued as 4cJt1"),
        (canned.gone[1], "21 Nov, 10:35 UTC delivered office@example.com delivered 21 Nov, 12:35 UTC 250 2.0.0 Ok"),
        (canned.gone[2], "14 Nov, 14:34 UTC returned office@example.com returned 14 Nov, 14:35 UTC 550 5.1.1"),
    ):
        assert f"{life.id} {said}" in words
    assert "quarantined old.employee@example.org failed" in words
    assert (asked(canned).wanted, asked(canned).limit) == (Wanted(), 25)


def test_what_is_sought_stands_in_the_address(reader: FlaskClient, canned: Canned) -> None:
    """By id, sender, recipient, host and time; the form shows it, and a search is bounded in time."""
    query = {
        "id": "01M7",
        "sender": "anna",
        "recipient": "office",
        "host": "mail",
        "since": "2026-11-14T00:00",
        "until": "2026-11-20T12:00",
    }
    page = reader.get("/track", query_string=query)
    wanted = Wanted("01M7", "anna", "office", "mail", datetime(2026, 11, 14, tzinfo=UTC), datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert asked(canned).wanted == wanted
    assert 0 < asked(canned).seconds < 4, "less than the patience of the page"
    assert fields_of(page, "filter").to_dict() == query
    assert [row["id"] for row in Elements(page.text).all("tr") if row.get("id")] == [f"life-{canned.gone[2].id}"]


def test_what_makes_no_sense_is_left_out_and_named(reader: FlaskClient, canned: Canned) -> None:
    page = reader.get("/track?id=u&since=yesterday&until=0001-01-01&after=x&host=mail")
    assert "Left out, for it makes no sense: id, since, until, after." in words_of(page)
    assert asked(canned).wanted == Wanted(host="mail")
    answer = reader.get("/track?id=&host=mail")
    assert answer.headers["Location"] == "/track?host=mail"


def test_pages_go_back_by_the_last_id(reader: FlaskClient, canned: Canned) -> None:
    """The search stays; a page that is empty and not the last one says how far it came."""
    event = Tried(OLD, Result.RELAYED, (0,), "250 ok", "mail.example.com", None)
    canned.gone = [gone(n, Standing.RELAYED, event, arrived=OLD) for n in range(60, 0, -1)]
    page = reader.get("/track?sender=anna@sender")
    older = next(link["href"] for link in Elements(page.text).all("a") if link.get("rel") == "next")
    assert older == f"/track?sender=anna@sender&after={id_of(36, OLD)}"
    assert id_of(35, OLD) in reader.get(older).text
    canned.page = 3
    words = words_of(reader.get(older))
    assert "Searched back to 1 Nov, 00:00 UTC." in words and "Search on" in words
    assert "There are no more messages of that kind." in words_of(reader.get(f"/track?after={id_of(1, OLD)}"))


def test_nothing_found_says_what_can_be_known(reader: FlaskClient, canned: Canned) -> None:
    assert "Nothing is known of such a message." in words_of(reader.get("/track?sender=nobody@nowhere"))
    canned.rows, canned.gone = [], []
    assert "No message has come yet." in words_of(reader.get("/track"))
