"""A message's own page: envelope, life, header, what may be done; gone or here."""

import pytest
from canned import Canned
from flask.testing import FlaskClient
from past import gone
from samples import CONTENT, NO_ROUTE, ago, id_of, row
from visitor import Elements, fields_of, token_in, words_of

from backupmx.control.requests import Act, ReadMessage, Verb
from backupmx.core.events import Bounced, Damaged, Expired, Held, Released, Removed, Result, Told, Tried
from backupmx.core.message import Kind
from backupmx.core.track import Standing

LIVE = {"HX-Request": "true"}
NOBODY = "01JD0000000000000000000000"


def test_a_message_has_a_page(reader: FlaskClient, canned: Canned) -> None:
    """Why it is here and what comes next; envelope, subject, each recipient's fate with the primary's words, the end."""
    page = reader.get(f"/message/{canned.rows[3].message.id}")
    assert page.status_code == 200
    words = words_of(page)
    assert "waiting the primary is down; goes as soon as the primary is back; kept until 28 Nov, 14:30 UTC." in words
    assert "Subject Drawings for the quotation, second version From j.tanaka@kaisha.example" in words
    assert "Handed in by 203.0.113.7, calling itself mail.sender.example, TLSv1.3 TLS_AES_256_GCM_SHA384" in words
    assert "Sender authenticated by SPF: may be told what becomes of it" in words
    assert "Kept until 28 Nov 2026, 14:30:07 UTC (4 d 23 h left)" in words
    for address in ("sales@example.com", "office@example.com", "mira@example.com"):
        assert f"{address} deferred {NO_ROUTE} mail.example.com, TLSv1.3 TLS_AES_256_GCM_SHA384, 2 min ago" in words
    assert reader.get(f"/message/{canned.rows[3].message.id}", headers=LIVE).text.lstrip().startswith("<title>")


def test_its_life_is_told_from_the_beginning(reader: FlaskClient, canned: Canned) -> None:
    """Every event in order, those of the same kind as one, with who said what."""
    words = words_of(reader.get(f"/message/{canned.rows[4].message.id}"))
    life = words[words.index("What happened") :]
    assert "14:09 UTC Came from 203.0.113.7, which calls itself mail.sender.example, 17.8 KiB (TLSv1.3" in life
    assert "14:15 UTC to 14:33 UTC, 2 times Put off for info@example.org. 450 4.2.0" in life


def test_every_kind_of_event_has_words(reader: FlaskClient, canned: Canned) -> None:
    """A life with all that can happen in it."""
    two = ("office@example.com", "mira@example.com")
    notice = id_of(7, ago(days=1))
    events = (
        Held(ago(days=3), "petra", "fraud?"),
        Released(ago(days=2), "petra", ""),
        Damaged(ago(days=2), "digest"),
        Tried(ago(days=2), Result.RELAYED, (1,), "250 ok", "mail.example.com", None),
        Tried(ago(days=2), Result.FAILED, (0,), "550 no", "mail.example.com", None),
        Expired(ago(days=1), (0,)),
        *(Told(ago(days=1), kind, (0, 1), notice) for kind in Kind),
        Bounced(ago(days=1), "petra", "sorry"),
        Removed(ago(hours=2), "petra", "enough"),
    )
    canned.gone = [gone(1, Standing.REMOVED, *events, arrived=ago(days=4), recipients=two, dropped=12)]
    page = reader.get(f"/message/{canned.gone[0].id}")
    words = words_of(page)
    for said in (
        "petra held it. fraud?",
        "12 more of the like are left out.",
        "petra released it.",
        "Set aside: its content does not match its digest. digest",
        "Passed on at once, while its sender waited, to mira@example.com. 250 ok mail.example.com",
        "Refused for office@example.com. 550 no",
        "The holding window ended for office@example.com.",
        "The sender was told that office@example.com, mira@example.com will not get it.",
        "The sender was told that it waits for office@example.com, mira@example.com.",
        "petra sent it back. sorry",
        "petra deleted it. enough",
    ):
        assert said in words
    assert f"/message/{notice}" in page.text


def test_a_message_that_is_gone_is_told_from_its_track(reader: FlaskClient, canned: Canned) -> None:
    """What became of it, and nothing to press."""
    for life, said in zip(canned.gone, ("passed on at once", "was delivered", "was sent back"), strict=True):
        page = reader.get(f"/message/{life.id}")
        assert page.status_code == 200
        assert said in words_of(page)
        assert [form["action"] for form in Elements(page.text).all("form")] == ["/logout", "/language"]
        assert "Inside" not in words_of(page)


def test_the_beginning_of_an_id_is_enough_where_it_is_clear(reader: FlaskClient, canned: Canned) -> None:
    """One message: its page; several: a list of them; a name that cannot be one, or nobody's: 404 in words for people."""
    canned.gone = [canned.gone[0]]
    canned.rows = canned.rows[:3]
    assert reader.get(f"/message/{canned.gone[0].id[:12].lower()}").status_code == 200
    several = reader.get(f"/message/{canned.rows[1].message.id[:5]}")
    assert several.headers["Location"] == f"/track?id={canned.rows[1].message.id[:5]}"
    for nobody in (NOBODY, "x%0aforged", "u", "%20"):
        answer = reader.get(f"/message/{nobody}")
        assert answer.status_code == 404
        assert "Nothing is known of this message." in words_of(answer)
        assert reader.get(f"/message/{nobody}", headers=LIVE).status_code == 200


def test_a_message_with_very_many_recipients_is_a_page_of_some(reader: FlaskClient, canned: Canned) -> None:
    """I4: a page does not grow with what a stranger sends."""
    canned.rows = [row(1, recipients=tuple(f"user{n}@example.com" for n in range(1000)))]
    id = canned.rows[0].message.id
    page = reader.get(f"/message/{id}")
    assert f"… and 800 more: backupmx track {id}" in words_of(page)


def test_the_header_is_there_for_every_role(reader: FlaskClient, canned: Canned) -> None:
    """Folded away, line by line as it came, and only asked for with the whole page: nothing of it goes into the audit log."""
    canned.role = "viewer"
    id = canned.rows[3].message.id
    page = reader.get(f"/message/{id}")
    assert ReadMessage(id, "petra", header_only=True) in canned.asked
    assert "Header (4 lines)" in words_of(page)
    assert "Subject: Drawings for the quotation" in words_of(page)
    assert "Hello." not in page.text
    assert "open" not in next(part for part in Elements(page.text).all("details") if part["class"] == "headers")
    canned.asked.clear()
    reader.get(f"/message/{id}", headers=LIVE)
    assert not any(isinstance(asked, ReadMessage) for asked in canned.asked)


def test_a_header_that_cannot_be_read_is_told_as_such(reader: FlaskClient, canned: Canned) -> None:
    canned.silent = (ReadMessage,)
    page = reader.get(f"/message/{canned.rows[3].message.id}")
    assert page.status_code == 200
    assert "It cannot be read." in words_of(page)


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_what_people_wrote_is_for_admins_alone(reader: FlaskClient, canned: Canned, role: str) -> None:
    """No button, and no door."""
    id = canned.rows[3].message.id
    token, canned.role = token_in(reader.get("/")), role
    assert "Download the content" not in words_of(reader.get(f"/message/{id}"))
    assert reader.post(f"/message/{id}/content", data={"csrf_token": token}).status_code == 403
    assert not any(isinstance(asked, ReadMessage) and not asked.header_only for asked in canned.asked)


def test_an_admin_gets_the_content_as_it_is_and_harmless(reader: FlaskClient, canned: Canned) -> None:
    """Octet for octet; as a file of text that no browser runs; asked for in the admin's name, for the audit log."""
    canned.content = CONTENT + b"<script>alert(1)</script>\xff\x00\r\n"
    id = canned.rows[3].message.id
    page = reader.get(f"/message/{id}")
    assert "That you looked is written into the log." in words_of(page)
    answer = reader.post(f"/message/{id}/content", data=fields_of(page, "raw"))
    assert answer.data == canned.content
    assert ReadMessage(id, "petra", header_only=False) in canned.asked
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{id}.txt"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox; frame-ancestors 'none'"
    assert answer.headers["Cache-Control"] == "no-store"
    assert reader.get(f"/message/{id}/content").status_code == 405, "no link of another site can have it read"


def test_content_that_is_not_there_is_no_empty_file(reader: FlaskClient, canned: Canned) -> None:
    """What cannot be read is a page that says so."""
    for id in (NOBODY, '";x="', "..%2f..%2fetc%2fpasswd"):
        answer = reader.post(f"/message/{id}/content", data={"csrf_token": token_in(reader.get("/"))})
        assert answer.status_code in (404, 503)
        assert "Content-Disposition" not in answer.headers


def test_only_what_is_possible_is_offered(reader: FlaskClient, canned: Canned) -> None:
    """By state; and nobody is offered to write to a sender who was not authenticated."""

    def offered(place: int) -> list[str]:
        page = Elements(reader.get(f"/message/{canned.rows[place].message.id}").text)
        return [button["value"] or "" for button in page.all("button") if button.get("name") == "verb"]

    assert offered(0) == ["retry", "hold", "delete"]  # leased
    assert offered(1) == ["retry", "hold", "bounce", "delete"]
    assert offered(2) == ["retry", "hold", "delete"]  # nobody knows who sent it
    assert offered(6) == ["release", "delete"]  # held
    assert offered(7) == ["release", "delete"]  # quarantined


def test_what_is_done_there_leads_back_there(reader: FlaskClient, canned: Canned) -> None:
    """To try is done at once; what wants a reason or is final shows first what it means."""
    id = canned.rows[1].message.id
    form = fields_of(reader.get(f"/message/{id}"), "retry")
    done = reader.post("/queue/act", data=form)
    assert Act(Verb.RETRY, (id,), "petra") in canned.asked
    assert done.headers["Location"] == f"/message/{id}"
    assert "To be tried now: 1 message." in words_of(reader.get(done.headers["Location"]))
    form["verb"] = "delete"
    preview = reader.post("/queue/preview", data=form)
    assert "You are about to delete 1 message." in words_of(preview)
    done = reader.post("/queue/act", data=fields_of(preview, "confirm"))
    assert done.headers["Location"] == f"/message/{id}"
