"""Content in the form in which it is sent: CRLF only; for the DATA command with dots doubled, and ended by the dot.

Knows: RFC 5321 sections 2.3.8 and 4.5.2, RFC 3030 section 2.
Does not know: where the content comes from, and the connection that it goes to.

What the spool holds goes through as it is. Should it hold a bare LF all the same, it becomes CRLF; a bare CR or a NUL becomes
a space, since on the wire some servers would take either for something else (I6).
"""

from collections.abc import Iterable, Iterator

from backupmx.core.data import is_clean, mended

END = b".\r\n"


class Cleaner:
    """Fed with content in pieces of any length; hands out what may go over the wire."""

    __slots__ = ("_back",)

    def __init__(self) -> None:
        self._back = b""
        """Kept for the next piece: a CR at the end, so that CRLF is never cut in two."""

    def feed(self, piece: bytes) -> bytes:
        """The next octets."""
        whole = self._back + piece if self._back else piece
        self._back = b"\r" if whole.endswith(b"\r") else b""
        if self._back:
            whole = whole[:-1]
        return whole if is_clean(whole) else mended(whole.replace(b"\r\n", b"\n"))

    def end(self) -> bytes:
        """The last ones, if any were kept."""
        return b" " if self._back else b""


class Stuffer:
    """The same for the DATA command."""

    __slots__ = ("_cleaner", "_fresh")

    def __init__(self) -> None:
        self._cleaner = Cleaner()
        self._fresh = True
        """At the start of a line."""

    def feed(self, piece: bytes) -> bytes:
        """The next octets."""
        clean = self._cleaner.feed(piece)
        if not clean:
            return b""
        # base64, which most of large mail is, has no dot at all, and that is seen at once
        ready = clean.replace(b"\r\n.", b"\r\n..") if b"." in clean else clean
        if self._fresh and ready.startswith(b"."):
            ready = b"." + ready
        self._fresh = ready.endswith(b"\r\n")
        return ready

    def end(self) -> bytes:
        """The last ones, with the dot."""
        left = self._cleaner.end()
        return left + (END if self._fresh and not left else b"\r\n" + END)


def data(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """All of a content for the DATA command; the final dot is in the last piece."""
    return _fed(Stuffer(), pieces)


def text(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """All of a content for the BDAT command, which counts octets; one piece at least."""
    return _fed(Cleaner(), pieces)


def _fed(form: Cleaner | Stuffer, pieces: Iterable[bytes]) -> Iterator[bytes]:
    ready = b""
    for piece in pieces:
        fed = form.feed(piece)
        if fed:
            if ready:
                yield ready
            ready = fed
    yield ready + form.end()
