"""The roll of recipients, as values: lists that were handed to us, and what a person sees of one address.

Knows: their form.
Does not know: where they are kept, and how long what was learned is believed (`belief`).
"""

from msgspec import Struct

from backupmx.core.belief import Learned

MOST_LOST = 0.1
"""The part of a list that a new one may lack without anybody's approval."""


class Adopted(Struct, frozen=True):
    """One list."""

    number: int
    entries: int
    lost: int = 0
    """Entries of the list before it that it has not."""


class Lists(Struct, frozen=True, omit_defaults=True):
    """The lists of one domain in the spool: today's, and one that waits for approval."""

    last: int = 0
    """The number of the list that came last, adopted or not."""
    adopted: Adopted | None = None
    waiting: Adopted | None = None


class Entry(Struct, frozen=True):
    """All that is kept of one address."""

    local: str
    """`*` is everybody of the domain, by a list; the empty one is everybody, by the primary's own word."""
    learned: Learned | None
    listed: bool
