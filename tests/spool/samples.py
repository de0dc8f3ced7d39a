"""Messages to put into a spool."""

import itertools
import os
import secrets
from datetime import UTC, datetime

from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.core.message import NOTICES, NULL_SENDER, Client, Envelope, Kind, Message, Notice, Recipient
from backupmx.core.queue import Filter
from backupmx.core.track import Life, Wanted
from backupmx.errors import SpoolFull
from backupmx.ports import Spool
from backupmx.spool.search import MOMENT, first_id

_serial = itertools.count()


def new_id(at: datetime | None = None) -> MessageId:
    """As the edge makes them, now or at some other time; two processes never make the same."""
    if at is None:
        return ids.made(datetime.now(UTC), secrets.randbits(ids.CHANCE))
    return ids.encode(first_id(at)[:MOMENT] + os.getpid().to_bytes(4) + next(_serial).to_bytes(6))


def listed(spool: Spool, wanted: Filter = Filter()) -> list[Message]:  # noqa: B008 - frozen
    """All that a filter means, newest first; a page may stop early."""
    found: list[Message] = []
    after: MessageId | None = None
    while True:
        page = spool.page(wanted, after, 100)
        found += page.messages
        after = page.after
        if after is None:
            return found


def tracked(spool: Spool) -> list[Life]:
    """All that is known, likewise."""
    found: list[Life] = []
    after: MessageId | None = None
    while True:
        page = spool.track.page(Wanted(), after, 100)
        found += page.lives
        after = page.after
        if after is None:
            return found


def envelope(*addresses: str, sender: str = "a@sender.test") -> Envelope:
    """For these recipients; the domain is what follows the at sign."""
    recipients = tuple(Recipient(address, address.partition("@")[2]) for address in addresses or ("u@example.com",))
    return Envelope(sender, recipients, Client("192.0.2.1", "client.test"))


async def put(
    spool: Spool,
    at,
    content: bytes = b"Subject: x\r\n\r\nbody\r\n",
    *addresses: str,
    sender: str = "a@sender.test",
    subject: str = "",
):  # type: ignore[no-untyped-def]
    """Accept one message; returns its id."""
    intake = spool.intake(new_id(at))
    try:
        for start in range(0, len(content), 100_000):
            await intake.write(content[start : start + 100_000])
        await intake.commit(envelope(*addresses, sender=sender), at, subject)
    except SpoolFull:
        await intake.abandon()
        raise
    return intake.id


def notice(*about: str, kind: Kind = Kind.FAILED, content: bytes = b"Subject: failed\r\n\r\nsorry\r\n") -> Notice:
    """To the sender of `envelope`, about these recipients."""
    to = Recipient("a@sender.test", NOTICES)
    return Notice(new_id(), kind, about, Envelope(NULL_SENDER, (to,), Client("127.0.0.1", "mx2")), content)
