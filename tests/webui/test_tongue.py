"""The page in the reader's language: which one that is, what it says then, and what stays as it is."""

from datetime import timedelta

import pytest
from canned import Canned
from flask import Flask
from flask.testing import FlaskClient
from samples import NOW, OUTAGE, ago, domain, row, status, to_come
from visitor import Elements, token_in, words_of

from backupmx.core import words as common
from backupmx.core.message import State
from backupmx.core.replies import TABLE
from backupmx.core.status import DomainStatus, PrimaryState
from backupmx.core.track import Standing
from webui import names, tongue, words

UP, DOWN, UNKNOWN = PrimaryState.UP, PrimaryState.DOWN, PrimaryState.UNKNOWN
SWEDISH = {"Accept-Language": "sv"}


def language_of(client: FlaskClient, asked: str | None, path: str = "/login") -> str | None:
    answer = client.get(path, headers={"Accept-Language": asked} if asked is not None else {})
    (html,) = Elements(answer.text).all("html")
    assert answer.headers["Content-Language"] == html["lang"]
    assert {"accept-language", "cookie"} <= {name.lower() for name in answer.vary}
    return html["lang"]


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("sv", "sv"),
        ("sv-SE,sv;q=0.9,en;q=0.8", "sv"),
        ("sv-FI", "sv"),
        ("en-GB,sv;q=0.5", "en"),
        ("de,sv;q=0.5", "sv"),
        ("de,fr", "en"),
        ("sv;q=0,de", "en"),
        ("*", "en"),
        ("sv_\x7f../../etc/passwd-" + "x" * 4000, "en"),
    ],
)
def test_the_browser_says_which_language_a_reader_likes(stranger: FlaskClient, asked: str | None, language: str) -> None:
    assert language_of(stranger, asked) == language


def test_what_a_reader_chose_counts_more(stranger: FlaskClient) -> None:
    """Also before the login; the choice is kept, and leads back to where it was made."""
    page = stranger.get("/login?next=/queue")
    fields = Elements(page.text).all("input")
    (back,) = [field["value"] for field in fields if field.get("name") == "back"]
    assert [(one["value"], one["lang"]) for one in Elements(page.text).all("button") if "lang" in one] == [
        ("en", "en"),
        ("sv", "sv"),
    ]
    answer = stranger.post("/language", data={"csrf_token": token_in(page), "language": "sv", "back": back})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/queue")
    cookie = stranger.get_cookie("backupmx_language")
    assert cookie and cookie.http_only and cookie.same_site == "Lax" and cookie.max_age
    assert language_of(stranger, "en-US") == "sv"
    assert [one["value"] for one in Elements(stranger.get("/login").text).all("button") if one.get("aria-current")] == ["sv"]
    stranger.set_cookie("backupmx_language", "../sv")
    assert language_of(stranger, "en-US") == "en", "a language that there is not is none"


@pytest.mark.parametrize(
    "back", ["//evil.example/", "/\\evil.example", "https://evil.example/", "", "/a\r\nSet-Cookie: x=1", "queue"]
)
def test_a_choice_leads_nowhere_else(stranger: FlaskClient, back: str) -> None:
    """The address comes from a form, and is one of ours or none."""
    data = {"csrf_token": token_in(stranger.get("/login")), "language": "sv", "back": back}
    assert stranger.post("/language", data=data).headers["Location"] == "/"
    assert stranger.post("/language", data={"language": "sv"}).status_code == 400, "and no other site can make it"


def test_a_language_that_there_is_not_cannot_be_chosen(stranger: FlaskClient) -> None:
    stranger.post("/language", data={"csrf_token": token_in(stranger.get("/login")), "language": "tlh"})
    assert stranger.get_cookie("backupmx_language") is None


def down(name: str, **more: object) -> DomainStatus:
    return domain(name, DOWN, ago(hours=3, minutes=12), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("domains", "said"),
    [
        ([domain("a.example", UP)], ["Allt är väl: alla primära servrar är uppe, och inget väntar."]),
        ([], ["Inget väntar."]),
        ([down("a.example")], ["Den primära servern för a.example har varit nere i 3 tim 12 min; inget väntar än."]),
        (
            [down("a.example", messages=1204, bytes=3_565_158, oldest=ago(hours=4)), down("b.example")],
            [
                "De primära servrarna för a.example och b.example har varit nere i 3 tim 12 min; "
                "1\u00a0204 meddelanden (3,4 MiB) är i säkerhet; det äldsta har 4 d 20 tim kvar."
            ],
        ),
        (
            [domain("a.example", UP, last_error="550 no", messages=1, bytes=1)],
            ["Servern för a.example svarar, men avvisar e-post som den brukade ta emot; 1 meddelande (1 B) är i säkerhet."],
        ),
        (
            [domain("a.example", UP, messages=2, bytes=10, oldest=ago(minutes=5))],
            ["2 meddelanden (10 B) väntar, det äldsta sedan 5 min."],
        ),
        (
            [domain(f"{name}.example", UNKNOWN, held=1) for name in "abcd"],
            [
                "Inget väntar.",
                "De primära servrarna för 4 domäner har inte hörts av än.",
                "För en administratör att ta hand om: 4 kvarhållna.",
            ],
        ),
    ],
)
def test_the_sentence_of_truth_is_true_in_swedish(app: Flask, domains: list[DomainStatus], said: list[str]) -> None:
    """I8: the same facts, in each state, whole sentences with the right forms."""
    with app.test_request_context(headers=SWEDISH):
        assert list(common.sentences(status(*domains), tongue)) == said


def test_what_is_no_page_speaks_english(reader: FlaskClient, canned: Canned) -> None:
    """Programs read the same, whoever runs them; so do the command line and alerts."""
    assert common.sentences(OUTAGE)[0].startswith("The primary of example.com has been down")
    assert words.clock(to_come(days=5), NOW) == "28 Nov, 14:35 UTC"
    canned.status = None
    answer = reader.get("/api/v1/status", headers=SWEDISH)
    assert answer.json == {"error": "Backup MX is not running or cannot be asked."}
    assert "Content-Language" not in answer.headers
    assert "Backup MX är inte i gång" in reader.get("/", headers=SWEDISH).text


@pytest.mark.parametrize(
    ("asked", "moment", "day", "number", "size"),
    [
        ("en", "23 Nov 2026, 14:35:07 UTC", "28 Nov, 14:35 UTC", "1,204", "3.4 MiB"),
        ("en-US", "Nov 23, 2026, 14:35:07 UTC", "Nov 28, 14:35 UTC", "1,204", "3.4 MiB"),
        ("en-XX", "23 Nov 2026, 14:35:07 UTC", "28 Nov, 14:35 UTC", "1,204", "3.4 MiB"),
        ("sv", "23 nov. 2026 14:35:07 UTC", "28 nov. 14:35 UTC", "1\u00a0204", "3,4 MiB"),
        ("sv-FI", "23 nov. 2026 14.35.07 UTC", "28 nov. 14.35 UTC", "1\u00a0204", "3,4 MiB"),
    ],
)
def test_numbers_and_times_are_as_the_reader_writes_them(
    app: Flask, asked: str, moment: str, day: str, number: str, size: str
) -> None:
    """By the country that the browser names; UTC stays UTC."""
    with app.test_request_context(headers={"Accept-Language": asked}):
        assert words.moment(NOW) == moment
        assert words.clock(to_come(days=5), NOW) == day
        assert tongue.number(1204) == number
        assert common.size(3_565_158, tongue) == size


def test_the_overview_is_swedish_and_its_times_are_for_machines(reader: FlaskClient) -> None:
    """From the title to the footer; what the primary said is left as it was."""
    page = reader.get("/", headers=SWEDISH)
    text = words_of(page)
    assert text.startswith("1 204 väntar · Backup MX Hoppa till innehållet Backup MX Översikt Kö")
    assert "primär server nere i 3 tim 12 min" in text
    assert "Uppgifterna gäller 23 nov. 2026 14:35:07 UTC." in text
    assert "Refused" not in text and "Waiting" not in text and "outage" not in text
    assert "Greylisted, see http://postgrey.example/help" in text
    assert {"2026-11-23T14:35:07Z"} <= {time["datetime"] for time in Elements(page.text).all("time")}


def test_every_page_is_swedish(reader: FlaskClient, canned: Canned) -> None:
    """No state, verb or reason is left in English; strangers' words are the strangers' own."""
    id = canned.rows[1].message.id
    queue = words_of(reader.get("/queue", headers=SWEDISH))
    assert "den primära servern är nere; går så snart den primära servern är tillbaka; sparas till 28 nov. 14:34 UTC" in queue
    assert "petra håller kvar det: looks like fraud, asking the sender; blir kvar tills det släpps" in queue
    assert "Returnera …" in queue and "i karantän mail.example.com avvisade det, och avsändaren får inte underrättas" in queue
    assert "Kom från" in words_of(reader.get(f"/message/{id}", headers=SWEDISH))
    assert "Vad blev det av ett meddelande?" in words_of(reader.get("/track", headers=SWEDISH))
    assert "november 2026, hittills" in words_of(reader.get("/report", headers=SWEDISH))
    data = {"csrf_token": token_in(reader.get("/queue")), "verb": "delete", "everything": "yes"}
    preview = words_of(reader.post("/queue/preview", data=data, headers=SWEDISH))
    assert "Du är på väg att ta bort 1 204 meddelanden. De tas bort för alltid, och ingen underrättas." in preview
    assert "Det finns ingen sådan sida." in words_of(reader.get("/nothing", headers=SWEDISH))


def test_a_stranger_cannot_write_into_a_translation(reader: FlaskClient, canned: Canned) -> None:
    """I7: what is filled in is text, whatever per cent signs and markup are in it."""
    canned.rows = [row(1, "%(x)s<b>%s@evil.example", subject="100 %(age)d <script>", arrived=NOW - timedelta(minutes=1))]
    page = reader.get("/queue", headers=SWEDISH)
    assert "från %(x)s<b>%s@evil.example 100 %(age)d <script>" in words_of(page)
    assert "<script>" not in page.text


def test_everything_has_a_name() -> None:
    """States, outcomes and refusals, so that none shows in another language than the rest."""
    assert {*State, *Standing, "deferred", "failed", "expired"} <= set(names._STATES)
    refused = {answer.name for answer in TABLE if answer.code >= 400} | {"primary_defers", "primary_refuses"}
    assert refused == set(names._REFUSALS)
