"""The page's words, and the sentence of truth that it shares with the terminal."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import NOW, OUTAGE, QUIET, ago, domain, id_of, row, status, to_come

from backupmx.core.message import Fate, Hold, Proof
from backupmx.core.status import DomainStatus, PrimaryState
from backupmx.core.words import sentences
from webui import reasons, selection, words

UP, DOWN, UNKNOWN = PrimaryState.UP, PrimaryState.DOWN, PrimaryState.UNKNOWN


def down(name: str, **more: object) -> DomainStatus:
    return domain(name, DOWN, ago(hours=2), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("domains", "said"),
    [
        ([domain("a.example", UP), domain("b.example", UP)], ["All is well: every primary is up, and nothing waits."]),
        ([down("a.example")], ["The primary of a.example has been down for 2 h; nothing waits yet."]),
        (
            [down("a.example", messages=1, bytes=2048, oldest=ago(hours=1))],
            ["The primary of a.example has been down for 2 h; 1 message (2.0 KiB) is safe; the oldest has 4 d 23 h left."],
        ),
        (
            [down("a.example", messages=2, bytes=10, oldest=ago(days=6)), down("b.example")],
            [
                "The primaries of a.example and b.example have been down for 2 h; 2 messages (10 B) are safe; "
                "the oldest is at the end of its time."
            ],
        ),
        ([down(f"{n}.example") for n in "abcd"], ["The primaries of 4 domains have been down for 2 h; nothing waits yet."]),
        (
            [domain("a.example", UP, messages=2, bytes=10, oldest=ago(minutes=5))],
            ["2 messages (10 B) wait, the oldest for 5 min."],
        ),
        (
            [domain("a.example", UNKNOWN), domain("b.example", UP)],
            ["Nothing waits.", "The primary of a.example has not been heard of yet."],
        ),
        (
            [domain("a.example", UNKNOWN, messages=1, bytes=10), domain("b.example", UNKNOWN)],
            ["1 message (10 B) waits.", "The primaries of a.example and b.example have not been heard of yet."],
        ),
        (
            [domain("a.example", UP, held=1, quarantined=3)],
            ["All is well: every primary is up, and nothing waits.", "For an admin to see to: 1 held and 3 quarantined."],
        ),
        ([], ["Nothing waits."]),
    ],
)
def test_the_sentence_says_what_is_so(domains: list[DomainStatus], said: list[str]) -> None:
    """Each state of the house in its own words, and only what is known."""
    assert list(sentences(status(*domains))) == said


def test_the_window_of_each_domain_counts() -> None:
    """The shortest rest of any domain's window is what is left, not that of the oldest message of all."""
    long, short = (
        down("a.example", messages=1, oldest=ago(days=3), holding_window_s=14 * 86400),
        down("b.example", messages=1, oldest=ago(days=1), holding_window_s=2 * 86400),
    )
    assert "the oldest has 1 d left" in sentences(status(long, short))[0]


@given(st.text())
def test_visible_text_has_no_unseen_character(text: str) -> None:
    """I7: controls and direction marks show as their code, everything else as it is."""
    shown = words.visible(text)
    assert not any(unicodedata.category(c) in words.UNSEEN for c in shown)
    if not any(unicodedata.category(c) in words.UNSEEN for c in text):
        assert shown == text


def test_other_scripts_are_left_alone() -> None:
    """Honest names in any script stay readable."""
    for name in ("jürgen@müller.example", "用户@例子.example", "דוד@example.com", "अजय@example.in"):
        assert words.visible(name) == name
    assert words.visible("a\u202eb\r\n") == "a⟨U+202E⟩b⟨U+000D⟩⟨U+000A⟩"


@given(st.text(max_size=30), st.integers(1, 20))
def test_clipped_text_says_that_it_is(text: str, limit: int) -> None:
    """Never longer than the limit, and marked where something is left out."""
    shown = words.clipped(text, limit)
    assert len(shown) <= limit
    assert shown == text or shown.endswith("…")


def test_the_clock_says_the_day_where_it_is_another() -> None:
    """As short as it can be without being wrong."""
    assert words.clock(to_come(hours=1), NOW) == "15:35 UTC"
    assert words.clock(to_come(days=5), NOW) == "28 Nov, 14:35 UTC"
    assert words.clock(to_come(days=50), NOW) == "12 Jan 2027, 14:35 UTC"
    assert words.clock(datetime(2026, 11, 23, 16, 35, tzinfo=timezone(timedelta(hours=2))), NOW) == "14:35 UTC"
    assert words.moment(NOW) == "23 Nov 2026, 14:35:07 UTC"


def test_what_happens_next_with_a_message() -> None:
    """In words, for each state."""
    is_down, is_up = {"example.com": domain("example.com", DOWN)}, {"example.com": domain("example.com", UP)}
    doubtful = {"example.com": domain("example.com", UP, last_error="550 5.1.1 nobody")}

    def said(domains: Mapping[str, DomainStatus], **more: object) -> tuple[str, str]:
        one = row(1, arrived=ago(days=1), **more)  # type: ignore[arg-type]
        return reasons.why_here(one, domains), reasons.next_for_message(one, domains, NOW)

    kept = "; kept until 27 Nov, 14:35 UTC"
    put_off, down = "mail.example.com put it off", "the primary is down"
    assert said(is_up, due=to_come(minutes=5)) == (put_off, f"next try 14:40 UTC{kept}")
    assert said(is_up, due=ago(minutes=5)) == (put_off, f"next in line{kept}")
    assert said(is_up, due=ago(minutes=5), said=None)[0] == "nobody was asked to take it yet"
    assert said(is_down, due=ago(minutes=5)) == (down, f"goes as soon as the primary is back{kept}")
    assert said({}, due=ago(minutes=5)) == (put_off, f"next in line{kept}")
    refuses = "the server of example.com refuses mail that it used to accept"
    assert said(doubtful, due=to_come(minutes=5)) == (refuses, f"goes once the primary is right again{kept}")
    assert said(is_up, owner="courier") == ("", "on its way to the primary now")
    released = "stays until it is released"
    assert said(is_up, hold=Hold("petra", "", NOW)) == ("petra holds it", released)
    assert said(is_up, hold=Hold("petra", "why not", NOW)) == ("petra holds it: why not", released)
    refused = "mail.example.com refused it, and its sender may not be told"
    assert said(is_up, fates={"office@example.com": Fate.QUARANTINED}) == (refused, "an admin decides")
    assert said(is_up, fates={"office@example.com": Fate.QUARANTINED}, proof=Proof.SPF)[0] == "mail.example.com refused it"
    assert said(is_up, damage="digest") == ("its content is damaged (digest)", "an admin decides")
    two = row(1, recipients=("a@example.com", "b@example.org"), due=to_come(minutes=5))
    one_down = is_down | {"example.org": domain("example.org", UP)}
    assert reasons.next_for_message(two, one_down, NOW).startswith("next try 14:40 UTC")


def test_what_happens_next_with_a_domain() -> None:
    """When the courier turns to it again."""
    assert words.next_for_domain(domain("a.example", UP, next_attempt=None), NOW) == "nothing to do"
    assert words.next_for_domain(domain("a.example", UP, next_attempt=ago(seconds=1)), NOW) == "now"
    assert words.next_for_domain(domain("a.example", UP, next_attempt=to_come(seconds=18)), NOW) == "in 18 s"


def test_the_window_is_used_up_to_its_end() -> None:
    """From nothing to all of it, never beyond."""
    assert words.window_used(domain("a.example", DOWN), NOW) == 0
    assert words.window_used(domain("a.example", DOWN, oldest=ago(days=1)), NOW) == pytest.approx(0.2)
    assert words.window_used(domain("a.example", DOWN, oldest=ago(days=9)), NOW) == 1
    assert words.window_end(domain("a.example", DOWN, oldest=ago(days=1), holding_window_s=0)) is None


def test_the_one_light_shows_the_worst() -> None:
    """Green only where every primary is known to be up."""
    assert words.light(QUIET) == "up"
    assert words.light(OUTAGE) == "down"
    assert words.light(status(domain("a.example", UP), domain("b.example", UNKNOWN))) == "unknown"
    assert words.light(status(domain("a.example", UP, last_error="550 no"))) == "down", "it is not believed"
    assert (words.title(QUIET), words.title(OUTAGE)) == ("Backup MX", "1,204 waiting · Backup MX")


def test_an_id_tells_when_a_message_came() -> None:
    """To the millisecond, as far as a search has come."""
    assert words.arrived(id_of(1, NOW)) == NOW
    assert words.searched_back(id_of(1, ago(days=1)), NOW) == "Searched back to 22 Nov, 14:35 UTC."


def test_an_address_is_rid_of_what_nobody_can_see() -> None:
    """What a link carries is what stands in the form."""
    assert words.seen("a\u202e\x00\r\nb ö") == "ab ö"
    chosen, wrong = selection.chosen({"sender": " a\x00 " + "b" * 300, "domain": "MÜLLER.example", "unheard": "of"})
    assert (chosen.sender[:3], len(chosen.sender), chosen.domain, wrong) == ("a b", 200, "xn--mller-kva.example", ())
    assert selection.chosen({"domain": "."})[0].domain == ".", "notifications have no domain of ours"
    assert chosen.args(after="x")["after"] == "x" and "after" not in chosen.args()
