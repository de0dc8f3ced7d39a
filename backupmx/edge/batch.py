"""A batch of commands: lines out of octets, replies into one write.

Knows: where a line ends, and what must be the last of a batch (RFC 2920 section 3.1).
Does not know: what the commands mean, sockets.
"""

from dataclasses import dataclass

from backupmx.core import replies
from backupmx.core.replies import Answer
from backupmx.edge.dialogue import LONGEST_LINE, Dialogue
from backupmx.edge.terms import Turn

OUTPUT = 16 * 1024
"""Octets of replies after which it is time to see whether the client reads them."""
_CR = 13
_TLS_HELLO = b"\x16\x03"


@dataclass(slots=True)
class Heard:
    """What a batch led to."""

    out: bytes
    rest: bytes
    """Input that was not looked at."""
    turn: Turn | None
    offence: Answer | None
    """Why the conversation ends here."""


def hear(dialogue: Dialogue, data: bytes) -> Heard | None:
    """Answer the whole lines in `data`, as many as make sense at once; None when there is none yet."""
    if data.startswith(_TLS_HELLO):
        return Heard(b"", b"", None, replies.NOT_SMTP)
    start, size, out = 0, 0, []
    turn: Turn | None = None
    offence: Answer | None = None
    while size < OUTPUT and turn is None and offence is None:
        end = _end(data, start)
        if not end:
            if len(data) - start > LONGEST_LINE:
                out.append(replies.LINE_TOO_LONG.line)
                offence = replies.TOO_MANY_ERRORS
            break
        reply, turn = dialogue.hear(data[start:end])
        start = end
        out.append(reply)
        size += len(reply)
        if dialogue.exhausted:
            offence = replies.TOO_MANY_ERRORS
        elif start < len(data):
            offence = _too_soon(dialogue, turn)
    return Heard(b"".join(out), data[start:], turn, offence) if out else None


def _end(data: bytes, start: int) -> int:
    """Behind the first line, 0 without one. A bare LF ends none: what comes behind it belongs to a line that is refused whole."""
    lf = data.find(b"\n", start)
    if lf < 0:
        return 0
    if lf == start or data[lf - 1] != _CR:
        crlf = data.find(b"\r\n", lf)
        return crlf + 2 if crlf >= 0 else len(data)
    return lf + 1


def _too_soon(dialogue: Dialogue, turn: Turn | None) -> Answer | None:
    """What to say of more input, where the client could not know that it may say more before it has this reply."""
    if turn is Turn.TLS:
        return replies.TALKED_BEFORE_TLS
    if turn in (Turn.ALONE, Turn.CLIENT, Turn.DATA) or not (dialogue.pipelining or turn in (Turn.QUIT, Turn.OVER, Turn.CHUNK)):
        return replies.OUT_OF_TURN
    return None
