"""How long what was learned of a recipient is believed: by the primary's own clock alone."""

from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import belief
from backupmx.core.belief import DAY, Belief, Learned, Word

clocks = st.integers(0, 100 * DAY)
learned = st.none() | st.builds(Learned, st.sampled_from(Word), clocks, st.just(""), clocks)


def yes(at: int) -> Learned:
    return Learned(Word.KNOWN, at)


def no(at: int) -> Learned:
    return Learned(Word.GONE, at, "550 5.1.1 no", at)


def test_a_yes_is_good_for_a_month_and_asked_again_after_a_week() -> None:
    ages = [0, 7 * DAY - 1, 7 * DAY, 31 * DAY - 1, 31 * DAY]
    assert [belief.of(yes(5), None, 5 + age, 5 + age) for age in ages] == [
        Belief.KNOWN,
        Belief.KNOWN,
        Belief.REFRESH,
        Belief.REFRESH,
        Belief.UNKNOWN,
    ]


def test_a_no_is_good_for_two_hours_and_doubtful_afterwards() -> None:
    assert [belief.of(no(5), None, 5 + age, 5 + age) for age in (0, 7199, 7200, 100 * DAY)] == [
        Belief.GONE,
        Belief.GONE,
        Belief.STALE_GONE,
        Belief.STALE_GONE,
    ]


def test_a_no_grows_old_in_an_outage_too() -> None:
    """I9: what is told for good is fresh by every clock, also when the primary has just come back."""
    assert belief.of(no(5), None, 6, 5 + 7199) is Belief.GONE
    assert belief.of(no(5), None, 6, 5 + 7200) is Belief.STALE_GONE
    assert belief.of(no(5), None, 6, 4) is Belief.STALE_GONE  # a clock that was set back


def test_of_a_primary_that_takes_everybody_everybody_is_known_for_a_week() -> None:
    """But for whom it refused just now."""
    assert belief.of(None, yes(0), 7 * DAY - 1, 7 * DAY - 1) is Belief.KNOWN
    assert belief.of(no(0), yes(0), 7200, 7200) is Belief.KNOWN
    assert belief.of(no(0), yes(0), 7199, 7199) is Belief.GONE
    assert belief.of(None, yes(0), 7 * DAY, 7 * DAY) is Belief.UNKNOWN
    assert belief.of(None, no(0), 0, 0) is Belief.UNKNOWN


@given(learned, learned, clocks, clocks)
def test_time_never_makes_a_no_of_anything_else(what: Learned | None, everybody: Learned | None, clock: int, later: int) -> None:
    """I9: what is told for good rests on a fresh no alone."""
    at, when = (max(clock, what.at), max(clock, what.when)) if what else (clock, clock)
    before, after = (belief.of(what, everybody, at + more, when + more) for more in (0, later))
    if after is Belief.GONE:
        assert before is Belief.GONE
        assert what is not None
        assert what.word is Word.GONE


def test_the_same_answer_is_written_once_a_day() -> None:
    """Few writes: it comes with every message."""
    assert belief.worth_learning(None, yes(0))
    assert belief.worth_learning(no(0), yes(1))
    assert belief.worth_learning(yes(0), no(1))
    assert not belief.worth_learning(yes(0), yes(DAY - 1))
    assert belief.worth_learning(yes(0), yes(DAY))
    assert belief.worth_learning(no(0), no(3600))


def test_warm_is_nine_of_ten_and_twenty_at_the_least() -> None:
    assert [belief.warm(asked, known) for asked, known in ((19, 19), (20, 17), (20, 18), (1000, 899), (1000, 900))] == [
        False,
        False,
        True,
        False,
        True,
    ]
