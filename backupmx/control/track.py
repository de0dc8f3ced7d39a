"""What may be asked about what became of messages.

Knows: the track's door.
Does not know: sockets, and who asks.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable

from backupmx.control.answers import AnyAnswer, Done, LifeRow, Refused
from backupmx.control.requests import TrackMessages
from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.ports import Track

PAGE = 50
"""Lives read in one go: the loop is free again after each page."""


class TrackDesk:
    """An admin's view of the track."""

    def __init__(self, track: Track, seconds: Callable[[], float] = time.monotonic) -> None:
        self._track = track
        self._seconds = seconds

    async def listing(self, request: TrackMessages) -> AsyncGenerator[AnyAnswer, None]:
        """Rows, page by page, then `Done` with where the next page begins; each page is a read of its own."""
        problem = _problem(request)
        if problem:
            yield Refused((problem,))
            return
        after, left = MessageId(request.after) if request.after else None, request.limit
        end = self._seconds() + request.seconds if request.seconds else math.inf
        while True:
            page = self._track.page(request.wanted, after, min(PAGE, left) if request.limit else PAGE)
            for life in page.lives:
                yield LifeRow(life)
            after = page.after
            left -= len(page.lives)
            if after is None or (request.limit and left <= 0) or self._seconds() >= end:
                yield Done(after=after)
                return
            await asyncio.sleep(0)


def _problem(request: TrackMessages) -> str:
    wanted = request.wanted
    if any(moment is not None and moment.tzinfo is None for moment in (wanted.since, wanted.until)):
        return "a time must have a time zone"
    try:
        ids.abbreviation_range(wanted.id or "")
    except ValueError:
        return f"{wanted.id}: is no message id"
    try:
        ids.decode(request.after or ids.encode(bytes(16)))
    except ValueError:
        return f"{request.after}: is no message id"
    return ""
