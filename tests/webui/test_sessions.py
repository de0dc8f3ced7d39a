"""Sessions: how long they last, how many there may be, and that an end is one."""

from datetime import timedelta

import pytest
from guest import Watch

from webui import browsers
from webui.sessions import IDLE, LIVES, MOST, MOST_OF_ONE, Session, Sessions

MINUTE = timedelta(minutes=1)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def sessions(watch: Watch) -> Sessions:
    return Sessions(watch)


def begin(sessions: Sessions, name: str = "petra") -> Session:
    return sessions.begin(name, "f", "192.0.2.1", "Firefox on Linux")


def test_a_session_that_nobody_uses_is_over(sessions: Sessions, watch: Watch) -> None:
    """Half a day after it was seen last, also in the list."""
    one = begin(sessions)
    watch.forward(IDLE - MINUTE)
    again = sessions.again(one.key)
    assert again and again.seen == watch.now
    watch.forward(IDLE - MINUTE)
    assert sessions.again(one.key)
    watch.forward(IDLE)
    assert sessions.all() == ()
    assert sessions.again(one.key) is None


def test_no_session_is_for_ever(sessions: Sessions, watch: Watch) -> None:
    """Seven days, however often it is used."""
    one = begin(sessions)
    while watch.now - one.began < LIVES:
        assert sessions.again(one.key)
        watch.forward(IDLE / 2)
    assert sessions.again(one.key) is None


def test_who_signs_in_everywhere_pushes_out_no_one_else(sessions: Sessions, watch: Watch) -> None:
    """A user has so many; the one that was used the longest time ago goes."""
    other, first = begin(sessions, "otto"), begin(sessions)
    watch.forward(MINUTE)
    second = begin(sessions)
    watch.forward(MINUTE)
    sessions.again(first.key)
    for _ in range(MOST_OF_ONE - 1):
        begin(sessions)
    assert sessions.again(second.key) is None
    assert sessions.again(first.key) and sessions.again(other.key)
    assert len(sessions.all()) == MOST_OF_ONE + 1


def test_memory_is_bounded(sessions: Sessions) -> None:
    """Whoever comes."""
    for number in range(MOST + 30):
        begin(sessions, f"user{number // MOST_OF_ONE}")
    assert len(sessions.all()) == MOST


def test_one_others_or_all_are_ended(sessions: Sessions) -> None:
    """By its label only by whose it is, or by who may end anybody's."""
    mine, also_mine, other = begin(sessions), begin(sessions), begin(sessions, "otto")
    assert sessions.end_labelled(other.label, "petra") is None
    assert sessions.end_labelled(other.key, None) is None, "a key is no label"
    assert sessions.end_labelled(other.label, None) == other
    assert sessions.end_all("petra", but=mine.key) == 1
    assert sessions.again(also_mine.key) is None and sessions.again(mine.key)
    sessions.end(mine.key)
    assert sessions.all() == ()


def test_what_is_put_aside_goes_with_the_session(sessions: Sessions) -> None:
    """And can be taken once."""
    one, other = begin(sessions), begin(sessions)
    sessions.put_aside(one.key, "codes", ("a", "b"))
    assert sessions.aside(one.key, "codes") == ("a", "b")
    assert sessions.aside(other.key, "codes") == ()
    assert sessions.take(one.key, "codes") == ("a", "b")
    assert sessions.take(one.key, "codes") == ()
    sessions.put_aside(one.key, "codes", ("a",))
    sessions.end(one.key)
    assert sessions.take(one.key, "codes") == ()
    sessions.put_aside(one.key, "codes", ("a",))
    assert sessions.aside(one.key, "codes") == ()


def test_keys_are_in_no_trace(sessions: Sessions) -> None:
    """Whatever is written into a log, a session's key is not."""
    one = begin(sessions)
    assert one.key not in repr(one)
    assert len({begin(sessions).key for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36 Edg/141.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/141.0 Safari/537.36",
            "Chrome on macOS",
        ),
        ("curl/8.14.1", "another program"),
        ("", "another program"),
        ("<script>alert(1)</script> Linux", "Linux"),
    ],
)
def test_a_browser_is_named_in_our_own_words(app: object, agent: str, said: str) -> None:
    """I7: nothing of what it says of itself is shown."""
    from flask import Flask

    assert isinstance(app, Flask)
    with app.test_request_context("/"):
        assert browsers.said(*browsers.known(agent)) == said
