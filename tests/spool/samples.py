"""Messages to put into a spool."""

import uuid_utils

from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.core.message import Client, Envelope, Recipient
from backupmx.errors import SpoolFull
from backupmx.ports import Spool


def new_id() -> MessageId:
    """As the edge makes them."""
    return ids.encode(uuid_utils.uuid7().bytes)


def envelope(*addresses: str, sender: str = "a@sender.test") -> Envelope:
    """For these recipients; the domain is what follows the at sign."""
    recipients = tuple(Recipient(address, address.partition("@")[2]) for address in addresses or ("u@example.com",))
    return Envelope(sender, recipients, Client("192.0.2.1", "client.test"))


async def put(spool: Spool, at, content: bytes = b"Subject: x\r\n\r\nbody\r\n", *addresses: str, sender: str = "a@sender.test"):  # type: ignore[no-untyped-def]
    """Accept one message; returns its id."""
    intake = spool.intake(new_id())
    try:
        for start in range(0, len(content), 100_000):
            await intake.write(content[start : start + 100_000])
        await intake.commit(envelope(*addresses, sender=sender), at)
    except SpoolFull:
        await intake.abandon()
        raise
    return intake.id
