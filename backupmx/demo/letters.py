"""Made mail of every awkward kind that a mail server meets.

Knows: what real messages look like.
Does not know: who carries them.
"""

import random
from collections.abc import Callable, Iterator
from itertools import count

from backupmx.core.message import NULL_SENDER
from backupmx.demo.ledger import Letter

DOMAIN = "example.com"
ATTACHMENT = 2 * 2**20
"""Octets of the large message's body."""
LONG_LINE = 20_000
"""Octets of a line that is twenty times as long as RFC 5321 section 4.5.3.1.6 asks a server to bear."""
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def letters(seed: int) -> Iterator[Letter]:
    """Letters without end, each kind in turn; the large attachment comes in the first round only."""
    rng = random.Random(seed)  # noqa: S311 - made mail, no secrets
    for number in count(1):
        kinds = KINDS if number <= len(KINDS) else KINDS[:-1]
        kind = kinds[(number - 1) % len(kinds)]
        body = BODIES[kind](rng)
        sender = NULL_SENDER if kind == "notice" else f"sender{number}@sender.test"
        people = rng.sample(PEOPLE, k=5 if kind == "many recipients" else 1)
        recipients = tuple(f"{person}@{DOMAIN}" for person in people)
        yield Letter(kind, sender, recipients, _head(number, kind, sender, recipients) + body)


def _head(number: int, kind: str, sender: str, recipients: tuple[str, ...]) -> bytes:
    shown = sender or "MAILER-DAEMON@sender.test"
    fields = [
        f"From: <{shown}>",
        "To: " + ",\r\n\t".join(f"<{recipient}>" for recipient in recipients),
        f"Subject: {kind}, letter {number}",
        f"Message-ID: <{number}.demo@sender.test>",
        "MIME-Version: 1.0",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: 8bit",
    ]
    return ("\r\n".join(fields) + "\r\n\r\n").encode()


def _plain(rng: random.Random) -> bytes:
    return b"".join(b"%d bottles of milk, please.\r\n" % rng.randrange(1, 99) for _ in range(rng.randrange(1, 60)))


def _eight_bit(rng: random.Random) -> bytes:
    return "Grüße aus Köln, 東京, Αθήνα.\r\n".encode() * rng.randrange(1, 40) + bytes(range(128, 256)) + b"\r\n"


def _long_lines(rng: random.Random) -> bytes:
    return b"".join(bytes(rng.choices(ALPHABET, k=LONG_LINE)) + b"\r\n" for _ in range(3))


def _dots(_rng: random.Random) -> bytes:
    return b".\r\n..\r\n...three\r\n.leading\r\nin the . middle\r\n \r\n.\r\n"


def _empty(_rng: random.Random) -> bytes:
    return b""


def _blanks(rng: random.Random) -> bytes:
    return b"\r\n" * rng.randrange(1, 2000) + b"blanks at the end of this line   \t\r\n\r\n\r\n"


def _attachment(rng: random.Random) -> bytes:
    line = 76
    octets = bytes(rng.choices(ALPHABET, k=ATTACHMENT))
    return b"".join(octets[at : at + line] + b"\r\n" for at in range(0, ATTACHMENT, line))


BODIES: dict[str, Callable[[random.Random], bytes]] = {
    "plain": _plain,
    "8-bit": _eight_bit,
    "long lines": _long_lines,
    "leading dots": _dots,
    "empty": _empty,
    "blank lines": _blanks,
    "many recipients": _plain,
    "notice": _plain,
    "2 MiB attachment": _attachment,
}
KINDS = tuple(BODIES)
PEOPLE = ("anna", "ben", "carla", "dmitri", "elif", "farid", "grace", "hiro", "o'neil", "joan+lists", "info", "postmaster")
