"""The book of the ledger campaign: what was accepted, what primaries took or refused, what senders were told.

It is kept outside of our code; whatever the spool says in the end is held against it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from backupmx.core.books import Line
from backupmx.core.ids import MessageId
from backupmx.core.message import NOTICES, Fate, Message, State
from backupmx.core.queue import Filter

FAILED = re.compile(rb"(?m)^Final-Recipient: rfc822; (\S+)\r\nAction: failed\r\n")
ENDS = ("delivered", "returned", "held", "quarantined")
"""Where a pair may be when all is over."""


@dataclass(slots=True, eq=False)
class Copy:
    """What a primary took once."""

    heard: bool = False
    """Its client went on behind the reply, so that it has had it."""
    cut: bool = False
    """The courier ended before the spool knew of it."""


@dataclass(slots=True)
class Entry:
    """One accepted message."""

    id: MessageId
    content: bytes
    recipients: frozenset[str]
    proven: bool
    """Whether its sender may be told of it."""
    copies: defaultdict[str, list[Copy]] = field(default_factory=lambda: defaultdict(list))
    """By recipient."""
    refused: set[str] = field(default_factory=set)
    """For good, in a primary's own words, or because the window was over: recipients, or domains for all of theirs."""
    returned: set[str] = field(default_factory=set)
    """Of whom its sender was told."""


class Book:
    """By serial number, which sender and content of a message name."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.pairs = 0
        self.taken = 0
        """How often a primary took something."""
        self.faults: list[str] = []
        self._serials: dict[MessageId, int] = {}

    def accepted(self, id: MessageId, content: bytes, recipients: Iterable[str], *, proven: bool) -> None:
        """It has its `250`; its serial is the number of those before it."""
        entry = Entry(id, content, frozenset(recipients), proven)
        self._serials[id] = len(self.entries)
        self.entries.append(entry)
        self.pairs += len(entry.recipients)

    def took(self, serial: int, recipients: Iterable[str], content: bytes) -> Copy:
        """A primary took it, and may say so."""
        copy, entry = Copy(), self.entries[serial]
        self.taken += 1
        if content != entry.content:
            self.faults.append(f"message {serial} came with another content: {content[:100]!r}")
        for address in recipients:
            if address not in entry.recipients:
                self.faults.append(f"message {serial} came for a stranger: {address}")
            entry.copies[address].append(copy)
        return copy

    def refused(self, serial: int, whom: Iterable[str]) -> None:
        """A primary said 5xx."""
        self.entries[serial].refused.update(whom)

    def expired(self, id: MessageId, domain: str) -> None:
        """Its window was over."""
        if id in self._serials:
            self.entries[self._serials[id]].refused.add(domain)

    def told(self, sender: str, content: bytes) -> None:
        """A notification came to a sender, or is on its way."""
        serial = int(sender.removeprefix("s").partition("@")[0])
        entry, of = self.entries[serial], {address.decode() for address in FAILED.findall(content)}
        if not of or not of <= entry.recipients or not entry.proven:
            self.faults.append(f"the sender of message {serial} was told of {of} (I3)")
        entry.returned |= of

    def cut(self, spool: Any, in_flight: Collection[MessageId]) -> None:
        """The courier has just ended: of what was in flight, what is pending and yet was taken will come twice."""
        for id in in_flight:
            message = spool.get(id)
            if message is None or id not in self._serials:
                continue
            for address in message.pending():
                for copy in self.entries[self._serials[id]].copies.get(address, ()):
                    copy.cut = True

    def balance(self, spool: Any) -> Counter[str]:
        """Where each pair is; whatever is wrong becomes a fault."""
        for notice in _notices(spool):
            self.told(notice.envelope.recipients[0].address, b"".join(spool.content(notice.id)))
        ends = Counter[str]()
        for serial, entry in enumerate(self.entries):
            message = spool.get(entry.id)
            for address in entry.recipients:
                end = _end(entry, message, address)
                ends[end] += 1
                if why := _wrong(entry, address, end):
                    self.faults.append(f"message {serial} for {address}, {end}: {why}")
        self._compare(spool, ends)
        return ends

    def _compare(self, spool: Any, ends: Counter[str]) -> None:
        """The spool keeps books of its own (I11)."""
        lines = [line for domain, days in spool.books(0).items() if domain != NOTICES for line in days.values()]
        sum_ = sum(lines, Line())
        theirs = {end: getattr(sum_, end) for end in ("accepted", *ENDS)}
        if theirs != {"accepted": self.pairs} | {end: ends[end] for end in ENDS} or sum_.difference:
            self.faults.append(f"the spool's own books say something else: {theirs}, not {dict(ends)}")


def _notices(spool: Any) -> list[Message]:
    found: list[Message] = []
    after = None
    while True:
        page = spool.page(Filter(domain=NOTICES), after, 200)
        found += page.messages
        after = page.after
        if after is None:
            return found


def _end(entry: Entry, message: Message | None, address: str) -> str:
    if message is None:
        return "returned" if address in entry.returned else "delivered"
    fate = message.fate(address)
    return str(fate if fate is not Fate.PENDING else message.state())


def _wrong(entry: Entry, address: str, end: str) -> str:
    """Why this end cannot be, or nothing."""
    copies = entry.copies.get(address, ())
    certain = [copy for copy in copies if copy.heard and not copy.cut]
    if (end == "returned") != (address in entry.returned):
        return "its sender was told something else"
    if end == "delivered":
        if not copies:
            return "nobody took it"
        # the last one is the one that counted; each before it has to have an excuse (I1)
        return "it came twice" if certain not in ([], [copies[-1]]) else ""
    if certain:
        return "somebody took it, and said so"
    if end in ("quarantined", "returned"):
        # our own trouble never leads there (I9)
        return "" if entry.refused & {address, address.rpartition("@")[2]} else "nobody refused it"
    return "" if end == State.HELD else "it should not be there any more"
