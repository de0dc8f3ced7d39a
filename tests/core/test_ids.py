"""Message ids: sixteen bytes and 26 characters say the same, in the same order."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import ids

RAW = st.binary(min_size=16, max_size=16)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 2**53).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds))
MILLISECOND = timedelta(milliseconds=1)
CHANCE = st.integers(0, 2**ids.CHANCE - 1)


@given(raw=RAW, other=RAW)
def test_an_id_says_its_bytes_and_sorts_as_they_do(raw: bytes, other: bytes) -> None:
    """Back and forth without loss; an older message's id is the smaller one."""
    assert ids.decode(ids.encode(raw)) == raw
    assert (ids.encode(raw) < ids.encode(other)) == (raw < other)
    assert len(ids.encode(raw)) == ids.LENGTH


@given(moment=MOMENTS, chance=CHANCE, later=CHANCE)
def test_an_id_tells_when_and_sorts_by_it(moment: datetime, chance: int, later: int) -> None:
    """UUID version 7; a microsecond makes the order, and chance no difference to the time."""
    made = ids.made(moment, chance)
    read = UUID(bytes=ids.decode(made))
    assert (read.version, read.variant, read.int % 2**ids.CHANCE) == (7, RFC_4122, chance)
    assert timedelta(milliseconds=read.int >> 80) == (moment - EPOCH) // MILLISECOND * MILLISECOND
    assert made < ids.made(moment + timedelta(microseconds=1), later)


def test_a_flood_is_not_ahead_of_the_clock() -> None:
    """Who looks for a time goes by ids: 100,000 within a millisecond all bear it."""
    at = datetime(2026, 11, 26, 12, tzinfo=UTC)
    flood = [ids.made(at + timedelta(microseconds=number // 100), secrets.randbits(ids.CHANCE)) for number in range(100_000)]
    assert len(set(flood)) == len(flood)
    assert ids.made(at, 0) <= min(flood) <= max(flood) < ids.made(at + MILLISECOND, 0)


@given(text=st.text(st.sampled_from(ids.ALPHABET + "ILOUa_+- \n٣é"), min_size=24, max_size=28))
def test_nothing_else_is_an_id(text: str) -> None:
    """What `encode` could not have written is refused, also where Python would read a number in it."""
    if len(text) == ids.LENGTH and set(text) <= set(ids.ALPHABET) and text[0] <= "7":
        assert ids.encode(ids.decode(text)) == text
        return
    with pytest.raises(ValueError, match="id"):
        ids.decode(text)
