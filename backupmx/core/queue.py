"""What can be asked of the queue, and the form of the answers.

Knows: counts, filters, pages.
Does not know: how a store answers them.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from backupmx.core.ids import MessageId
from backupmx.core.message import Message, State


class Count(Struct, frozen=True):
    """Messages and octets in one state, and the oldest arrival among them."""

    messages: int = 0
    bytes: int = 0
    oldest: datetime | None = None


class Census(Struct, frozen=True):
    """The queue's counts at one moment, all from one transaction.

    `waiting` holds leased messages too. A message with recipients in two domains counts once in `total`, and once for each
    of its domains.
    """

    total: Mapping[State, Count]
    domains: Mapping[str, Mapping[State, Count]]


class Filter(Struct, frozen=True):
    """Which messages are meant; every part that is set must match."""

    domain: str | None = None
    sender: str | None = None
    """Whole address or part of it, compared without case."""
    recipient: str | None = None
    """Whole address or part of it, compared without case."""
    state: State | None = None
    before: datetime | None = None
    """Arrived before this moment."""
    subject: str | None = None
    """Whole subject or part of it, as a person reads it, compared without case."""


class Page(Struct, frozen=True):
    """Some messages, newest first, and where the next page begins."""

    messages: tuple[Message, ...]
    after: MessageId | None
    """Hand this back for the next page; None when there is no more."""


class SpoolStats(Struct, frozen=True):
    """How full the store is, in octets."""

    layout: int
    map_size: int
    map_used: int
    file_size: int
    disk_free: int
    reserve: int
    room: int
    """What may still be accepted before `452 4.3.1`."""
    unfinished: int
    """Messages that are coming in at this moment."""
