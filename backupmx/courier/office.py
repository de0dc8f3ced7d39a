"""What all lanes share.

Knows: the ledger, the diallers, the clock, the places, the paces.
Does not know: any lane.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backupmx.config import Delivery
from backupmx.courier.alarm import Timer
from backupmx.courier.client import Dialler
from backupmx.courier.ledger import Ledger
from backupmx.courier.pace import Pace
from backupmx.courier.places import Places
from backupmx.ports import Acquaintances, Clock

if TYPE_CHECKING:
    from backupmx.courier.lane import Lane


@dataclass(frozen=True, slots=True)
class Office:
    """One for each courier."""

    delivery: Delivery
    ledger: Ledger
    dialler: Dialler
    prober: Dialler
    """Less patient: whether a primary works is seen within seconds."""
    clock: Clock
    timer: Timer
    changed: Callable[["Lane"], None]
    """Told when what is known of a primary is another."""
    acquaintances: Acquaintances
    places: Places
    paces: Mapping[str, Pace]
    """Of the domains that have one."""
