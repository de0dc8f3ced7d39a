"""Content in the form of the DATA command: CRLF only, dots doubled, ended by the dot.

Knows: RFC 5321 sections 2.3.8 and 4.5.2.
Does not know: where the content comes from, and the connection that it goes to.
"""

from collections.abc import Iterable, Iterator

END = b".\r\n"


class Stuffer:
    """Fed with content in pieces of any length; hands out what goes over the wire.

    What the spool holds goes through as it is. Should it hold a bare LF all the same, it becomes CRLF; a bare CR or a NUL becomes
    a space, since on the wire some servers would take either for something else (I6).
    """

    __slots__ = ("_back", "_fresh")

    def __init__(self) -> None:
        self._fresh = True
        """At the start of a line."""
        self._back = b""
        """Kept for the next piece: a CR at the end, so that CRLF is never cut in two."""

    def feed(self, piece: bytes) -> bytes:
        """The next octets."""
        whole = self._back + piece if self._back else piece
        self._back = b"\r" if whole.endswith(b"\r") else b""
        if self._back:
            whole = whole[:-1]
        if not whole:
            return b""
        ready = _stuffed(_clean(whole), self._fresh)
        self._fresh = ready.endswith(b"\r\n")
        return ready

    def end(self) -> bytes:
        """The last ones, with the dot."""
        if self._back:
            return b" \r\n" + END
        return END if self._fresh else b"\r\n" + END


def data(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """All of a content; the final dot is in the last piece."""
    stuffer = Stuffer()
    ready = b""
    for piece in pieces:
        fed = stuffer.feed(piece)
        if fed:
            if ready:
                yield ready
            ready = fed
    yield ready + stuffer.end()


def _clean(piece: bytes) -> bytes:
    ends = piece.count(b"\r\n")
    if piece.count(b"\n") == ends and piece.count(b"\r") == ends and b"\0" not in piece:
        return piece
    return piece.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\0", b" ").replace(b"\n", b"\r\n")


def _stuffed(piece: bytes, fresh: bool) -> bytes:
    piece = piece.replace(b"\r\n.", b"\r\n..")
    return b"." + piece if fresh and piece.startswith(b".") else piece
