"""The books of the demo: what was accepted, what arrived, and whether they balance (I1, I11).

Knows: letters, what a primary got, the one `Received` field that we put in front.
Does not know: how letters travel, and how the books are shown.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field

_FIELD = re.compile(rb"Received:[ \t](?:[^\r\n]|\r\n[ \t])*\r\n")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as its sender hands it over; no two are alike, and none begins with white space."""

    kind: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def digest(self) -> bytes:
        """Stands for the content, byte for byte."""
        return hashlib.blake2b(self.content, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as the primary got it: the field that was put in front, and a digest of all that follows."""

    sender: str
    recipients: tuple[str, ...]
    received: bytes
    digest: bytes

    @classmethod
    def of(cls, sender: str, recipients: tuple[str, ...], content: bytes) -> "Arrival":
        """Take one `Received` field (RFC 5321 section 4.4) off the front; without one, all is content."""
        match = _FIELD.match(content)
        received = match[0] if match else b""
        digest = hashlib.blake2b(memoryview(content)[len(received) :], digest_size=16).digest()
        return cls(sender, recipients, received, digest)


@dataclass(frozen=True, slots=True)
class Balance:
    """The sums. A copy is a message for one recipient."""

    messages: int
    """Accepted."""
    copies: int
    """Accepted, by recipient."""
    delivered: int
    """Of these, copies that arrived unaltered, from their sender, with their id in the field in front."""
    lost: int
    """Of these, copies that did not."""
    duplicates: int
    """Copies that arrived again."""
    foreign: int
    """Copies that arrived, and that nobody sent like this: altered, misdirected, or without our field."""

    @property
    def even(self) -> bool:
        """All that was accepted arrived, once, unaltered, and nothing else."""
        return not (self.lost or self.duplicates or self.foreign)


@dataclass(slots=True)
class Ledger:
    """Collects both sides; one thread may write each."""

    _accepted: list[tuple[Letter, str]] = field(default_factory=list)
    _arrived: list[Arrival] = field(default_factory=list)

    def accept(self, letter: Letter, id: str) -> None:
        """A letter got its `250`, with this message id; none when the primary itself said it, through us."""
        self._accepted.append((letter, id))

    def arrive(self, arrival: Arrival) -> None:
        """The primary took something."""
        self._arrived.append(arrival)

    def balance(self) -> Balance:
        """The sums as they are now."""
        due = {
            (letter.digest, letter.sender, recipient): id.encode()
            for letter, id in tuple(self._accepted)
            for recipient in letter.recipients
        }
        came: Counter[tuple[bytes, str, str]] = Counter()
        foreign = 0
        for arrival in tuple(self._arrived):
            for recipient in arrival.recipients:
                copy = (arrival.digest, arrival.sender, recipient)
                if copy in due and arrival.received and due[copy] in arrival.received:
                    came[copy] += 1
                else:
                    foreign += 1
        return Balance(
            messages=len(self._accepted),
            copies=len(due),
            delivered=len(came),
            lost=len(due) - len(came),
            duplicates=came.total() - len(came),
            foreign=foreign,
        )
