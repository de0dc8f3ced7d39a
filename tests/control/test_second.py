"""A second factor's codes: each counts once, for about a minute and a half."""

from datetime import timedelta

import pyotp
import pytest

from backupmx.control import second
from backupmx.control.second import RECOVERY_CODES, Second
from control.house import NOW

SECRET = pyotp.random_base32()
STEP = timedelta(seconds=30)


def code(steps: float = 0) -> str:
    """What the app shows so many steps from now."""
    return pyotp.TOTP(SECRET).at(NOW + steps * STEP)


@pytest.fixture
def begun() -> tuple[Second, tuple[str, ...]]:
    made = second.begin(SECRET, code(), NOW)
    assert made
    return made


def test_it_begins_with_a_code_that_proves_it() -> None:
    """A wrong code, or a secret that no app could have, begins nothing."""
    for secret, typed in ((SECRET, "000000"), (SECRET, ""), (SECRET, "12345"), ("short", code()), ("!" * 32, code()), ("", "")):
        assert second.begin(secret, typed, NOW) is None
    spaced = f"{code()[:3]} {code()[3:]}"
    assert second.begin(SECRET, spaced, NOW)


def test_a_code_counts_once(begun: tuple[Second, tuple[str, ...]]) -> None:
    """Also the one that proved the app; a later code makes all earlier ones worthless."""
    kept, _ = begun
    assert second.spent(kept, code(), NOW) is None
    later = second.spent(kept, code(1), NOW + STEP)
    assert later
    for replayed in (code(1), code(0)):
        assert second.spent(later, replayed, NOW + STEP) is None
    assert second.spent(later, code(2), NOW + 2 * STEP)


@pytest.mark.parametrize(("steps", "counts"), [(8, False), (9, True), (10, True), (11, True), (12, False)])
def test_a_phones_clock_may_be_half_a_minute_off(begun: tuple[Second, tuple[str, ...]], steps: int, counts: bool) -> None:
    """Early or late, and no more."""
    assert (second.spent(begun[0], code(steps), NOW + 10 * STEP) is not None) is counts


def test_a_recovery_code_counts_once_and_any_way_it_is_written(begun: tuple[Second, tuple[str, ...]]) -> None:
    """Ten of them, all different; none stands in what is kept."""
    kept, codes = begun
    assert len(set(codes)) == RECOVERY_CODES == len(kept.recovery)
    assert not set(codes) & set(kept.recovery)
    left = second.spent(kept, codes[3].upper().replace("-", " "), NOW)
    assert left and len(left.recovery) == RECOVERY_CODES - 1
    assert second.spent(left, codes[3], NOW) is None
    assert second.spent(left, codes[4], NOW)


@pytest.mark.parametrize("typed", ["", "-", "٣٣٣٣٣٣", "12345\n6x", "a" * 5000, "\ud800", "000000000000"])
def test_what_is_no_code_is_wrong(begun: tuple[Second, tuple[str, ...]], typed: str) -> None:
    """Whatever is typed."""
    assert second.spent(begun[0], typed, NOW + 10 * STEP) is None
