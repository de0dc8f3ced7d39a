"""A message as other programs keep it: in an mbox, or in a maildir. Its content comes in pieces, and goes out in pieces.

What came in CRLF has the line ends of files here, and the envelope stands in front as Postfix's local(8) writes it.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC

from backupmx.cli.terminal import plain
from backupmx.core.message import NULL_SENDER, Message

LONGEST = 2**20
"""Of a line that is held whole: in the middle of a longer one nothing is looked for."""
_FROM = re.compile(rb"^>*From ", re.MULTILINE)


def in_a_maildir(message: Message, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A file of its own."""
    yield _envelope(message)
    for block, _ in _blocks(pieces):
        yield block


def in_an_mbox(message: Message, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The variety `mboxrd`: what a line was can be told from what it is, also where it begins with `From `."""
    sender = message.envelope.sender
    named = sender if sender != NULL_SENDER and sender.isprintable() and " " not in sender else "MAILER-DAEMON"
    yield f"From {named} {message.arrived.astimezone(UTC):%a %b %e %H:%M:%S %Y}\n".encode()
    yield _envelope(message)
    end = b"\n"
    for block, begins_a_line in _blocks(pieces):
        rest, line_end, lines = (b"", b"", block) if begins_a_line else block.partition(b"\n")
        yield rest + line_end + _FROM.sub(rb">\g<0>", lines)
        end = block[-1:]
    yield b"\n" if end == b"\n" else b"\n\n"


def _envelope(message: Message) -> bytes:
    """To whom it was still to go."""
    fields = [f"Return-Path: <{message.envelope.sender}>", *(f"Delivered-To: {address}" for address in message.unfinished())]
    return "".join(plain(field) + "\n" for field in fields).encode()


def _blocks(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Whole lines, and whether the first of them is one from its beginning."""
    held, begins = b"", True
    for piece in pieces:
        held += piece
        cut = held.rfind(b"\r\n") + 2
        if cut < 2:
            if len(held) < LONGEST:
                continue
            # the last octet may be the half of a line's end
            cut = len(held) - 1
        block = held[:cut].replace(b"\r\n", b"\n")
        yield block, begins
        held, begins = held[cut:], block.endswith(b"\n")
    if held:
        yield held, begins
