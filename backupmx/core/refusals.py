"""Whether we suddenly refuse far more than usual: a domain is missing, a list is wrong, or somebody tries names.

Knows: what is usual, by the points of history.
Does not know: who keeps them, and who is told.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from backupmx.core import replies
from backupmx.core.history import STEP, Point, Span

LATELY = timedelta(minutes=10)
LEAST = 100
"""Fewer in that time are nothing to tell."""
TIMES = 10
"""As many as usual."""
LEAST_STEPS = 4
"""Steps of the day of which something is known: before that nobody knows what is usual."""
_REASONS = {answer.name for answer in replies.TABLE if answer.code // 100 == 5} | {"primary_refuses"}
"""Refusals for good."""


class Sudden(Struct, frozen=True):
    """Of one reason."""

    lately: int
    usually: int
    """In a time as long, over the last day."""


def sudden(minutes: Iterable[Point], day: Sequence[Point], now: datetime) -> Mapping[str, Sudden]:
    """By reason, from the points of the last hour and of the last day."""
    if len(day) < LEAST_STEPS:
        return {}
    lately = _sums(point for point in minutes if now - LATELY < point.at <= now)
    before = _sums(day) - lately
    parts = len(day) * (STEP[Span.DAY] / LATELY) - 1
    found = {reason: Sudden(number, round(before[reason] / parts)) for reason, number in lately.items() if number >= LEAST}
    return {reason: each for reason, each in found.items() if each.lately >= TIMES * each.usually}


def _sums(points: Iterable[Point]) -> Counter[str]:
    total: Counter[str] = Counter()
    for point in points:
        total.update({reason: number for reason, number in point.refused.items() if reason in _REASONS})
    return total
