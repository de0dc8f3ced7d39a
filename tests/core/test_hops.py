"""Received fields are counted in the header, wherever the content is cut, and the content stays whole."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import hops

FIELD = st.sampled_from(
    [
        b"Received: from a",
        b"RECEIVED:b",
        b"received :c",
        b"Received-SPF: pass",
        b"X-Received: d",
        b"\tReceived: folded",
        b"Subject: e",
    ]
)


@given(
    header=st.lists(FIELD, max_size=12),
    body=st.lists(FIELD, max_size=3),
    cuts=st.lists(st.integers(0, 300), max_size=20),
)
def test_only_the_fields_of_the_header_and_all_of_the_content(header: list[bytes], body: list[bytes], cuts: list[int]) -> None:
    """RFC 5321 section 6.3."""
    content = b"".join(line + b"\r\n" for line in [*header, b"", *body])
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    pieces = [piece for start, end in pairwise(edges) if (piece := content[start:end])]
    found, whole = hops.count(iter(pieces))
    assert b"".join(whole) == content
    assert found == sum(line.lower().startswith((b"received:", b"received :")) for line in header)


def test_a_header_without_end_is_read_so_far_and_no_further() -> None:
    """I4: bounded memory, whatever the content."""
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield b"x" * 2**16

    found, whole = hops.count(endless())
    assert found == 0
    assert read <= hops.HEADER_LIMIT // 2**16 + 1
    assert sum(map(len, whole)) == 1000 * 2**16
