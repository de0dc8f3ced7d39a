"""Messages on their way to those who are to be told: tried a few times, at growing distances.

Knows: who has got what, and when it is tried again.
Does not know: what is told, and where it is kept over a restart.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from backupmx.alerts import messenger
from backupmx.core.alert_text import Letter
from backupmx.core.destination import mark, shown
from backupmx.watch import log

PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4))
"""After each attempt that failed; after one more it is given up."""


class Parcel(Struct, frozen=True):
    """A message, and who has still to get it."""

    letter: Letter
    marks: tuple[str, ...]
    """Of their URLs, which are secret."""
    due: datetime
    tries: int = 0


def parcel(letter: Letter, urls: Iterable[str], now: datetime) -> Parcel:
    """For everybody, at once."""
    return Parcel(letter, tuple(map(mark, urls)), now)


async def carry(waiting: Sequence[Parcel], urls: Sequence[str], now: datetime) -> Sequence[Parcel]:
    """Try those that are due; returns what has to be tried again. Who is asked for no more, is told no more."""
    left: list[Parcel] = []
    for number, each in enumerate(waiting):
        due = each.due <= now or each.due > now + PAUSES[-1]
        after = await _try(each, urls, now) if due else each
        if after is not None:
            left.append(after)
        if due and after is not None and after.marks == each.marks:
            # it reached nobody: the line may be down, and the others wait for their turn
            return [*left, *waiting[number + 1 :]]
    return left


async def _try(each: Parcel, urls: Sequence[str], now: datetime) -> Parcel | None:
    to = [url for url in urls if mark(url) in each.marks]
    if not to:
        return None
    said = await messenger.send(each.letter, to)
    missed = [(url, why) for url, why in zip(to, said, strict=True) if why is not None]
    if len(missed) < len(to):
        log.alert_told(each.letter.title, [shown(url) for url, why in zip(to, said, strict=True) if why is None])
    again = now + PAUSES[each.tries] if each.tries < len(PAUSES) else None
    for url, why in missed:
        log.alert_not_told(shown(url), each.letter.title, why, again)
    if not missed or again is None:
        return None
    return replace(each, marks=tuple(mark(url) for url, _ in missed), due=again, tries=each.tries + 1)
