"""The overview, and what every page has in common."""

import msgspec
import pytest
from canned import Canned
from flask.testing import FlaskClient
from past import OUTAGES
from samples import NO_ROUTE, OUTAGE, QUIET, ago, domain, status, to_come
from visitor import Elements, words_of
from werkzeug.test import TestResponse

from backupmx.control.requests import GetBooks, GetFindings, GetHistory, GetSpoolStats, ListQueue
from backupmx.core.belief import Acquaintance
from backupmx.core.history import Outage, Span
from backupmx.core.status import PrimaryState

LIVE = {"HX-Request": "true"}


def live(page: TestResponse) -> dict[str, str | None]:
    """The part that refreshes itself."""
    return next(part for part in Elements(page.text).all("div") if part.get("id") == "live")


def test_the_truth_comes_first(reader: FlaskClient) -> None:
    """The first heading is one sentence with the state, the depth and the time that is left."""
    page = reader.get("/")
    assert page.status_code == 200
    truth = "The primary of example.com has been down for 3 h 12 min; 1,204 messages (1.2 GiB) are safe"
    truth += "; the oldest has 4 d 20 h left."
    assert f"<h1>{truth}</h1>" in page.text
    assert page.text.index("<h1>") < page.text.index("<h2")
    assert "For an admin to see to: 1 held and 2 quarantined." in words_of(page)


def test_the_figures_are_those_of_the_status_document(reader: FlaskClient) -> None:
    """I8: depth, bytes, oldest, held and quarantined, each as the document has it."""
    words = words_of(reader.get("/"))
    assert "Waiting 1,204 Size 1.2 GiB Oldest 3 h 11 min Held 1 Quarantined 2 Domains" in words
    assert "mx2.example.net 0.1.0" in words
    assert "Figures as of 23 Nov 2026, 14:35:07 UTC" in words


def test_each_domain_tells_its_story(reader: FlaskClient) -> None:
    """The light with words, the last error, what waits, the next attempt, the end of the window; trouble first."""
    words = words_of(reader.get("/"))
    down = words[words.index("Domains example.com") : words.index("example.org primary")]
    assert f"primary down for 3 h 12 min {NO_ROUTE}" in down
    assert "Waiting 1,187 messages, 1.2 GiB Oldest 3 h 11 min Time left for it 4 d 20 h Primary tried again in 18 s" in down
    assert "Set aside 1 held" in down
    assert "kept until 28 Nov, 11:24 UTC" in down
    assert (
        words.index("example.com primary down") < words.index("example.org primary up") < words.index("club.example primary up")
    )
    assert "club.example primary up for 41 d Waiting nothing" in words


def test_how_well_recipients_are_known_is_said_in_words(reader: FlaskClient, canned: Canned) -> None:
    """Beside each domain where anybody asks; nothing where nobody does."""
    words = words_of(reader.get("/"))
    assert "Recipients 214 known, 97 % of last week's could be answered" in words
    assert words.count(" could be answered") == 1
    assert "networks that reach only this server" not in words
    canned.status = status(domain("example.com", PrimaryState.UP, split=37))
    assert "37 messages came from networks that reach only this server" in words_of(reader.get("/"))


def test_a_list_that_waits_is_a_notice_with_what_to_do(reader: FlaskClient, canned: Canned) -> None:
    """Before all figures, and with the command that does it; without such a list there is no notice."""
    assert 'class="notice"' not in reader.get("/").text
    known = Acquaintance(known=5, listed=1200, waiting=150, lost=1050)
    canned.status = status(domain("example.com", PrimaryState.UP, acquaintance=known))
    page = reader.get("/")
    words = words_of(page)
    assert (
        "example.com: a new list of 150 addresses waits, for it lacks 1,050 of today's, which count until then. "
        "If the new one is right: backupmx recipients approve example.com"
    ) in words
    assert page.text.index('class="notice"') < page.text.index('class="figures"')
    assert "Recipients 5 known, 1,200 listed" in words
    canned.status = status(domain("example.com", PrimaryState.UP, acquaintance=Acquaintance()))
    assert "Recipients nobody known yet" in words_of(reader.get("/"))


def test_the_newest_messages_are_listed_with_what_happens_next(reader: FlaskClient, canned: Canned) -> None:
    """Id, from, to, subject, size, since, attempts, why it is here, next try, the primary's last words, state."""
    words = words_of(reader.get("/"))
    id = canned.rows[4].message.id
    assert (
        f"info@example.org from billing@hosting.example Invoice 2026-11-0815 {id} 17.8 KiB 26 min 2 attempts waiting "
        "mail.example.com put it off; next try 14:37 UTC; kept until 28 Nov, 14:09 UTC "
        "450 4.2.0 <info@example.org>: Recipient address rejected: Greylisted"
    ) in words
    assert "sales@example.com and 2 more" in words
    assert "Förslag till möte på torsdag" in words, "an encoded subject is decoded"
    assert ListQueue(limit=5) in canned.asked, "a long queue costs what a short one does (I5)"


def test_each_domain_has_a_past(reader: FlaskClient, canned: Canned) -> None:
    """The last day and the last 30, as strips and in words; each outage with its time and what was said."""
    words = words_of(reader.get("/"))
    down = words[words.index("Domains example.com") : words.index("example.org primary")]
    assert "Last 24 hours away once, 3 h 12 min Last 30 days away 3 times, 6 h 53 min" in down
    assert f"3 outages 11:23 UTC, it lasts {NO_ROUTE} 20 Nov, 10:35 UTC, for 3 h {NO_ROUTE}" in down
    club = words[words.index("club.example primary") :]
    assert "Last 24 hours never away Last 30 days never away" in club
    canned.silent = (GetHistory,)
    assert "never away" not in words_of(reader.get("/")), "what nobody knows is not said"


def test_a_month_is_not_asked_for_at_every_refresh(reader: FlaskClient, canned: Canned) -> None:
    """It is dear; an outage that began just now is there all the same."""
    reader.get("/")
    canned.outages = (*OUTAGES, Outage("club.example", ago(seconds=30), None, "no answer"))
    for path in ("/", "/?span=hour", "/?span=month"):
        words = words_of(reader.get(path))
        assert "Last 30 days away once, 30 s 1 outage 14:34 UTC, it lasts no answer" in words
    assert canned.asked.count(GetHistory(Span.MONTH)) == 1
    canned.status = msgspec.structs.replace(OUTAGE, time=to_come(minutes=1))
    reader.get("/")
    assert canned.asked.count(GetHistory(Span.MONTH)) == 2


def test_what_waits_is_told_by_the_day_it_came(reader: FlaskClient, canned: Canned) -> None:
    """Domains by age, as the books have it: the fuller row first, and no column behind the oldest."""
    words = words_of(reader.get("/"))
    assert "Domain today yesterday example.com 1,187 0 example.org 17 0 In recipients" in words


def test_a_span_is_drawn_with_all_its_numbers(reader: FlaskClient, canned: Canned) -> None:
    """An hour, a day or a month: what waited, came, left and was refused; in words for a reader of screens, and as a table."""
    for query, span, steps in (("?span=hour", Span.HOUR, 60), ("", Span.DAY, 69), ("?span=month", Span.MONTH, 60)):
        page = Elements(reader.get(f"/{query}").text)
        assert GetHistory(span) in canned.asked
        drawn = [svg["aria-label"] or "" for svg in page.all("svg") if svg.get("role") == "img"]
        assert [label.partition(":")[0] for label in drawn] == ["Waiting", "Taken", "Delivered", "Refused"]
        assert page.text.count(" UTC") > steps
        assert sum((path["d"] or "").count("z") for path in page.all("path")) > steps * 2
    words = words_of(reader.get("/"))
    assert "Waiting now 1,204" in words and "kept here 671 passed on at once 2,269" in words
    assert "Refused unknown recipient 956 unverified recipient 333 too many errors 69 for other reasons 61" in words
    assert "Refused: harvesting" in words
    canned.asked.clear()
    reader.get("/?span=<script>")
    assert GetHistory(Span.DAY) in canned.asked, "an address that makes no sense means the usual span"


def test_health_is_told_with_what_it_means(reader: FlaskClient, canned: Canned) -> None:
    """Room as time at the present rate, what the last look found and how to mend it; and the books in one honest line."""
    words = words_of(reader.get("/"))
    assert "Room: 42.0 GiB more can be taken; it lasts " in words and "at the present rate." in words
    assert "Books: Every recipient that was accepted is accounted for." in words
    assert "PTR: 192.0.2.7 has the name vps-7.hoster.example. Ask who gave you the address to name it" in words
    assert "3 things are as they should be" in words and "MX of example.com: We are listed" in words
    assert "looked at 4 min ago" in words
    assert (
        "Recipients of mail since 23 Sept: 2,194 accepted = 984 delivered + 2 returned + 1 removed + 1,204 waiting + 1 held "
        "+ 2 quarantined; difference 0."
    ) in words


@pytest.mark.parametrize("silent", [GetHistory, GetBooks, GetSpoolStats, GetFindings])
def test_the_sentence_of_truth_needs_nothing_else(reader: FlaskClient, canned: Canned, silent: type) -> None:
    """What cannot be told is missing, and takes nothing along."""
    canned.silent = (silent,)
    page = reader.get("/")
    assert page.status_code == 200
    assert "1,204 messages (1.2 GiB) are safe" in words_of(page)


def test_all_is_well_is_said_kindly(reader: FlaskClient, canned: Canned) -> None:
    """Nothing waits: a calm page, not an empty one."""
    canned.status, canned.rows = QUIET, []
    words = words_of(reader.get("/"))
    assert "All is well: every primary is up, and nothing waits." in words
    assert "No mail is here. When a primary goes away" in words


def test_what_is_not_known_is_not_made_up(reader: FlaskClient, canned: Canned) -> None:
    """A primary that nobody has tried is neither up nor down."""
    canned.status, canned.rows = status(domain("example.com", PrimaryState.UNKNOWN)), []
    page = reader.get("/")
    assert "Nothing waits. The primary of example.com has not been heard of yet." in words_of(page)
    assert "primary not heard of yet" in words_of(page)
    assert '<section class="truth unknown">' in page.text and "light unknown" in page.text


def test_a_server_without_domains_is_a_page_as_well(reader: FlaskClient, canned: Canned) -> None:
    """The empty configuration of a first hour."""
    canned.status, canned.rows = status(), []
    assert "No domain is protected yet." in words_of(reader.get("/"))


def test_times_are_for_machines_too(reader: FlaskClient) -> None:
    """Relative words, with the exact time in UTC for whoever wants it."""
    times = Elements(reader.get("/").text).all("time")
    assert {"datetime": "2026-11-23T11:24:07Z", "title": "23 Nov 2026, 11:24:07 UTC"} in times
    assert all(time["datetime"] and time["title"] for time in times)


@pytest.mark.parametrize("broken", [None, "gone"])
def test_a_server_that_cannot_be_asked_is_told_as_such(reader: FlaskClient, canned: Canned, broken: str | None) -> None:
    """503, still a page, and no figure that might be a lie (I8)."""
    canned.status = None
    page = reader.get("/")
    assert page.status_code == 503
    assert "Backup MX is not running or cannot be asked." in words_of(page)
    assert "trouble inside" in words_of(page), "one who is logged in learns why"
    assert "Waiting" not in words_of(page)
    assert live(page)["hx-get"] == "/", "the page recovers by itself"


def test_a_refresh_brings_the_content_alone(reader: FlaskClient, canned: Canned) -> None:
    """What polls gets no second head, and 200 for everything that is ours to say."""
    part = live(reader.get("/"))
    assert (part["hx-get"], part["hx-swap"]) == ("/", "innerMorph")
    assert live(reader.get("/?span=hour"))["hx-get"] == "/?span=hour"
    assert live(reader.get("/?_external=1&_scheme=javascript"))["hx-get"] == "/?_external=1&_scheme=javascript"
    answer = reader.get("/", headers=LIVE)
    assert answer.status_code == 200
    assert not {"html", "head", "body", "main", "script", "link"} & {tag for tag, _ in Elements(answer.text).found}
    assert answer.text.lstrip().startswith("<title>1,204 waiting · Backup MX</title>")
    canned.status = None
    assert reader.get("/", headers=LIVE).status_code == 200


def test_the_page_refreshes_itself_without_scripts_too(reader: FlaskClient) -> None:
    """A browser without JavaScript reloads the overview; a page on which somebody chooses or writes stays."""
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in reader.get("/").text
    for path in ("/queue", "/track", "/report"):
        assert "http-equiv" not in reader.get(path).text


def test_every_page_leads_to_the_others(reader: FlaskClient) -> None:
    """The same names everywhere, the one that is open marked, and a way past them for the keyboard."""
    for path in ("/", "/queue", "/domains", "/track", "/report"):
        page = Elements(reader.get(path).text)
        links = page.all("a")
        assert links[0] == {"class": "skip", "href": "#content"}
        assert [link["href"] for link in links[2:7]] == ["/", "/queue", "/domains", "/track", "/report"]
        assert [link["href"] for link in links[2:7] if link.get("aria-current")] == [path]
        assert [main["id"] for main in page.all("main")] == ["content"]


def test_a_page_that_does_not_exist_says_so(reader: FlaskClient) -> None:
    """404 with a way back."""
    answer = reader.get("/nothing/here")
    assert answer.status_code == 404
    assert "There is no such page. Back to the overview" in words_of(answer)


def test_a_bug_is_told_in_one_log_line_and_without_detail(
    reader: FlaskClient, canned: Canned, caplog: pytest.LogCaptureFixture
) -> None:
    """500 in words for people; the log line cannot be forged by the address."""
    canned.status = msgspec.structs.replace(OUTAGE, time=ago(days=1).replace(tzinfo=None))
    reader.application.config["PROPAGATE_EXCEPTIONS"] = False
    answer = reader.get("/message/x%0aforged")
    assert answer.status_code in (404, 500, 503)
    answer = reader.get("/")
    assert answer.status_code == 500
    assert "a fault of the page, not of the mail" in words_of(answer)
    assert "Traceback" not in answer.text
    assert all("\n" not in record.getMessage() for record in caplog.records)
    assert caplog.records
