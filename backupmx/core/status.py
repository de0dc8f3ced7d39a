"""The status document: the one source of every number that is shown (I8).

Knows: the contract's JSON (design, section 6), and how it follows from the spool's census and the courier's view.
Does not know: who asks, and how it is drawn.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct, to_builtins

from backupmx.core.belief import Acquaintance
from backupmx.core.message import NOTICES, State
from backupmx.core.queue import Census, Count


class PrimaryState(StrEnum):
    """What we know of a primary."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class Primary(Struct, frozen=True):
    """A domain's primary, as the courier sees it."""

    state: PrimaryState
    since: datetime | None = None
    last_error: str | None = None


class DomainView(Struct, frozen=True):
    """What the courier and the configuration say of a domain."""

    primary: Primary
    next_attempt: datetime | None
    """The next probe while the primary is down; else the earliest due message; None when nothing waits."""
    holding_window: timedelta
    route: str = ""
    """The way to the primary, by name; empty while there is none."""
    acquaintance: Acquaintance | None = None
    """How well its recipients are known; None where nobody asks."""
    split: int = 0
    """Messages that came, while the primary was up, from networks that reach only this server."""


class QueueStatus(Struct, frozen=True):
    """The whole queue; `messages`, `bytes` and `oldest` count what is waiting or leased."""

    messages: int
    bytes: int
    oldest: datetime | None
    held: int
    quarantined: int
    damaged: int = 0
    difference: int = 0
    """Recipients for whom the books do not balance (I11)."""


class DomainStatus(Struct, frozen=True):
    """One domain's line."""

    domain: str
    primary: Primary
    messages: int
    bytes: int
    oldest: datetime | None
    next_attempt: datetime | None
    holding_window_s: int
    held: int = 0
    quarantined: int = 0
    damaged: int = 0
    route: str = ""
    acquaintance: Acquaintance | None = None
    split: int = 0

    @property
    def doubtful(self) -> bool:
        """Whether the primary answers, and is not believed (I10): then `last_error` has its words."""
        return self.primary.state is PrimaryState.UP and self.primary.last_error is not None


class Status(Struct, frozen=True):
    """`backupmx status --json` and `GET /api/v1/status`."""

    version: str
    hostname: str
    time: datetime
    queue: QueueStatus
    domains: tuple[DomainStatus, ...]


def compose(
    version: str, hostname: str, time: datetime, census: Census, views: Mapping[str, DomainView], difference: int = 0
) -> Status:
    """Put the document together; domains in the order of `views`, then any that only the spool still knows.

    Notifications to strangers are in the whole queue's numbers alone. `difference` is that of the books.
    """
    total = census.total
    waiting = total.get(State.WAITING, Count())
    queue = QueueStatus(
        messages=waiting.messages,
        bytes=waiting.bytes,
        oldest=waiting.oldest,
        held=total.get(State.HELD, Count()).messages,
        quarantined=total.get(State.QUARANTINED, Count()).messages,
        damaged=total.get(State.DAMAGED, Count()).messages,
        difference=difference,
    )
    unknown = DomainView(Primary(PrimaryState.UNKNOWN), None, timedelta(0))
    names: Sequence[str] = [*views, *sorted(set(census.domains) - {*views, NOTICES})]
    return Status(
        version=version,
        hostname=hostname,
        time=time,
        queue=queue,
        domains=tuple(_domain(name, census.domains.get(name, {}), views.get(name, unknown)) for name in names),
    )


BEYOND_THE_CONTRACT = {
    "queue": ("damaged", "difference"),
    "domains": ("held", "quarantined", "damaged", "route", "acquaintance", "split"),
}
"""What page and terminal show, and the published document has not."""


def document(status: Status) -> dict[str, Any]:
    """The document in the contract's own keys, ready for JSON: other people's tools read it to the letter."""
    published: dict[str, Any] = to_builtins(status)
    for key in BEYOND_THE_CONTRACT["queue"]:
        del published["queue"][key]
    for domain in published["domains"]:
        for key in BEYOND_THE_CONTRACT["domains"]:
            del domain[key]
    return published


def _domain(name: str, counts: Mapping[State, Count], view: DomainView) -> DomainStatus:
    waiting = counts.get(State.WAITING, Count())
    return DomainStatus(
        domain=name,
        primary=view.primary,
        messages=waiting.messages,
        bytes=waiting.bytes,
        oldest=waiting.oldest,
        next_attempt=view.next_attempt,
        holding_window_s=int(view.holding_window.total_seconds()),
        held=counts.get(State.HELD, Count()).messages,
        quarantined=counts.get(State.QUARANTINED, Count()).messages,
        damaged=counts.get(State.DAMAGED, Count()).messages,
        route=view.route,
        acquaintance=view.acquaintance,
        split=view.split,
    )
