"""The clock of the ledger campaign."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.courier.house import START, breathe


@dataclass(order=True)
class _Timer:
    at: datetime
    number: int
    call: Callable[[], object] = field(compare=False)

    def cancel(self) -> None:
        self.call = lambda: None


class Weeks:
    """A clock at which nobody looks while time passes: what would have gone off on the way goes off at the end, once."""

    def __init__(self) -> None:
        self.now = START
        self._timers: list[_Timer] = []
        self._serial = itertools.count()

    def clock(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return (self.now - START).total_seconds()

    def timer(self, seconds: float, call: Callable[[], object]) -> _Timer:
        timer = _Timer(self.now + timedelta(seconds=seconds), next(self._serial), call)
        heapq.heappush(self._timers, timer)
        return timer

    async def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        due = []
        while self._timers and self._timers[0].at <= self.now:
            due.append(heapq.heappop(self._timers))
        for timer in due:
            timer.call()
        await breathe()
