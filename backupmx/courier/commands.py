"""MAIL and RCPT as they are said to a primary, with the parameters that it offers to understand.

Knows: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), REQUIRETLS (RFC 8689), RET, ENVID, NOTIFY, ORCPT (RFC 3461).
Does not know: when they are said, and what is answered.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backupmx.core import judge
from backupmx.core.message import NULL_SENDER, Envelope, Recipient
from backupmx.core.notation import Dialect
from backupmx.core.outcome import Deferred, Failed, Reply

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Peer:
    """The server at the other end, and what it offers."""

    host: str
    tls: str | None
    offers: frozenset[str]
    """EHLO keywords, in lower case."""
    proof: str = ""
    """How it is known who it is, in a word; empty: nobody knows."""
    certain: bool = False
    """Whether it is the domain's own beyond doubt."""
    dialect: Dialect = Dialect.SMTP


def on_the_wire(recipient: Recipient) -> str:
    """The address that is sent: with A-labels, unless its local part needs SMTPUTF8 anyway."""
    if recipient.address.isascii():
        return recipient.address
    local = recipient.address.rpartition("@")[0]
    return f"{local}@{recipient.domain}" if local.isascii() else recipient.address


def mail(envelope: Envelope, size: int, recipients: Sequence[Recipient], peer: Peer) -> bytes:
    """For these recipients; `size` 0 is not told."""
    parts = [f"MAIL FROM:<{envelope.sender}>"]
    if size and "size" in peer.offers:
        parts.append(f"SIZE={size}")
    if envelope.eight_bit and "8bitmime" in peer.offers:
        parts.append("BODY=8BITMIME")
    if "smtputf8" in peer.offers and (
        envelope.smtputf8 or not all(map(str.isascii, (envelope.sender, *map(on_the_wire, recipients))))
    ):
        parts.append("SMTPUTF8")
    if envelope.requires_tls and "requiretls" in peer.offers:
        parts.append("REQUIRETLS")
    if "dsn" in peer.offers:
        parts += [f"{key}={value}" for key, value in (("RET", envelope.ret), ("ENVID", envelope.envid)) if value]
    return (" ".join(parts) + "\r\n").encode()


def rcpt(recipient: Recipient, peer: Peer) -> bytes:
    """One recipient."""
    parts = [f"RCPT TO:<{on_the_wire(recipient)}>"]
    if "dsn" in peer.offers:
        parts += [f"{key}={value}" for key, value in (("NOTIFY", recipient.notify), ("ORCPT", recipient.orcpt)) if value]
    return (" ".join(parts) + "\r\n").encode()


def obstacle(envelope: Envelope, recipient: Recipient, peer: Peer) -> tuple[type[Deferred | Failed], Reply] | None:
    """What comes of a recipient whom no command can carry to this peer."""
    # to a server that might be anybody's it must not go, TLS or not (RFC 8689 section 4.2.1); a notification may, which has no
    # text of the message in it, and would be lost (section 5)
    secret = envelope.requires_tls and envelope.sender != NULL_SENDER
    if secret and not (peer.tls and peer.certain and "requiretls" in peer.offers):
        return Deferred, judge.NO_REQUIRETLS
    for each in (envelope.sender, on_the_wire(recipient)):
        if _FORBIDDEN.search(each) or (">" in each and not each.startswith('"')):
            return Failed, judge.UNSENDABLE
        if not (each.isascii() or "smtputf8" in peer.offers):
            return Deferred, judge.NO_SMTPUTF8
    return None
