"""When a message is tried again, and when its time is over: arithmetic on what is given.

Knows: backoff and the holding window.
Does not know: what time it is, and where due keys are kept.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from backupmx.core.message import Schedule

_DOUBLINGS = 20
"""More would only leave the range of a timedelta; every configurable `retry_max` is reached long before."""
UNEXPLAINED_LIMIT = 5


def backoff(deferrals: int, first: timedelta, last: timedelta) -> timedelta:
    """The pause after a deferral: `first`, doubled for each of the `deferrals` before it, never more than `last`."""
    return min(first * (1 << min(deferrals, _DOUBLINGS)), last)


def expired(arrived: datetime, window: timedelta, now: datetime) -> bool:
    """Whether the holding window of a message is over."""
    return arrived + window <= now


LONGEST_WINDOW = timedelta(days=60)
"""What can be configured."""
ALERTS = (50, 80, 95)
"""Parts of a holding window, in per cent, at which somebody should know."""


def alert(began: datetime, window: timedelta, now: datetime, parts: Sequence[int] = ALERTS) -> int:
    """The last of these parts that a message has reached; 0 before the first."""
    used = (now - began) / window * 100
    return max((part for part in parts if part <= used), default=0)


def untried(arrived: datetime, now: datetime) -> datetime:
    """The due time of a message that was leased and not judged: in the order of arrival, and at once."""
    return min(arrived, now)


def suspect(schedule: Schedule) -> bool:
    """Whether so many attempts ended without the primary's word that the message itself may be what breaks the line.

    Such a message is deferred like one that the primary deferred, so that it neither hammers nor blocks the head of the queue.
    """
    return schedule.attempts - schedule.deferrals > UNEXPLAINED_LIMIT
