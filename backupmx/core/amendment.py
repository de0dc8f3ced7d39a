"""Changes of a domain in the configuration file, as values: what can be set, what is wished, what comes of it.

Knows: their form.
Does not know: the file, which keys there are, who asks.
"""

from enum import StrEnum

from msgspec import Struct


class Change(StrEnum):
    """What is done with a domain."""

    ADD = "add"
    SET = "set"
    REMOVE = "remove"


class Setting(Struct, frozen=True):
    """One key of a domain's table, its values as they are typed: lists with commas, nothing for none."""

    key: str
    own: str | None
    """What stands in the domain's table; None: nothing, so that the default holds."""
    default: str
    choices: tuple[str, ...] = ()
    """All possible values, where they are few."""
    by_hand: bool = False
    """Whether only somebody on the machine itself may set it: it names a file, or could lead a secret astray."""

    @property
    def holds(self) -> str:
        """The value that counts."""
        return self.default if self.own is None else self.own


class Sheet(Struct, frozen=True):
    """A domain as the configuration file has it now."""

    domain: str
    there: bool
    """Whether it is in the file."""
    applied: bool
    """Whether the running processes go by what the file says of it."""
    settings: tuple[Setting, ...]
    """Of a domain that is not there, what it could be given."""
    digest: str
    """Of the whole file: a change that is made from another state of it is refused."""
    hindrance: str = ""
    """Why the server cannot change the file, if it cannot."""


class Outline(Struct, frozen=True):
    """What matters of a domain at a glance."""

    domain: str
    primary: tuple[str, ...]
    """None: by its MX records."""
    recipients: str
    """Who says who exists: `callout`, `list`, `any`."""


class Fault(Struct, frozen=True):
    """What is wrong with a change, or with an answer at set-up."""

    key: str
    """Which one; empty where it is no single one's fault."""
    said: str


class Amended(Struct, frozen=True):
    """What came of a wish: with faults nothing was changed."""

    difference: tuple[str, ...] = ()
    """Of the file, line by line as `diff -u` tells it; none: it said so already."""
    faults: tuple[Fault, ...] = ()
