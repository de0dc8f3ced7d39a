"""A transaction whose content goes after DATA, with the dots doubled, and ended by one.

Knows: RFC 5321 section 4.1.1.4, RFC 2920 section 3.1, and the replies of LMTP (RFC 2033 section 4.2).
Does not know: where the content comes from.
"""

from collections.abc import Iterator

from backupmx.core import wire
from backupmx.core.judge import Place
from backupmx.courier.line import Malformed
from backupmx.courier.transaction import Transaction


class DataTransaction(Transaction):
    """What every server understands."""

    async def _carry_out(self, content: Iterator[bytes]) -> None:
        all_refused = await self._envelope(b"DATA\r\n")
        if self._accepted or self._ahead:
            await self._data(all_refused)
        if self._accepted:
            await self._content(content)
        else:
            await self._reset()

    async def _data(self, all_refused: bool) -> None:
        """Whether the primary waits for the content: if it does not, nobody is `_accepted` any more."""
        reply = await self._ask(Place.DATA, b"DATA\r\n")
        if reply.code != 354:
            self._judge(self._accepted, reply)
            self._accepted = []
        elif not self._accepted:
            # it waits for content that nobody is to get (RFC 2920 section 3.1); had it taken anybody, that would be empty mail
            if not all_refused or self._lmtp:
                raise Malformed("out of step")
            self._line.send(b".\r\n")
            await self._answer()

    async def _content(self, content: Iterator[bytes]) -> None:
        # the reply may come before the dot: it is kept until it is asked for
        self._line.expect(len(self._accepted) if self._lmtp else 1)
        before = b""
        for piece in wire.data(content):
            if before:
                self._line.write(before)
                await self._flush()
            before = piece
        if self._line.answered:
            await self._early()
            return
        self._line.write(before)
        self._complete = True
        await self._flush()
        self._place = Place.DOT
        # with LMTP one for each recipient, in the order in which they were taken (RFC 2033 section 4.2)
        for addresses in [[each] for each in self._accepted] if self._lmtp else [self._accepted]:
            self._judge(addresses, await self._answer())

    async def _early(self) -> None:
        """A no before the dot is one: the primary has heard enough. A yes answers something else: nobody has the message."""
        reply = await self._answer()
        if reply.positive or self._lmtp:
            raise Malformed("a reply too many")
        self._place = Place.DOT
        self._judge(self._accepted, reply)
        self._line.abort()
