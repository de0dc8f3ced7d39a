"""The books of the in-memory fake: the same columns as in the LMDB store.

Knows: core's books.
Does not know: messages' whereabouts.
"""

from collections.abc import Mapping

from backupmx.core import books
from backupmx.core.books import Line
from backupmx.core.message import Message

Places = Mapping[str, Mapping[int, int]]


class MemoryBooks:
    """By domain and day."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[int, Line]] = {}

    def enter(self, message: Message) -> None:
        """It comes in."""
        places = books.places(message)
        self._add(message, {domain: {books.ACCEPTED: sum(columns.values())} for domain, columns in places.items()}, 1)
        self._add(message, places, 1)

    def shift(self, old: Message, places: Places) -> None:
        """Its recipients go from where they are to other columns."""
        self._add(old, books.places(old), -1)
        self._add(old, places, 1)

    def since(self, day: int) -> Mapping[str, Mapping[int, Line]]:
        """See `ports.Spool.books`."""
        kept = {domain: {at: line for at, line in lines.items() if at >= day} for domain, lines in self._lines.items()}
        return {domain: lines for domain, lines in kept.items() if lines}

    def _add(self, message: Message, places: Places, sign: int) -> None:
        for domain, columns in places.items():
            day, lines = books.day(message.arrived), self._lines.setdefault(domain, {})
            change = Line(*(sign * columns.get(column, 0) for column in range(len(Line.__struct_fields__))))
            lines[day] = lines.get(day, Line()) + change
