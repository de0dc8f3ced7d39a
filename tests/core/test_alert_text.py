"""What admins read: one message for all that is new, and the digest."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from backupmx.core import alert_text
from backupmx.core.alert_text import Share, Tone
from backupmx.core.alerts import Condition, Kind, Tiding, Trace, What
from backupmx.core.books import Line
from backupmx.core.history import Outage
from backupmx.core.status import PrimaryState
from core.test_conditions import DAY, HOUR, NOTHING, NOW, domain, facts


def tiding(kind: Kind, what: What = What.BEGAN, *, grave: bool = False, subject: str = "example.com") -> Tiding:
    condition = Condition(kind, subject, f"{kind} of {subject}", f"{kind} is so.", grave)
    return Tiding(what, Trace(kind, subject, NOW), condition)


def over(kind: Kind, delivered: int = 0, subject: str = "example.com") -> Tiding:
    began = NOW - timedelta(hours=3, minutes=17)
    return Tiding(What.OVER, Trace(kind, subject, began, delivered, gone=NOW - timedelta(minutes=5)))


def test_the_all_clear_says_how_long_it_was_and_what_was_delivered_since() -> None:
    """In the title that it is up, in the text the rest."""
    letter = alert_text.compose([over(Kind.PRIMARY_DOWN, 100)], facts(domain(messages=2), delivered={"example.com": 1304}))
    assert letter.tone is Tone.SUCCESS
    assert letter.title == "mx2.example.net: primary of example.com is up again"
    assert letter.body.splitlines() == [
        "The primary of example.com (mail.example.com:25) is up again after 3 h 12 min; "
        "mail delivered to 1,204 recipients, 2 messages left.",
        "",
        "Backup MX on mx2.example.net, 2026-11-23 12:00 UTC",
    ]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.QUARANTINE, Kind.PROCESS, Kind.REFUSALS)])
def test_each_kind_that_is_told_as_over_has_words_for_it(kind: Kind) -> None:
    """With nothing left to be filled in."""
    letter = alert_text.compose([over(kind)], facts())
    assert letter.tone is Tone.SUCCESS
    assert not set(letter.title + letter.body) & set("{}")


@pytest.mark.parametrize(
    ("tidings", "tone", "title"),
    [
        ([tiding(Kind.DNS, grave=True)], Tone.FAILURE, "dns of example.com"),
        ([tiding(Kind.WINDOW)], Tone.WARNING, "window of example.com"),
        ([tiding(Kind.DNS, What.LASTS, grave=True)], Tone.FAILURE, "still: dns of example.com"),
        ([over(Kind.BOOKS), tiding(Kind.WINDOW), tiding(Kind.DNS, grave=True)], Tone.FAILURE, "dns of example.com, and 2 more"),
        ([over(Kind.BOOKS), tiding(Kind.WINDOW)], Tone.WARNING, "window of example.com, and 1 more"),
    ],
)
def test_the_gravest_comes_first(tidings: Sequence[Tiding], tone: Tone, title: str) -> None:
    """It gives the message its title and its tone."""
    letter = alert_text.compose(tidings, facts())
    assert (letter.tone, letter.title) == (tone, f"mx2.example.net: {title}")
    assert letter.body.count("\n\n") == len(tidings)


def test_a_message_ends_where_nobody_reads_on() -> None:
    """Fifty domains with one primary: twenty lines, and how many there are more."""
    letter = alert_text.compose([tiding(Kind.PRIMARY_DOWN, subject=f"d{n}.example") for n in range(50)], facts())
    assert letter.body.count("primary_down is so.") == 20
    assert "And 30 more: backupmx alerts list" in letter.body


def test_a_digest_tells_of_each_domain_and_of_the_books() -> None:
    """A day in a few lines; outages as far as they were within it."""
    first, end = NOW.replace(hour=0) - DAY, NOW.replace(hour=0)
    shares = {
        "example.com": Share(
            Line(accepted=212, delivered=209, quarantined=2, waiting=1),
            [Outage("example.com", first - HOUR, first + 2 * HOUR, ""), Outage("example.com", end - HOUR, None, "")],
        ),
        "example.org": Share(Line()),
    }
    letter = alert_text.digest(first, end, shares, facts(domain(PrimaryState.DOWN)))
    assert letter.tone is Tone.INFO
    assert letter.title == "mx2.example.net: 2026-11-22: 212 messages kept, 2 outages"
    assert letter.body.splitlines()[::2] == [
        "example.com: 212 messages kept, 209 delivered, 1 waiting, 2 in quarantine; 2 outages (3 h).",
        "example.org: 0 messages kept, 0 delivered; no outage.",
        "The books balance.",
        "The primary of example.com has been down for 3 h; nothing waits yet.",
        "Backup MX on mx2.example.net, 2026-11-23 12:00 UTC",
    ]
    week = alert_text.digest(end - 7 * DAY, end, {}, facts(queue=replace(NOTHING, difference=1)))
    assert week.title == "mx2.example.net: 2026-11-16 to 2026-11-22: 0 messages kept, no outage"
    assert week.body.startswith("The books do not balance: 1 recipient.")
