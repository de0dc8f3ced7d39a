"""An admission for tests: policies in a line, primaries that nobody can reach unless others are given."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from backupmx.admission.admission import Admission
from backupmx.admission.returns import Returns
from backupmx.config import Domain, Settings
from backupmx.core.message import Envelope, Proof
from backupmx.core.outcome import Reply
from backupmx.core.status import PrimaryState
from backupmx.ports import Handover, Primaries, Roll
from backupmx.recipients.callouts import Callouts
from backupmx.recipients.knowledge import Knowledge
from backupmx.spool.memory_roll import MemoryRoll

NOW = datetime(2026, 5, 3, 14, 35, tzinfo=UTC)


class Away:
    """Primaries that cannot be reached."""

    def reachable(self, domain: str) -> bool:
        return False

    async def route(self, domain: str) -> str:
        return ""

    async def hand_over(self, domain: str, envelope: Envelope, size: int) -> Handover | None:
        return None

    def cut(self) -> None:
        pass

    def doubt(self, domain: str) -> None:
        pass

    async def verify(self, domain: str, locals_: Sequence[str]) -> Sequence[Reply] | None:
        return None


@dataclass
class Weather:
    """A board that a test writes on."""

    now: PrimaryState = PrimaryState.DOWN
    seconds: int = 0

    def state(self, domain: str) -> PrimaryState:
        return self.now

    def clock(self, domain: str) -> int:
        return self.seconds


@dataclass
class House:
    """All that an admission is made of."""

    policies: dict[str, Domain]
    primaries: Primaries = field(default_factory=Away)
    roll: Roll = field(default_factory=MemoryRoll)
    health: Weather = field(default_factory=Weather)
    now: datetime = NOW

    def __post_init__(self) -> None:
        serial = itertools.count()
        self.knowledge = Knowledge(self.policies, self.roll, self.health, self.clock, lambda: self.clock().timestamp())
        self.callouts = Callouts(self.primaries, self.knowledge, lambda: f"nobody{next(serial)}", patience=0.3)
        self.admission = Admission(self.policies, self.knowledge, self.callouts, self.primaries, Returns(), self.clock)

    def clock(self) -> datetime:
        return self.now

    def pass_time(self, time: timedelta, *, up: bool) -> None:
        """Let time pass; the primary's clock runs while it is up."""
        self.now += time
        self.health.seconds += int(time.total_seconds()) * up


def policies(*names: str, **keys: Any) -> dict[str, Domain]:
    """These domains, each with these keys."""
    return dict(Settings.model_validate({"hostname": "mx2.test", "domain": dict.fromkeys(names, keys)}).domains)


def everyone(*names: str) -> Admission:
    """Takes every recipient of these domains, and asks nobody."""
    return House(policies(*names, recipients="any", when_primary_up="spool")).admission


async def unproven(envelope: Envelope, content: bytes | None) -> Proof:
    """Knows nothing of any sender."""
    return Proof.NONE
