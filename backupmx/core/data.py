"""The octets after DATA and BDAT: where they end, and what of them is content (I6).

RFC 5321 sections 2.3.8, 4.1.1.4 and 4.5.2, RFC 3030.

Knows: line ends, dots, the length of a chunk.
Does not know: sockets, sizes, what becomes of the content.

Nothing but `CRLF . CRLF` ends data. A dot alone between any other line ends might end it for somebody else, so the message is
refused. A bare LF becomes CRLF, and a line begins after it; a bare CR or a NUL becomes a space, which makes no new line anywhere.
"""

import re
from io import IncrementalNewlineDecoder

END = b"\r\n.\r\n"
DOT = b"\r\n."
# what may yet turn out to be an end of data: it waits for the next octets
_UNDECIDED = re.compile(rb"(?:\r?\n|\r){0,2}\.?\r?\Z")
_LONGEST_UNDECIDED = 8
_LONE_DOT = re.compile(rb"(?:\A|(?<=[\r\n]))\.(?=[\r\n])")
_LONE_DOT_INSIDE = re.compile(rb"(?<=[\r\n])\.(?=[\r\n])")


def mended(lines: bytes) -> bytes:
    """Content with CRLF alone, of which CRLF is a bare LF already."""
    return lines.replace(b"\r", b" ").replace(b"\0", b" ").replace(b"\n", b"\r\n")


def is_clean(piece: bytes) -> bool:
    """Whether lines end with CRLF alone, and there is no NUL."""
    return b"\0" not in piece and _line_ends(piece) in (None, "\r\n")


def _line_ends(piece: bytes) -> str | tuple[str, ...] | None:
    """Which kinds of line end occur. The decoder of universal newlines finds out in one pass, in C: counting took three."""
    decoder = IncrementalNewlineDecoder(None, translate=False)
    decoder.decode(piece.decode("latin-1"), final=True)
    return decoder.newlines


class DataReader:
    """Fed with what arrives; hands out clean content."""

    __slots__ = ("_at_start", "_held", "ambiguous", "ended", "rest")

    last = True
    """Its end is the end of the message."""

    def __init__(self) -> None:
        self.ended = False
        self.ambiguous = False
        """A lone dot that is no end: nothing of this connection can be trusted any more."""
        self.rest = b""
        """What came after the end of data."""
        self._held = b""
        self._at_start = True

    def feed(self, octets: bytes) -> bytes:
        """The content that is certain by now; afterwards look at `ended` and `ambiguous`."""
        data = self._held + octets if self._held else octets
        if self._at_start and data.startswith(b".\r\n"):
            self.ended, self.rest = True, data[3:]
            return b""
        # base64, which most of large mail is, has no dot at all, and that is seen at once
        dot = data.find(b".")
        if dot >= 0:
            dot = data.find(DOT, max(dot - 2, 0))
        end = data.find(END, dot) if dot >= 0 else -1
        if end >= 0:
            self.ended, self.rest = True, data[end + len(END) :]
            certain = end + 2
        else:
            match = _UNDECIDED.search(data[-_LONGEST_UNDECIDED:])
            assert match is not None  # it matches the empty end, too
            undecided = len(match[0])
            self._held = data[len(data) - undecided :]
            certain = len(data) - undecided
            if certain == 0:
                return b""
        return self._clean(data, certain, stuffed=0 <= dot <= certain - len(DOT))

    def _clean(self, data: bytes, certain: int, stuffed: bool) -> bytes:
        start, self._at_start = self._at_start, False
        piece = data[:certain]
        clean = is_clean(piece)
        if not clean or piece.endswith(b"."):
            # the line end after a dot may be among the octets that are not certain yet
            lone = (_LONE_DOT if start else _LONE_DOT_INSIDE).search(data)
            if lone and lone.start() < certain:
                self.ambiguous = True
                return b""
        if clean:
            content = piece.replace(DOT, b"\r\n") if stuffed else piece
        else:
            content = mended(piece.replace(b"\r\n", b"\n").replace(b"\n.", b"\n"))
        return content[1:] if start and piece.startswith(b".") else content


class ChunkReader:
    """The content of BDAT: ends are counted, dots are content, line ends are mended as above. Fed like a `DataReader`."""

    __slots__ = ("_held", "_left", "ended", "last", "rest")

    ambiguous = False
    """Nothing in a chunk can be taken for its end."""

    def __init__(self) -> None:
        self.ended = True
        """The chunk is whole; `begin` makes place for another."""
        self.last = False
        self.rest = b""
        """What came after the chunk."""
        self._held = b""
        self._left = 0

    def begin(self, octets: int, last: bool) -> None:
        """BDAT was said."""
        self._left, self.last, self.ended, self.rest = octets, last, octets == 0, b""

    def feed(self, octets: bytes) -> bytes:
        """The content that is certain by now; afterwards look at `ended`."""
        piece, self.rest = octets[: self._left], octets[self._left :]
        self._left -= len(piece)
        self.ended = self._left == 0
        if self._held:
            piece = self._held + piece
        # what a last CR means is known when the next octet is, which may be in another chunk
        self._held = b"\r" if piece.endswith(b"\r") and not (self.ended and self.last) else b""
        if self._held:
            piece = piece[:-1]
        return piece if is_clean(piece) else mended(piece.replace(b"\r\n", b"\n"))
