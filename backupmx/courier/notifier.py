"""Writes to senders what became of their mail: failed, delayed, or passed on to a server that will not say so.

Knows: whom a notification may concern (core's rules), the wording of each domain, how to get at the original.
Does not know: when there is a reason to write, how a notification gets into the spool, and how it leaves.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from msgspec.structs import replace

from backupmx import languages
from backupmx.config import Settings
from backupmx.core import judge, notation, notice
from backupmx.core.ids import MessageId
from backupmx.core.message import NOTICES, NULL_SENDER, Client, Envelope, Kind, Message, Notice, Recipient
from backupmx.core.notice import Fared
from backupmx.core.outcome import Delivered, Failed, Outcome, Reply
from backupmx.errors import MessageDamaged

Content = Callable[[MessageId], Iterator[bytes]]


class Notifier:
    """All that it writes is returned, and nothing is kept."""

    def __init__(self, settings: Settings, content: Content, new_id: Callable[[], MessageId]) -> None:
        """`content` reads an original, `new_id` names what is written."""
        self._hostname = settings.hostname
        self._domains = settings.domains
        self._language = settings.defaults.language
        self._content = content
        self._new_id = new_id

    def settled(self, message: Message, domain: str, outcomes: Mapping[str, Outcome], now: datetime) -> tuple[Notice, ...]:
        """What an attempt is the reason for."""
        kinds: dict[Kind, list[str]] = {}
        for address, outcome in outcomes.items():
            if (kind := _kind(outcome)) is not None:
                kinds.setdefault(kind, []).append(address)
        written = []
        for kind, addresses in kinds.items():
            people = notice.concerned(kind, message.envelope, addresses)
            fared = [Fared(each, outcomes[each.address].reply, outcomes[each.address].host, now) for each in people]
            if fared:
                written.append(self._write(kind, message, domain, fared, now))
        return tuple(written)

    def expired(self, message: Message, domain: str, now: datetime) -> tuple[Notice, ...]:
        """The holding window of a domain's pending recipients is over."""
        people = notice.concerned(Kind.FAILED, message.envelope, message.pending(domain))
        fared = [_late(message, each, now) for each in people]
        return (self._write(Kind.FAILED, message, domain, fared, now),) if fared else ()

    def delayed(self, message: Message, domain: str, now: datetime, until: datetime) -> tuple[Notice, ...]:
        """A domain's pending recipients have waited for a while, and will be tried until then."""
        unasked = self._domains[domain].delay_warning
        people = notice.concerned(Kind.DELAYED, message.envelope, message.pending(domain), warn_unasked=unasked)
        if not people or notice.automatic(self._head(message)):
            return ()
        return (self._write(Kind.DELAYED, message, domain, [_waits(message, each) for each in people], now, until),)

    def bounced(self, message: Message, addresses: tuple[str, ...], why: str, now: datetime) -> Notice | None:
        """An admin sends a message back; None unless its sender may be told of each of these recipients (I3)."""
        people = notice.concerned(Kind.FAILED, message.envelope, addresses)
        if not people or len(people) != len(addresses):
            return None
        reply = Reply(554, f"5.7.1 returned by the administrator{': ' if why else ''}{why}")
        fared = [Fared(each, reply, "", now) for each in people]
        return self._write(Kind.FAILED, message, people[0].domain, fared, now)

    def _write(
        self, kind: Kind, message: Message, domain: str, fared: list[Fared], now: datetime, until: datetime | None = None
    ) -> Notice:
        id = self._new_id()
        message = replace(message, envelope=replace(message.envelope, sender=_with_a_labels(message.envelope.sender)))
        whole = notice.wants_whole(kind, message)
        original = self._whole(message) if whole else self._head(message)
        words = languages.words(self._domains[domain].language if domain in self._domains else self._language)
        content = notice.compose(
            kind, message, fared, original, id=id, hostname=self._hostname, now=now, until=until, words=words
        )
        about = tuple(each.recipient.address for each in fared)
        return Notice(id, kind, about, self._envelope(message.envelope, content), content)

    def _envelope(self, original: Envelope, content: bytes) -> Envelope:
        """From nobody, so that nothing is ever written about it (RFC 5321 section 4.5.5)."""
        domain = original.sender.rpartition("@")[2]
        return Envelope(
            sender=NULL_SENDER,
            recipients=(Recipient(original.sender, domain if domain in self._domains else NOTICES, notify="NEVER"),),
            client=Client("127.0.0.1", self._hostname),
            eight_bit=not content.isascii(),
            smtputf8=not original.sender.isascii(),
            requires_tls=original.requires_tls,
        )

    def _head(self, message: Message) -> bytes:
        """The original's header; what cannot be read is left out."""
        try:
            return notice.head(next(self._content(message.id), b""))
        except MessageDamaged:
            return b""

    def _whole(self, message: Message) -> bytes:
        try:
            return b"".join(self._content(message.id))
        except MessageDamaged:
            return b""


def _with_a_labels(sender: str) -> str:
    """As DNS and our configuration know its domain; and any server may be asked to take it then (RFC 6531 section 3.2)."""
    local, _, domain = sender.rpartition("@")
    with suppress(ValueError):
        domain = notation.domain(domain)
    return f"{local}@{domain}"


def _kind(outcome: Outcome) -> Kind | None:
    if isinstance(outcome, Failed):
        return Kind.FAILED
    if isinstance(outcome, Delivered) and outcome.last:
        return Kind.DELIVERED
    return Kind.RELAYED if isinstance(outcome, Delivered) and not outcome.reports else None


def _late(message: Message, recipient: Recipient, now: datetime) -> Fared:
    """With the last that was heard of it."""
    known = message.progress.get(recipient.address)
    reply = judge.WINDOW_OVER
    if known:
        reply = Reply(reply.code, f"{reply.text}; last: {known.said}")
    return Fared(recipient, reply, "", known.at if known else now)


def _waits(message: Message, recipient: Recipient) -> Fared:
    known = message.progress.get(recipient.address)
    if known is None:
        return Fared(recipient, judge.AWAY, "", message.arrived)
    code, _, text = known.said.partition(" ")
    reply = Reply(int(code), text) if code.isdecimal() and len(code) == 3 else judge.AWAY
    return Fared(recipient, reply, known.host, known.at)
