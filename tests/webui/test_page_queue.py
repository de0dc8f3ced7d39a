"""The queue's page: what is listed, and what is done with it."""

from datetime import timedelta

import pytest
from canned import Canned
from flask.testing import FlaskClient
from samples import NOW, ago, row
from visitor import Elements, fields_of, token_in, words_of
from werkzeug.test import TestResponse

from backupmx.control.requests import Act, ActMatching, CountMatching, ListQueue, ReadMessage, ShowMessage, Verb
from backupmx.core.message import State
from backupmx.core.queue import Filter


def listed(canned: Canned) -> ListQueue:
    """The last listing that was asked for."""
    return next(asked for asked in reversed(canned.asked) if isinstance(asked, ListQueue))


def send(reader: FlaskClient, path: str, **form: object) -> TestResponse:
    """What a form of our own pages sends."""
    return reader.post(path, data={"csrf_token": token_in(reader.get("/queue")), **form})


def confirm(reader: FlaskClient, preview: TestResponse, **more: str) -> TestResponse:
    """Press the button of a preview, or of work that goes on."""
    form = fields_of(preview, "confirm")
    for name, value in more.items():
        form[name] = value
    return reader.post("/queue/act", data=form)


def test_each_message_says_why_it_is_here_and_what_happens_next(reader: FlaskClient) -> None:
    """In plain words, with the primary's last ones, for each state."""
    words = words_of(reader.get("/queue"))
    assert "1,204 messages waiting, 1 held, 2 quarantined." in words
    for said in (
        "leased on its way to the primary now",
        "waiting the primary is down; goes as soon as the primary is back; kept until 28 Nov, 14:34 UTC",
        "waiting mail.example.com put it off; next try 14:37 UTC; kept until 28 Nov, 14:09 UTC 450 4.2.0",
        "held petra holds it: looks like fraud, asking the sender; stays until it is released",
        "quarantined mail.example.com refused it, and its sender may not be told; an admin decides 550 5.1.1",
    ):
        assert said in words


def test_filters_stand_in_the_address_and_reach_the_spool(reader: FlaskClient, canned: Canned) -> None:
    """All of them at once; the form shows what is chosen, and a look is bounded in time."""
    query = {"domain": "Example.com", "sender": "nobody", "recipient": "b", "subject": "c d", "state": "held", "older": "4h"}
    page = reader.get("/queue", query_string=query)
    wanted = Filter("example.com", "nobody", "b", State.HELD, NOW - timedelta(hours=4), "c d")
    asked = listed(canned)
    assert (asked.filter, asked.limit, asked.after) == (wanted, 50, None)
    assert 0 < asked.seconds < 0.3
    assert fields_of(page, "filter").to_dict() == {**query, "domain": "example.com"}
    assert "No message matches the filter." in words_of(page)


def test_an_address_that_makes_no_sense_chooses_no_less(reader: FlaskClient, canned: Canned) -> None:
    """What cannot be read is left out, and named."""
    page = reader.get("/queue?state=lost&older=soon&domain=..&after=x&sender=anna")
    assert "Left out, for it makes no sense: domain, state, older, after." in words_of(page)
    assert listed(canned).filter == Filter(sender="anna")
    for endless in ("9" * 50 + "d", "99999999999d", "61d"):
        assert "makes no sense: older" in words_of(reader.get(f"/queue?older={endless}"))


def test_empty_fields_do_not_stand_in_the_address(reader: FlaskClient) -> None:
    """A form sends all of its fields; an address that can be read and shared has those that matter."""
    answer = reader.get("/queue?domain=&state=held&sender=&subject=a%26b")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/queue?state=held&subject=a%26b")


def test_pages_go_back_by_the_last_id(reader: FlaskClient, canned: Canned) -> None:
    """As fast for the last page as for the first (I5); the filter stays."""
    canned.rows = [row(n, arrived=ago(minutes=n)) for n in range(120)]
    first = Elements(reader.get("/queue?sender=anna").text)
    assert len([box for box in first.all("input") if box.get("name") == "id"]) == 50
    older = next(link["href"] for link in first.all("a") if link.get("rel") == "next")
    last = canned.rows[49].message.id
    assert older == f"/queue?sender=anna&after={last}"
    second = reader.get(older)
    assert listed(canned).after == last
    assert canned.rows[50].message.id in second.text and canned.rows[49].message.id + '">' not in second.text
    assert '<a href="/queue?sender=anna">Newest</a>' in second.text


def test_a_search_that_ran_out_of_time_says_how_far_it_came(reader: FlaskClient, canned: Canned) -> None:
    """A page is there at once, also where a million messages do not match."""
    canned.page = 2
    words = words_of(reader.get("/queue?subject=november"))
    assert "Searched back to 14:34 UTC." in words
    assert "Search on" in words


def test_a_page_of_a_queue_that_is_empty_is_calm(reader: FlaskClient, canned: Canned) -> None:
    canned.rows = []
    assert "No mail is here." in words_of(reader.get("/queue"))


@pytest.mark.parametrize("verb", list(Verb))
def test_chosen_messages_are_moved_after_a_look_at_them(reader: FlaskClient, canned: Canned, verb: Verb) -> None:
    """The preview names those that the verb moves and does nothing; its button moves them, in the name of who pressed it."""
    movable = {
        Verb.RETRY: (canned.rows[1], canned.rows[2]),
        Verb.HOLD: (canned.rows[1], canned.rows[2]),
        Verb.RELEASE: (canned.rows[6], canned.rows[7]),
        Verb.BOUNCE: (canned.rows[1], canned.rows[6]),
        Verb.DELETE: (canned.rows[1], canned.rows[6]),
    }[verb]
    ids = [known.message.id for known in movable]
    preview = send(reader, "/queue/preview", verb=verb, id=ids, domain="example.com")
    words = words_of(preview)
    assert "You are about to" in words and "2 messages" in words
    assert all(id in words for id in ids)
    assert not any(isinstance(asked, Act | ActMatching) for asked in canned.asked)
    done = confirm(reader, preview, why="because")
    assert Act(verb, tuple(ids), "petra", "because") in canned.asked
    assert (done.status_code, done.headers["Location"]) == (303, "/queue?domain=example.com")
    assert "2 messages." in words_of(reader.get(done.headers["Location"]))


def test_a_preview_counts_only_what_the_verb_moves(reader: FlaskClient, canned: Canned) -> None:
    """One that is held cannot be held, one that is gone cannot be anything; none at all is said, and has no button."""
    held, waiting, gone = canned.rows[6].message.id, canned.rows[1].message.id, row(77).message.id
    preview = send(reader, "/queue/preview", verb="hold", id=[held, waiting, gone])
    assert "You are about to hold 1 message." in words_of(preview)
    done = confirm(reader, preview)
    assert "Held: 1 message. 2 messages stayed as before" in words_of(reader.get(done.headers["Location"]))
    none = send(reader, "/queue/preview", verb="hold", id=[held])
    assert "There is no message to hold: only what waits can be held." in words_of(none)
    assert "No message was chosen." in words_of(send(reader, "/queue/preview", verb="hold"))


def test_all_that_match_are_moved_up_to_the_moment_of_the_count(reader: FlaskClient, canned: Canned) -> None:
    """What arrived after the preview was not counted, and stays; the age in the filter counts from the preview as well."""
    preview = send(reader, "/queue/preview", verb="delete", everything="yes", domain="example.com", older="1h")
    words = words_of(preview)
    assert "You are about to delete 1,204 messages." in words
    assert "all that match the filter: domain example.com, older 1h." in words
    wanted = Filter(domain="example.com", before=NOW - timedelta(hours=1))
    assert CountMatching(Verb.DELETE, wanted) in canned.asked
    canned.asked.clear()
    done = confirm(reader, preview, why="spam")
    acted = [asked for asked in canned.asked if isinstance(asked, ActMatching)]
    assert [(a.verb, a.filter, a.by, a.upto, a.why) for a in acted] == [(Verb.DELETE, wanted, "petra", NOW, "spam")] * 2
    assert done.headers["Location"] == "/queue?domain=example.com&older=1h"
    assert "Deleted: 1,204 messages." in words_of(reader.get(done.headers["Location"]))


def test_the_whole_queue_is_named_as_such(reader: FlaskClient) -> None:
    """Nobody deletes all of it without having read so."""
    words = words_of(send(reader, "/queue/preview", verb="delete", everything="yes"))
    assert "That is the whole queue." in words


def test_a_count_that_ran_out_of_time_does_not_pretend(reader: FlaskClient, canned: Canned) -> None:
    canned.counted = False
    words = words_of(send(reader, "/queue/preview", verb="delete", everything="yes", subject="a"))
    assert "You are about to delete at least 1,204 messages." in words
    assert "Delete: all of them" in words
    canned.matching = 0
    preview = send(reader, "/queue/preview", verb="delete", everything="yes", subject="a")
    assert "You are about to delete whatever matches. None was found so far, and there is more to look at." in words_of(preview)
    assert confirm(reader, preview).status_code == 303


def test_long_work_goes_on_from_where_it_was(reader: FlaskClient, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request lasts for minutes: each does a part, tells how many, and the next one goes on."""
    monkeypatch.setattr("webui.queue.BUSY_S", -1)
    canned.matching, canned.batch = 2500, 1000
    answer = confirm(reader, send(reader, "/queue/preview", verb="retry", everything="yes", domain="example.com"))
    said = []
    while answer.status_code == 200:
        said.append(words_of(answer))
        assert "<script" in answer.text, "with scripts it goes on by itself"
        answer = confirm(reader, answer)
    assert ["To be tried now: 1,000 messages." in said[0], "To be tried now: 2,000 messages." in said[1]] == [True, True]
    assert answer.headers["Location"] == "/queue?domain=example.com"
    assert "To be tried now: 2,500 messages." in words_of(reader.get(answer.headers["Location"]))


ALL = {"verb": "delete", "everything": "yes"}
UPTO = {"upto": NOW.isoformat()}
NOT_OURS = [
    {},
    {"verb": "burn"},
    {"verb": "delete", "id": "x"},
    ALL,
    ALL | {"upto": "yesterday"},
    ALL | UPTO | {"state": "lost"},
    ALL | UPTO | {"older": "x"},
    ALL | UPTO | {"from": "x"},
    ALL | UPTO | {"done": "x"},
    {"verb": "delete", "back": "//evil.example"},
]


def test_a_form_that_is_not_ours_moves_nothing(reader: FlaskClient, canned: Canned) -> None:
    """Above all a filter that lost one of its parts, for it would mean more than was meant."""
    token = token_in(reader.get("/queue"))
    for form in NOT_OURS:
        assert reader.post("/queue/act", data={"csrf_token": token, **form}).status_code == 400, form
    assert not any(isinstance(asked, Act | ActMatching) for asked in canned.asked)


def test_nothing_chosen_is_nothing_moved(reader: FlaskClient, canned: Canned) -> None:
    """No ids never means all."""
    assert send(reader, "/queue/act", verb="delete").status_code == 303
    assert not any(isinstance(asked, Act | ActMatching) for asked in canned.asked)


def test_a_verb_that_is_refused_says_why(reader: FlaskClient, canned: Canned) -> None:
    canned.silent = (Act, ActMatching)
    for form in ({"id": canned.rows[1].message.id}, {"everything": "yes", "upto": NOW.isoformat()}):
        answer = send(reader, "/queue/act", verb="delete", **form)
        assert "trouble inside; the log has more" in words_of(reader.get(answer.headers["Location"]))


def test_another_sites_form_does_nothing(reader: FlaskClient, canned: Canned) -> None:
    """Without the token of our own forms, and with one that was made for somebody else."""
    for path in ("/queue/preview", "/queue/act", "/message/01JD0000000000000000000000/content"):
        for token in ({}, {"csrf_token": "x"}, {"csrf_token": token_in(reader.application.test_client().get("/login"))}):
            answer = reader.post(path, data={"verb": "delete", "id": canned.rows[1].message.id, **token})
            assert answer.status_code == 400
    assert not any(isinstance(asked, Act | ActMatching | CountMatching | ShowMessage | ReadMessage) for asked in canned.asked)


def test_who_may_only_look_cannot_act(reader: FlaskClient, canned: Canned) -> None:
    """No form is shown, and one that is sent all the same is refused; a role that nobody knows is no more than a viewer."""
    token, id = token_in(reader.get("/queue")), canned.rows[1].message.id
    for canned.role in ("viewer", "", "Admin", "root"):
        page = Elements(reader.get("/queue").text)
        assert not [box for box in page.all("input") if box.get("type") == "checkbox"]
        assert [form["action"] for form in page.all("form")] == ["/logout", "/queue", "/language"]
        assert "Delete" not in reader.get(f"/message/{id}").text
        canned.asked.clear()
        for path in ("/queue/preview", "/queue/act", f"/message/{id}/content"):
            assert reader.post(path, data={"verb": "delete", "id": id, "csrf_token": token}).status_code == 403
        assert not any(isinstance(asked, Act | ShowMessage | ReadMessage) for asked in canned.asked)
    assert reader.post("/logout", data={"csrf_token": token}).headers["Location"] == "/login"


def test_an_operator_acts(reader: FlaskClient, canned: Canned) -> None:
    canned.role = "operator"
    id = canned.rows[1].message.id
    assert send(reader, "/queue/act", verb="hold", id=id).status_code == 303
    assert Act(Verb.HOLD, (id,), "petra") in canned.asked


def test_a_link_to_a_filter_survives_the_login(stranger: FlaskClient, canned: Canned) -> None:
    """Somebody is sent one in the worst hour of the week."""
    asked = stranger.get("/queue?domain=example.com&subject=a%20b")
    assert asked.headers["Location"] == "/login?next=/queue?domain%3Dexample.com%26subject%3Da%2520b"
    assert fields_of(stranger.get(asked.headers["Location"]))["next"] == "/queue?domain=example.com&subject=a%20b"
