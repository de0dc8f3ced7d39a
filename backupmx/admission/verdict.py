"""What a check says of a recipient.

Knows: the three verdicts.
Does not know: how they are reached.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from backupmx.core.message import Recipient
from backupmx.core.replies import Answer


@dataclass(frozen=True, slots=True)
class Take:
    """The recipient may come in."""

    recipient: Recipient


@dataclass(frozen=True, slots=True)
class Refuse:
    """It may not, and this is said."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Ask:
    """It takes a while to tell."""

    verdict: "Callable[[], Awaitable[Take | Refuse]]"
    """Called by whoever cares to wait."""


Verdict = Take | Refuse | Ask
