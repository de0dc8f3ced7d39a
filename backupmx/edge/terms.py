"""What holds for every session of a worker, and what a line of a conversation may lead to.

Knows: limits, whom to ask.
Does not know: any one conversation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from backupmx.admission.admission import Admission
from backupmx.core.replies import Answer


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every session of this server."""

    hostname: str
    max_size: int
    max_recipients: int
    max_messages: int
    """Transactions in one connection."""
    max_errors: int
    tls_offered: bool
    admission: Admission
    room: Callable[[], int]
    refused: Callable[[str, Answer, str], None]
    """Told of each refusal: the client's address, the reply, and what it is about."""
    ask: Callable[[str], bool]
    """A primary asks for a domain's queue; False when that was asked a moment ago."""


class Turn(Enum):
    """What the session must do beside replying."""

    DATA = 1
    CHUNK = 2
    """As many octets of content follow as the transaction's `chunk` says (RFC 3030)."""
    TLS = 3
    QUIT = 4
    ALONE = 5
    """Nothing may follow before the client has the reply."""
    OVER = 6
    """The reply was the last."""
    ASK = 8
    """The reply takes a while: `Dialogue.answer` has it."""
    CLIENT = 7
    """XCLIENT said who the client really is: the conversation begins anew."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What BDAT announced."""

    octets: int
    last: bool
    refusal: Answer | None
    """The octets come all the same, are thrown away, and then this is said."""
