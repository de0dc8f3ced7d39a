"""What a backup says of itself, ahead of everything that is in it.

Knows: the label's form, and how it is told to people.
Does not know: files, and how the rest of a backup is written.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from backupmx.core import words

FORM = 2
"""1 had no label, and no configuration in it."""


class Origin(Struct, frozen=True):
    """The configuration in a backup."""

    directory: str
    files: tuple[str, ...]
    """Names in that directory; the configuration file itself comes first."""
    left_out: tuple[str, ...]
    """Files that it names and that are not in the backup, for they are elsewhere on the machine."""
    domains: tuple[str, ...]


class BackupLabel(Struct, frozen=True, kw_only=True):
    """All that can be told before anything else is read."""

    form: int = FORM
    program: str
    """The version that wrote it."""
    taken: datetime
    layout: int
    """Of the spool's database, also of the recipients in it."""
    mail: bool
    origin: Origin | None = None
    messages: int = 0
    recipients: int = 0
    users: int = 0
    tokens: int = 0


def told(label: BackupLabel) -> Iterator[str]:
    """What is in a backup, line by line."""
    if label.origin:
        domains = label.origin.domains
        some = ", ".join(domains[:5]) + (", …" if len(domains) > 5 else "")
        yield f"configuration: {counted(len(domains), 'domain')} ({some}), files: {', '.join(label.origin.files)}"
    yield f"recipients: {label.recipients:,}; {counted(label.users, 'user')} and {counted(label.tokens, 'token')}"
    yield f"mail: {words.messages(label.messages)}" if label.mail else "mail: none"


def counted(number: int, what: str) -> str:
    """`1 user`, `1,200 users`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
