"""The in-memory fake of the track: the same promises as the one in the LMDB store, but that of surviving a crash.

Knows: the messages and records of the in-memory spool.
Does not know: disks.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from backupmx.core import ids, track
from backupmx.core.events import AnyEvent
from backupmx.core.ids import MessageId
from backupmx.core.message import Message
from backupmx.core.track import Life, Lives, Passed, Record, Wanted


class MemoryTrack:
    """See `ports.Track`."""

    def __init__(self, messages: Mapping[MessageId, Message]) -> None:
        self._messages = messages
        self.records: dict[MessageId, Record] = {}

    def add(self, message: Message, events: Sequence[AnyEvent], *, gone: bool) -> None:
        """Something happened to a message."""
        record = track.noted(self.records.get(message.id, track.NOTHING), events)
        self.records[message.id] = track.closed(record, message, events[-1].at) if gone else record

    def find(self, id: MessageId) -> Life | None:
        """See `ports.Track`."""
        return track.life(id, self._messages.get(id), self.records.get(id))

    def page(self, wanted: Wanted, after: MessageId | None = None, limit: int = 50) -> Lives:
        """See `ports.Track`."""
        ids.abbreviation_range(wanted.id or "")
        all_ids = sorted({*self._messages, *self.records}, reverse=True)
        lives = [life for id in all_ids if (after is None or id < after) and (life := self.find(id))]
        found = [life for life in lives if track.matches(wanted, life)]
        return Lives(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    async def note(self, passed: Sequence[Passed]) -> None:
        """See `ports.Track`."""
        self.records.update({note.id: track.passed(note) for note in passed})

    async def sweep(self, before: datetime) -> int:
        """See `ports.Track`."""
        old = [id for id, record in self.records.items() if record.gone and record.gone.ended < before]
        for id in old:
            del self.records[id]
        return len(old)
