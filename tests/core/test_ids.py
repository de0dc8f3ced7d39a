"""Message ids: sixteen bytes and 26 characters say the same, in the same order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import ids

RAW = st.binary(min_size=16, max_size=16)


@given(raw=RAW, other=RAW)
def test_an_id_says_its_bytes_and_sorts_as_they_do(raw: bytes, other: bytes) -> None:
    """Back and forth without loss; an older message's id is the smaller one."""
    assert ids.decode(ids.encode(raw)) == raw
    assert (ids.encode(raw) < ids.encode(other)) == (raw < other)
    assert len(ids.encode(raw)) == ids.LENGTH


@given(text=st.text(st.sampled_from(ids.ALPHABET + "ILOUa_+- \n٣é"), min_size=24, max_size=28))
def test_nothing_else_is_an_id(text: str) -> None:
    """What `encode` could not have written is refused, also where Python would read a number in it."""
    if len(text) == ids.LENGTH and set(text) <= set(ids.ALPHABET) and text[0] <= "7":
        assert ids.encode(ids.decode(text)) == text
        return
    with pytest.raises(ValueError, match="id"):
        ids.decode(text)
