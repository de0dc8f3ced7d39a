"""When a primary's refusals are not to be believed (I10)."""

from backupmx.core.guard import Guard
from backupmx.core.outcome import Deferred, Delivered, Failed, Outcome, Reply

YES = Delivered(Reply(250, "2.0.0 ok"), "primary")
LATER = Deferred(Reply(451, "4.3.0 later"), "primary")
NOBODY = Failed(Reply(550, "5.1.1 nobody"), "primary", by_primary=True, of_recipient=True)
SPAM = Failed(Reply(554, "5.7.1 spam"), "primary", by_primary=True)
OURS = Failed(Reply(554, "5.4.6 loop"), "")


def weigh(guard: Guard, *outcomes: Outcome, known: bool = False) -> Reply | None:
    """One message after the other."""
    found = [guard.doubt({"user@example.com": outcome}, lambda _: known) for outcome in outcomes]
    return next((words for words in found if words), None)


def returned() -> Guard:
    guard = Guard()
    guard.returned()
    return guard


def test_without_an_outage_a_refusal_is_believed() -> None:
    assert weigh(Guard(), NOBODY, known=True) is None


def test_the_first_word_after_an_outage_must_not_be_a_no() -> None:
    assert weigh(returned(), NOBODY) == NOBODY.reply
    assert weigh(returned(), SPAM) == SPAM.reply
    assert weigh(returned(), YES, NOBODY) is None


def test_who_is_known_to_exist_must_not_be_refused() -> None:
    """Whatever else it took; but a known person's message may be refused for what is in it."""
    assert weigh(returned(), YES, NOBODY, known=True) == NOBODY.reply
    assert weigh(returned(), YES, SPAM, known=True) is None


def test_more_than_three_of_the_first_ten_are_too_many() -> None:
    assert weigh(returned(), YES, SPAM, SPAM, SPAM) is None
    assert weigh(returned(), YES, SPAM, SPAM, SPAM, SPAM) == SPAM.reply
    assert weigh(returned(), *[YES] * 9, SPAM, SPAM, SPAM, SPAM) is None  # the trial is over by then


def test_deferrals_and_our_own_verdicts_say_nothing() -> None:
    guard = returned()
    assert weigh(guard, *[LATER] * 50, *[OURS] * 50) is None
    assert guard.on_trial


def test_a_long_run_of_refusals_is_doubtful_at_any_time() -> None:
    assert weigh(Guard(), *[SPAM] * 9, YES, *[SPAM] * 9) is None
    assert weigh(Guard(), *[SPAM] * 10) == SPAM.reply


def test_who_vouches_is_trusted() -> None:
    guard = returned()
    weigh(guard, NOBODY)
    guard.trust()
    assert not guard.on_trial
    assert weigh(guard, NOBODY, known=True) is None


def test_canaries_are_one_two_four() -> None:
    guard = returned()
    seen = []
    for _ in range(4):
        seen.append(guard.canaries)
        weigh(guard, YES)
    assert seen == [1, 2, 4, 8]
