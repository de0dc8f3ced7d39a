"""The octets after DATA: where they end, and what of them is content (I6; RFC 5321 sections 2.3.8, 4.1.1.4, 4.5.2).

Knows: line ends, dots.
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


def _line_ends(piece: bytes) -> str | tuple[str, ...] | None:
    """Which kinds of line end occur. The decoder of universal newlines finds out in one pass, in C: counting took three."""
    decoder = IncrementalNewlineDecoder(None, translate=False)
    decoder.decode(piece.decode("latin-1"), final=True)
    return decoder.newlines


class DataReader:
    """Fed with what arrives; hands out clean content."""

    __slots__ = ("_at_start", "_held", "ambiguous", "ended", "rest")

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
        return self._clean(data, certain, stuffed=dot >= 0)

    def _clean(self, data: bytes, certain: int, stuffed: bool) -> bytes:
        start, self._at_start = self._at_start, False
        piece = data[:certain]
        clean = b"\0" not in piece and _line_ends(piece) in (None, "\r\n")
        if not clean or piece.endswith(b"."):
            # the line end after a dot may be among the octets that are not certain yet
            lone = (_LONE_DOT if start else _LONE_DOT_INSIDE).search(data)
            if lone and lone.start() < certain:
                self.ambiguous = True
                return b""
        if clean:
            content = piece.replace(DOT, b"\r\n") if stuffed else piece
        else:
            lines = piece.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\0", b" ")
            content = lines.replace(b"\n.", b"\n").replace(b"\n", b"\r\n")
        return content[1:] if start and piece.startswith(b".") else content
