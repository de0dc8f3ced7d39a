"""Content in the form of the DATA command: CRLF only, dots doubled, ended by the dot.

Knows: RFC 5321 sections 2.3.8 and 4.5.2.
Does not know: where the content comes from, and the connection that it goes to.
"""

from collections.abc import Iterable, Iterator

END = b".\r\n"


def data(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Content in pieces of any length → what goes over the wire, the final dot included in the last piece.

    What the spool holds goes through as it is. Should it hold a bare LF all the same, it becomes CRLF; a bare CR or a NUL becomes
    a space, since on the wire some servers would take either for something else (I6).
    """
    fresh = True  # at the start of a line
    back = b""  # kept for the next piece: a CR at the end, so that CRLF is never cut in two
    ready = b""
    for piece in pieces:
        whole = back + piece if back else piece
        back = b"\r" if whole.endswith(b"\r") else b""
        if back:
            whole = whole[:-1]
        if not whole:
            continue
        if ready:
            yield ready
        ready = _stuffed(_clean(whole), fresh)
        fresh = ready.endswith(b"\r\n")
    if back:
        ready, fresh = ready + b" ", False
    yield ready + (END if fresh else b"\r\n" + END)


def _clean(piece: bytes) -> bytes:
    ends = piece.count(b"\r\n")
    if piece.count(b"\n") == ends and piece.count(b"\r") == ends and b"\0" not in piece:
        return piece
    return piece.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\0", b" ").replace(b"\n", b"\r\n")


def _stuffed(piece: bytes, fresh: bool) -> bytes:
    piece = piece.replace(b"\r\n.", b"\r\n..")
    return b"." + piece if fresh and piece.startswith(b".") else piece
