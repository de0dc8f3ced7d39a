"""What the page shows."""

import msgspec
import pytest
from canned import NO_ROUTE, NOW, OUTAGE, QUIET, Canned, ago, domain, row, status
from flask.testing import FlaskClient
from visitor import Elements, words_of

from backupmx.control.protocol import ListQueue
from backupmx.core.belief import Acquaintance
from backupmx.core.message import Client, Hold
from backupmx.core.status import PrimaryState, Status

LIVE = {"HX-Request": "true"}
RLO = "\u202e"


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
    assert words.count("Recipients ") == 1
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
    """Id, from, to, size, since, attempts, next try, the primary's last words, state."""
    words = words_of(reader.get("/"))
    id = canned.rows[3].message.id
    assert (
        f"info@example.org from billing@hosting.example {id} 17.8 KiB 26 min 2 attempts waiting "
        "next try 14:37 UTC; kept until 28 Nov, 14:09 UTC 450 4.2.0 <info@example.org>: Recipient address rejected: Greylisted"
    ) in words
    assert "postmaster@example.com from <> (a notification)" in words
    assert "sales@example.com and 2 more" in words
    assert ListQueue(limit=20) in canned.asked, "a long queue costs what a short one does (I5)"


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
    assert 'class="light unknown"' in page.text and 'class="light up"' not in page.text


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
    assert Elements(page.text).all("main")[0]["hx-get"] == "/", "the page recovers by itself"


def test_a_refresh_brings_the_content_alone(reader: FlaskClient, canned: Canned) -> None:
    """What polls gets no second head, and 200 for everything that is ours to say."""
    page = Elements(reader.get("/").text)
    main = page.all("main")[0]
    assert (main["hx-get"], main["hx-swap"]) == ("/", "innerMorph")
    answer = reader.get("/", headers=LIVE)
    assert answer.status_code == 200
    assert not {"html", "head", "body", "main", "script", "link"} & {tag for tag, _ in Elements(answer.text).found}
    assert answer.text.lstrip().startswith("<title>1,204 waiting · Backup MX</title>")
    canned.status = None
    assert reader.get("/", headers=LIVE).status_code == 200


def test_the_page_refreshes_itself_without_scripts_too(reader: FlaskClient) -> None:
    """A browser without JavaScript reloads the page."""
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in reader.get("/").text


HOSTILE = [
    "<script>alert(1)</script>@evil.example",
    '"><img src=x onerror=alert(1)>@evil.example',
    "{{7*7}}{% raw %}@evil.example",
    f"moc.live@{RLO}elpmaxe",
    "a\x00b\x1b[2Jc\r\nd@evil.example",
    "\u2066\u2069\u200b\ufeff@evil.example",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_untrusted_text_stays_text(reader: FlaskClient, canned: Canned, text: str) -> None:
    """I7: whatever a stranger writes, in whichever place, it makes no element and turns no line around."""
    plain = {tag for tag, _ in Elements(reader.get("/").text).found}
    client = Client("192.0.2.1", text)
    canned.rows = [
        row(1, text, (f"{text}@example.com",), said=f"550 {text}", client=client),
        row(2, hold=Hold(text, text, NOW)),
        row(3, damage=text),
    ]
    assert isinstance(OUTAGE, Status)
    broken = msgspec.structs.replace(OUTAGE.domains[1].primary, last_error=text)
    canned.status = status(msgspec.structs.replace(OUTAGE.domains[1], primary=broken))
    for path in ("/", *(f"/message/{known.message.id}" for known in canned.rows), f"/message/{text.replace('/', '')}"):
        page = reader.get(path)
        found = Elements(page.text)
        assert {tag for tag, _ in found.found} <= plain | {"nav"}
        assert not any(name.startswith("on") for _, attributes in found.found for name in attributes)
        assert not set(page.text) & set(RLO + "\x00\x1b\r\u2066\u2069\u200b\ufeff")
        assert "49" not in words_of(page) or "7*7" not in text
    if RLO in text:
        assert "moc.live@⟨U+202E⟩elpmaxe" in words_of(reader.get("/"))


def test_endless_text_is_cut(reader: FlaskClient, canned: Canned) -> None:
    """A list stays a list, whatever a server says."""
    canned.rows = [row(1, "a" * 3000 + "@evil.example", said="550 " + "b" * 9000)]
    assert len(reader.get("/").text) < 20_000
    assert len(reader.get(f"/message/{canned.rows[0].message.id}").text) < 30_000


def test_a_message_has_a_page(reader: FlaskClient, canned: Canned) -> None:
    """Envelope, state, each recipient's fate with the primary's last words, the end; no content."""
    wanted = canned.rows[2]
    page = reader.get(f"/message/{wanted.message.id}")
    assert page.status_code == 200
    words = words_of(page)
    assert "waiting goes as soon as the primary is back; kept until 28 Nov, 14:30 UTC." in words
    assert "From j.tanaka@kaisha.example" in words
    assert "Handed in by 203.0.113.7, calling itself mail.sender.example, TLSv1.3 TLS_AES_256_GCM_SHA384" in words
    assert "Kept until 28 Nov 2026, 14:30:07 UTC (4 d 23 h left)" in words
    for address in ("sales@example.com", "office@example.com", "mira@example.com"):
        assert f"{address} pending {NO_ROUTE} mail.example.com, 2 min ago" in words
    assert reader.get(f"/message/{wanted.message.id}", headers=LIVE).text.lstrip().startswith("<title>")


def test_a_message_with_very_many_recipients_is_a_page_of_some(reader: FlaskClient, canned: Canned) -> None:
    """I4: a page does not grow with what a stranger sends."""
    canned.rows = [row(1, recipients=tuple(f"user{n}@example.com" for n in range(1000)))]
    page = reader.get(f"/message/{canned.rows[0].message.id}")
    assert "… and 800 more: backupmx queue show" in words_of(page)


def test_a_message_that_is_gone_is_not_an_error_of_the_page(reader: FlaskClient) -> None:
    """It was delivered, most likely: 404 in words for people."""
    answer = reader.get("/message/01JD0000000000000000000000")
    assert answer.status_code == 404
    assert "This message is not here." in words_of(answer)
    assert reader.get("/message/01JD0000000000000000000000", headers=LIVE).status_code == 200


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
