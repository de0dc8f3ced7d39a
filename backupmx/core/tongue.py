"""A language to say things in: its words, its plurals, and how it writes numbers and lists. English is at hand.

Knows: what whoever speaks another language has to offer.
Does not know: other languages, and who reads.

Texts in the source are English, and the keys of every catalogue: whole sentences, with `%(name)s` where something is filled in.
"""

from collections.abc import Sequence
from typing import Protocol


class Tongue(Protocol):
    """One language."""

    def gettext(self, text: str, /, **parts: object) -> str:
        """A text, with its parts filled in."""

    def ngettext(self, one: str, many: str, count: int, /, **parts: object) -> str:
        """A text in the form that the number asks for; `%(num)s` is the number as it is written."""

    def number(self, value: float, /, digits: int = 0) -> str:
        """A number, with so many digits after the point."""

    def listed(self, parts: Sequence[str], /) -> str:
        """`a, b and c`."""


class English:
    """The language of the command line, of alerts, and of whatever else is not the page."""

    def gettext(self, text: str, /, **parts: object) -> str:
        """As it is."""
        return text % parts if parts else text

    def ngettext(self, one: str, many: str, count: int, /, **parts: object) -> str:
        """One, or any other number."""
        return (one if count == 1 else many) % {"num": self.number(count), **parts}

    def number(self, value: float, /, digits: int = 0) -> str:
        """`1,204`, `3.4`."""
        return f"{value:,.{digits}f}"

    def listed(self, parts: Sequence[str], /) -> str:
        """`a, b and c`."""
        return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


ENGLISH: Tongue = English()
