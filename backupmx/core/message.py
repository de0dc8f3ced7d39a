"""A message as the spool holds it: envelope, the fate of each recipient, its schedule.

Knows: the states that a message can be in (design, section 3) and how they follow from its parts.
Does not know: how or where a message is stored, and what time it is.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from backupmx.core.ids import MessageId

NULL_SENDER = ""
"""The one spelling of the null reverse-path, `<>` on the wire (RFC 5321 section 4.5.5)."""
NOTICES = "."
"""In the place of a configured domain: a notification's recipient, who is elsewhere in the world."""


class State(StrEnum):
    """What a message is doing in the spool."""

    WAITING = "waiting"
    LEASED = "leased"
    HELD = "held"
    QUARANTINED = "quarantined"
    DAMAGED = "damaged"


class Client(Struct, frozen=True):
    """Who handed the message to us."""

    address: str
    """IP address, as text."""
    helo: str
    """What the client called itself; untrusted."""
    esmtp: bool = True
    tls: str | None = None
    """TLS version and cipher, or None for plain text."""


class Recipient(Struct, frozen=True, omit_defaults=True):
    """One recipient; told apart from the others by its address."""

    address: str
    """As the client gave it, without angle brackets and source route."""
    domain: str
    """The configured domain it belongs to: lower case, A-labels; or `NOTICES`."""
    notify: str = ""
    """NOTIFY as given, in upper case; empty when the sender left it to the servers (RFC 3461 section 4.1)."""
    orcpt: str = ""
    """ORCPT as given: type and xtext (RFC 3461 section 4.2)."""


class Proof(StrEnum):
    """How it is known that the sender's domain had a part in a message; without proof nobody is ever told of it (I3)."""

    NONE = ""
    SPF = "spf"
    """The client may send for the reverse-path's domain (RFC 7208)."""
    DKIM = "dkim"
    """A signature of the reverse-path's domain, or of one above it, holds (RFC 6376)."""


class Envelope(Struct, frozen=True, omit_defaults=True):
    """What MAIL and RCPT said (RFC 5321 section 2.3.1)."""

    sender: str
    """The reverse-path without brackets; `NULL_SENDER` for `<>`."""
    recipients: tuple[Recipient, ...]
    client: Client
    eight_bit: bool = False
    """BODY=8BITMIME was given (RFC 6152)."""
    smtputf8: bool = False
    """SMTPUTF8 was given (RFC 6531)."""
    requires_tls: bool = False
    """REQUIRETLS was given: no plain text on the whole way (RFC 8689)."""
    ret: str = ""
    """RET as given: FULL, HDRS or nothing (RFC 3461 section 4.3)."""
    envid: str = ""
    """ENVID as given, in xtext (RFC 3461 section 4.4)."""
    proof: Proof = Proof.NONE
    """Found out when the message came in."""

    def proven(self, proof: Proof) -> "Envelope":
        """The same, with what was found out."""
        return replace(self, proof=proof)


class Fate(StrEnum):
    """What has become of one recipient so far."""

    PENDING = "pending"
    DELIVERED = "delivered"
    QUARANTINED = "quarantined"
    RETURNED = "returned"
    """It will not be delivered, and its sender is told so."""


FINAL = (Fate.DELIVERED, Fate.RETURNED)


class Progress(Struct, frozen=True):
    """The last that was learned for one recipient."""

    fate: Fate
    said: str
    """The primary's last words, or our own trouble; untrusted text."""
    host: str
    at: datetime


class Schedule(Struct, frozen=True):
    """When the recipients of one domain are due; mirrors the domain's one due key."""

    due: datetime
    """The next attempt; for a leased message the end of the lease."""
    attempts: int = 0
    """Leases taken so far, counted before anything is dialled."""
    deferrals: int = 0
    """How often the primary deferred this message; drives its backoff."""
    owner: str | None = None
    """Who holds the lease, or None."""


class Hold(Struct, frozen=True):
    """An admin's wish that a message stay where it is."""

    by: str
    why: str
    at: datetime


class Kind(StrEnum):
    """What a notification tells of recipients (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"
    """Delivered to a server that will not report itself."""
    DELIVERED = "delivered"


class Notice(Struct, frozen=True):
    """A notification; it comes into the spool with the transaction that is the reason for it."""

    id: MessageId
    kind: Kind
    about: tuple[str, ...]
    """Addresses of the message that it tells of."""
    envelope: Envelope
    content: bytes


class Message(Struct, frozen=True):
    """One message in the spool, without its content."""

    id: MessageId
    arrived: datetime
    size: int
    """Octets of content, our `Received` field included."""
    chunks: int
    digest: bytes
    """XXH3 over the content, 16 bytes: against the mistakes of disks, not against people."""
    envelope: Envelope
    schedule: Mapping[str, Schedule]
    """By domain, for each domain with pending recipients, also while held; empty when quarantined."""
    progress: Mapping[str, Progress] = {}
    """By recipient address; a recipient nothing was learned of is absent, and pending."""
    hold: Hold | None = None
    damage: str | None = None
    """What is wrong with the content, when it does not match its digest."""
    stood_still: timedelta = timedelta(0)
    """How long admins held it so far: the holding window does not run meanwhile."""
    subject: str = ""
    """As it stands in the content (`core.subject`); untrusted."""

    @property
    def window_began(self) -> datetime:
        """From when on the holding window counts."""
        return self.arrived + self.stood_still

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do for any recipient."""
        return all(self.fate(recipient.address) in FINAL for recipient in self.envelope.recipients)

    def unfinished(self) -> tuple[str, ...]:
        """Addresses that the message is still here for."""
        return tuple(r.address for r in self.envelope.recipients if self.fate(r.address) not in FINAL)

    def fate(self, address: str) -> Fate:
        """What has become of one recipient."""
        known = self.progress.get(address)
        return known.fate if known else Fate.PENDING

    def pending(self, domain: str | None = None) -> tuple[str, ...]:
        """Addresses that still wait, of one domain or of all."""
        return tuple(
            r.address for r in self.envelope.recipients if domain in (None, r.domain) and self.fate(r.address) is Fate.PENDING
        )

    def domains(self) -> tuple[str, ...]:
        """The configured domains of the recipients, each once, in the order of the envelope."""
        return tuple(dict.fromkeys(r.domain for r in self.envelope.recipients))

    def state(self, domain: str | None = None) -> State:
        """The state as a whole, or as one domain's admin sees it."""
        if self.damage:
            return State.DAMAGED
        if self.hold:
            return State.HELD
        if not (self.schedule if domain is None else domain in self.schedule):
            return State.QUARANTINED
        owned = self.schedule.values() if domain is None else [self.schedule[domain]]
        return State.LEASED if any(s.owner for s in owned) else State.WAITING


class Lease(Struct, frozen=True):
    """One domain's pending recipients of a message, lent to a courier until `until`."""

    message: Message
    domain: str
    recipients: tuple[str, ...]
    owner: str
    until: datetime
