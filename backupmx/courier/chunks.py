"""A transaction whose content goes in chunks that tell their length, after BDAT (RFC 3030).

Knows: what may be sent ahead, and what a primary may answer that offers BDAT and does not know it.
Does not know: where the content comes from.

A small message is one chunk, and goes with MAIL and RCPT: one round trip for all of it. A large one waits until it is known that
somebody wants it, and then goes on ahead of the replies, but not far.
"""

from collections.abc import Iterator

from backupmx.core import wire
from backupmx.core.judge import Place
from backupmx.core.notation import Dialect
from backupmx.core.outcome import Reply
from backupmx.courier.commands import Peer
from backupmx.courier.line import Malformed
from backupmx.courier.transaction import Transaction

OFFER = "chunking"
SMALL = 2**16
"""Octets of content that may be sent before anybody wants them."""
UNANSWERED = 4
"""Chunks that are on their way at a time."""
MOST_IMPOSTORS = 1000


def offered(peer: Peer) -> bool:
    """Whether content may go to this server in chunks; with LMTP it does not pay."""
    return OFFER in peer.offers and peer.dialect is not Dialect.LMTP


class Impostors:
    """Hosts that offer BDAT, and do not know it: they are not asked again while they stand."""

    def __init__(self) -> None:
        self._hosts: set[str] = set()

    def unmask(self, host: str) -> None:
        """It turned out to be one."""
        if len(self._hosts) >= MOST_IMPOSTORS:
            self._hosts.clear()
        self._hosts.add(host)

    def forget(self, host: str) -> None:
        """It may be another by now."""
        self._hosts.discard(host)

    def meant(self, host: str, offers: frozenset[str]) -> frozenset[str]:
        """What of its offers can be relied upon."""
        return offers - {OFFER} if host in self._hosts else offers


class ChunkTransaction(Transaction):
    """For a server that offers it."""

    async def _carry_out(self, content: Iterator[bytes]) -> None:
        if self._ahead and self._message.size <= SMALL:
            await self._at_once(b"".join(wire.text(content)))
            return
        await self._envelope()
        if self._accepted:
            await self._chunks(wire.text(content))
        else:
            await self._reset()

    async def _at_once(self, text: bytes) -> None:
        self._complete = True
        all_refused = await self._envelope(_bdat(text, last=True) + text)
        self._place = Place.DOT
        reply = await self._answer()
        if self._accepted:
            await self._said(reply)
            return
        # nobody was to get it: any no is right (RFC 3030 section 2), and says nothing of the message
        if reply.positive and not all_refused:
            raise Malformed("out of step")
        await self._reset()

    async def _chunks(self, pieces: Iterator[bytes]) -> None:
        unanswered = 0
        before: bytes | None = None
        self._place = Place.DATA
        for piece in pieces:
            if before is not None:
                await self._send(before)
                unanswered += 1
            # one that breaks off here sent no LAST: nobody has the message
            while unanswered >= (UNANSWERED if self._ahead else 1):
                if not await self._goes_on():
                    return
                unanswered -= 1
            before = piece
        assert before is not None
        await self._send(before, last=True)
        for _ in range(unanswered):
            if not await self._goes_on():
                return
        self._place = Place.DOT
        await self._said(await self._answer())

    async def _send(self, piece: bytes, *, last: bool = False) -> None:
        self._line.send(_bdat(piece, last=last))
        self._line.write(piece)
        self._complete = last
        await self._flush()

    async def _goes_on(self) -> bool:
        """The reply to a chunk that is not the last. After a no the chunks behind it are refused, too: the line ends."""
        reply = await self._answer()
        if reply.positive:
            return True
        self._place = Place.DOT
        self._hear(reply)
        self._line.abort()
        return False

    async def _said(self, reply: Reply) -> None:
        """The reply to the last chunk."""
        self._hear(reply)
        if self._no_chunks:
            self._line.abort()
        elif not reply.positive:
            await self._reset()  # until then the state is anybody's guess (RFC 3030 section 2)

    def _hear(self, reply: Reply) -> None:
        # 500 to 504 speak of the command, not of the message; a server that does not know it takes what follows for commands,
        # until the line ends
        if 500 <= reply.code <= 504:
            self._no_chunks = reply
        else:
            self._judge(self._accepted, reply)


def _bdat(piece: bytes, *, last: bool) -> bytes:
    return b"BDAT %d LAST\r\n" % len(piece) if last else b"BDAT %d\r\n" % len(piece)
