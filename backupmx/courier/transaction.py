"""One mail transaction: MAIL, RCPT, the content; one outcome for each recipient that the primary spoke of.

Knows: the dialogue of RFC 5321 section 3.3, sent ahead where the primary offers that (RFC 2920).
Does not know: how the content is sent, what a reply means (core's judge does), and what becomes of the outcomes.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backupmx.core import judge
from backupmx.core.judge import Place
from backupmx.core.message import Message
from backupmx.core.notation import Dialect
from backupmx.core.outcome import Deferred, Delivered, Failed, Outcome, Reply
from backupmx.courier import commands
from backupmx.courier.commands import Peer
from backupmx.courier.line import Line, Malformed

SLOWEST_OCTETS_PER_S = 2**14
"""What a primary may need for a large message after the dot, on top of the time for any message."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds we wait (RFC 5321 section 4.5.3.2)."""

    connect: float = 30
    command: float = 300
    """The greeting and any command but DATA."""
    data: float = 120
    block: float = 180
    """Until the primary takes the next part of the content."""
    dot: float = 600
    quit: float = 5


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one transaction carries."""

    message: Message
    recipients: Sequence[str]
    """At most a hundred of the message's."""
    time_left: float
    """Seconds until somebody else may carry it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one transaction."""

    outcomes: Mapping[str, Outcome]
    """By address; recipients that the primary said nothing final of are absent."""
    broken: Reply | None = None
    """Why the connection is of no more use."""
    stale: bool = False
    """It broke before the primary answered anything, as one that was idle for too long does."""
    no_chunks: bool = False
    """Since the primary offers BDAT, and does not know it: nobody has the message."""


class _Closing(Exception):
    """The primary said that it closes the connection (RFC 5321 section 3.8)."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


class Transaction(ABC):
    """One message and up to a hundred of its recipients, on one line."""

    def __init__(self, line: Line, peer: Peer, patience: Patience, parcel: Parcel) -> None:
        self._line = line
        self._peer = peer
        self._lmtp = peer.dialect is Dialect.LMTP
        self._patience = patience
        self._message = parcel.message
        self._ends = time.monotonic() + parcel.time_left
        self._ahead = "pipelining" in peer.offers
        self._outcomes: dict[str, Outcome] = {}
        self._whole = {recipient.address: recipient for recipient in self._message.envelope.recipients}
        self._recipients = [address for address in parcel.recipients if self._sendable(address)]
        self._accepted: list[str] = []
        self._place = Place.MAIL
        self._answered = False
        self._complete = False
        """Whether all of the message was sent: the primary may have it then, whatever was or was not answered."""
        self._no_chunks: Reply | None = None
        """What a primary says that does not know BDAT."""

    async def run(self, content: Iterator[bytes]) -> Report:
        """Carry it out. Raises MessageDamaged, with the connection ended before the message is complete, when the content is."""
        if not self._recipients:
            return Report(self._outcomes)
        try:
            await self._carry_out(content)
        except _Closing as closing:
            self._line.abort()
            return Report(self._outcomes, closing.reply)
        except TimeoutError:
            return self._silent(timed_out=True)
        except Malformed as error:
            trouble = Reply(451, f"4.5.0 {error}, at {self._place}")
            self._line.abort()
            self._settle(self._open(), Deferred, trouble)
            return Report(self._outcomes, trouble)
        except OSError:
            return self._silent(timed_out=False)
        except BaseException:
            self._line.abort()
            raise
        return Report(self._outcomes, self._no_chunks, no_chunks=self._no_chunks is not None)

    @abstractmethod
    async def _carry_out(self, content: Iterator[bytes]) -> None:
        """The dialogue, from MAIL to the end of the message or to RSET."""

    def _silent(self, timed_out: bool) -> Report:
        self._line.abort()
        place = Place.DOT if self._complete else self._place
        trouble = judge.silence(place, timed_out)
        if kind := judge.broken(place, timed_out):
            self._settle(self._open(), kind, trouble)
        return Report(self._outcomes, trouble, stale=not timed_out and not self._answered)

    async def _envelope(self, ahead: bytes = b"") -> bool:
        """MAIL and RCPT; where it is offered, all at once, and `ahead` behind them, whose one reply the caller reads.

        Returns whether each recipient was refused in so many words.
        """
        mail = commands.mail(
            self._message.envelope, self._message.size, [self._whole[each] for each in self._recipients], self._peer
        )
        recipients = {address: commands.rcpt(self._whole[address], self._peer) for address in self._recipients}
        if self._ahead:
            self._line.send(b"".join((mail, *recipients.values(), ahead)), replies=len(recipients) + (2 if ahead else 1))
        reply = await self._ask(Place.MAIL, mail)
        welcome = reply.positive
        if not welcome:
            self._judge(self._recipients, reply)
            if not self._ahead:
                return True
        refused = 0
        for address, command in recipients.items():
            reply = await self._ask(Place.RCPT, command)
            refused += reply.code // 100 in (4, 5)
            if welcome and reply.positive:
                self._accepted.append(address)
            elif welcome:
                self._judge((address,), reply)
        return refused == len(recipients)

    async def _reset(self) -> None:
        """Nothing was sent: start anew (RFC 5321 section 4.1.1.5)."""
        self._line.send(b"RSET\r\n")
        await self._answer()

    async def _ask(self, place: Place, command: bytes) -> Reply:
        self._place = place
        if not self._ahead:
            self._line.send(command)
        return await self._answer()

    async def _answer(self) -> Reply:
        reply = await self._line.reply(self._time())
        self._answered = True
        if reply.code == 421:
            raise _Closing(reply)
        return reply

    async def _flush(self) -> None:
        """Wait until the primary has taken most of what was written."""
        await self._line.flush(min(self._patience.block, self._ends - time.monotonic()))

    def _time(self) -> float:
        """Seconds for the next reply: as much as RFC 5321 gives, and never more than there are at all."""
        if self._complete or self._place is Place.DOT:
            seconds = self._patience.dot + self._message.size / SLOWEST_OCTETS_PER_S
        else:
            seconds = self._patience.data if self._place is Place.DATA else self._patience.command
        return min(seconds, self._ends - time.monotonic())

    def _sendable(self, address: str) -> bool:
        """Whether a command can carry the address; if not, its outcome is known without asking."""
        obstacle = commands.obstacle(self._message.envelope, self._whole[address], self._peer)
        if obstacle is not None:
            self._settle((address,), *obstacle)
        return obstacle is None

    def _open(self) -> list[str]:
        return [address for address in self._recipients if address not in self._outcomes]

    def _judge(self, addresses: Sequence[str], reply: Reply) -> None:
        kind = judge.judge(self._place, reply)
        if kind is Failed:
            asked = self._place is Place.RCPT
            for address in addresses:
                self._outcomes[address] = Failed(reply, self._peer.host, self._peer.tls, by_primary=True, of_recipient=asked)
        elif kind is Delivered:
            reports = "dsn" in self._peer.offers
            for address in addresses:
                self._outcomes[address] = Delivered(reply, self._peer.host, self._peer.tls, reports, last=self._lmtp)
        elif kind is Deferred:
            self._settle(addresses, Deferred, reply)

    def _settle(self, addresses: Sequence[str], kind: type[Deferred | Failed], reply: Reply) -> None:
        for address in addresses:
            self._outcomes[address] = kind(reply, self._peer.host, self._peer.tls)
