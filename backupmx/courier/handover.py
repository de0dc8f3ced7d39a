"""One transaction with a primary while the client is still there: its recipients are asked, its content streams through.

Knows: the dialogue of RFC 5321 section 3.3, step by step as the client takes them.
Does not know: the client, what its primary's word means, and how connections are made.

Whatever breaks, stalls, or is out of step ends it: from then on it has no word to say, and the message is ours to keep (I1, I9).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiosmtplib.errors import SMTPException, SMTPResponseException

from backupmx.core import wire
from backupmx.core.message import Envelope, Recipient
from backupmx.core.outcome import Reply
from backupmx.courier import commands
from backupmx.courier.alarm import Handle, Timer
from backupmx.courier.client import Connection
from backupmx.courier.transaction import Patience
from backupmx.watch import log

IDLE_S = 60.0
"""How long a client may think between two commands with a connection of the primary's in its hands."""


@dataclass(frozen=True, slots=True)
class Way:
    """What a handover gets to work with."""

    route: str
    dial: Callable[[bool], Awaitable[Connection | None]]
    """A connection for this client; a fresh one when asked for it. None when nobody can be reached."""
    release: Callable[[Connection | None, bool], None]
    """Called once: the connection, and whether a transaction is open on it still; None when it is gone."""
    heard: Callable[[Reply | None], None]
    """Told each word of the primary; None when the line broke."""
    patience: Patience
    timer: Timer


class Handover:
    """See `ports.Handover`."""

    def __init__(self, way: Way, envelope: Envelope, size: int) -> None:
        self.route = way.route
        self.host = ""
        self.tls: str | None = None
        self.client = envelope.client.address
        self._way = way
        self._envelope = envelope
        self._size = size
        self._connection: Connection | None = None
        self._over = False
        self._asking = False
        """Whether a reply to MAIL or RCPT is due."""
        self._refused: Reply | None = None
        """What was said to MAIL or DATA, if that was a no."""
        self._opened = False
        self._refusals = 0
        """Recipients that were."""
        self._stuffer: wire.Stuffer | None = None
        self._idle: Handle | None = None

    @property
    def alive(self) -> bool:
        """See `ports.Handover`."""
        return not self._over

    @property
    def refuses_sender(self) -> bool:
        """See `ports.Handover`."""
        return self._refused is not None

    async def recipient(self, recipient: Recipient) -> Reply | None:
        """See `ports.Handover`."""
        if self._over:
            return None
        reply = None
        self._busy()
        self._asking = True
        try:
            reply = self._refused or await self._ask(recipient)
        except _STALLED:
            self._break()
        except Exception as error:  # noqa: BLE001 - a bug here may cost the primary's word, not the message (I9)
            log.trouble("handover", error)
            self._break()
        finally:
            self._asking = False
        if reply is None or self._over:
            return None
        self._refusals += reply.code >= 400
        self._way.heard(reply)
        self._wait()
        return reply

    async def _ask(self, recipient: Recipient) -> Reply | None:
        if self._opened:
            return await self._rcpt(recipient)
        for fresh in (False, True):
            connection = await self._way.dial(fresh)
            if connection is None or self._over:
                self._end(None)
                if connection is not None:
                    connection.abort()  # whoever it was for is gone meanwhile
                return None
            self._connection = connection
            self.host, self.tls = connection.peer.host, connection.peer.tls
            reused = connection.carried > 0
            try:
                return await self._open(connection, recipient)
            except _STALLED:
                connection.abort()
                # one that was idle for too long is dead before it says a word
                if not reused or fresh or self._over:
                    raise
        return None

    async def _open(self, connection: Connection, recipient: Recipient) -> Reply | None:
        """MAIL, with the first RCPT sent ahead where that is allowed."""
        connection.carried += 1
        if "xclient" in connection.peer.offers:
            try:
                await connection.speak_for(self._envelope.client)
            except SMTPResponseException:
                # said to this client, whatever it is: no word about the primary's health
                self._abort()
                return None
        peer, line = connection.peer, connection.line
        if commands.obstacle(self._envelope, recipient, peer):
            self._end(connection)
            return None
        mail = commands.mail(self._envelope, self._size, (recipient,), peer)
        ahead = "pipelining" in peer.offers
        line.send(mail + commands.rcpt(recipient, peer) if ahead else mail, replies=2 if ahead else 1)
        said = await self._reply(connection)
        if said.positive:
            self._opened = True
            return await self._rcpt(recipient, sent=ahead)
        if ahead:
            await self._skip(connection)
        self._refused = said
        return said

    async def _skip(self, connection: Connection) -> None:
        """The reply to the recipient of a transaction that is none: mostly 503, and nobody's concern."""
        try:
            await connection.line.reply(self._way.patience.command)
        except _STALLED:
            connection.abort()

    async def _rcpt(self, recipient: Recipient, *, sent: bool = False) -> Reply | None:
        assert self._connection is not None
        if not sent:
            if commands.obstacle(self._envelope, recipient, self._connection.peer):
                self.abandon()
                return None
            self._connection.line.send(commands.rcpt(recipient, self._connection.peer))
        return await self._reply(self._connection)

    async def _reply(self, connection: Connection, within: float | None = None) -> Reply:
        reply = await connection.line.reply(within or self._way.patience.command)
        # 421: it closes; 503 and 3xx: it is out of step
        if reply.code == 421 and self._refusals:
            self._abort()  # it has enough of this client, and says so
        if reply.code in (421, 503) or reply.code // 100 not in (2, 4, 5):
            raise ConnectionError(str(reply))
        return reply

    # Content

    async def write(self, content: bytes) -> None:
        """See `ports.Handover`."""
        if self._over or self._refused:
            return
        try:
            self._busy()
            await self._begin()
            if self._stuffer is not None and self._connection is not None:
                self._connection.line.write(self._stuffer.feed(content))
                await self._connection.line.flush(self._way.patience.block)
            self._wait()
        except _STALLED:
            self._break()
        except Exception as error:  # noqa: BLE001 - as above
            log.trouble("handover", error)
            self._break()

    async def _begin(self) -> None:
        """DATA, when the first content comes."""
        if self._stuffer is not None:
            return
        assert self._connection is not None
        self._connection.line.send(b"DATA\r\n")
        reply = await self._connection.line.reply(self._way.patience.data)
        if reply.code == 354:
            self._stuffer = wire.Stuffer()
            # the reply may come before the dot: it is kept until it is asked for
            self._connection.line.expect()
        elif reply.code // 100 in (4, 5) and reply.code not in (421, 503):
            self._refused = reply
        else:
            raise ConnectionError(str(reply))

    async def finish(self) -> Reply | None:
        """See `ports.Handover`."""
        await self.write(b"")
        reply = self._refused or await self._end_of_content()
        if reply is not None:
            self._way.heard(reply)
            self._leave()
        return reply

    async def _end_of_content(self) -> Reply | None:
        connection = self._connection
        if self._over or connection is None or self._stuffer is None:
            return None
        self._busy()
        try:
            if connection.line.answered:
                reply = await self._early(connection)
            else:
                connection.line.write(self._stuffer.end())
                reply = await self._reply(connection, self._way.patience.dot)
        except _STALLED:
            self._break()
            return None
        except Exception as error:  # noqa: BLE001 - as above
            log.trouble("handover", error)
            self._break()
            return None
        self._opened = False
        return reply

    async def _early(self, connection: Connection) -> Reply:
        """A no before the dot is one. A yes before the dot answers something else: nobody has the message then."""
        reply = await self._reply(connection)
        connection.abort()
        if reply.positive:
            raise ConnectionError("a reply before the dot")
        return reply

    # The end

    def abandon(self) -> None:
        """See `ports.Handover`."""
        if self._over:
            return
        if self._asking or self._stuffer is not None:
            # a reply that still comes would be taken for the next client's; and there is no other way to take content back
            self._abort()
        else:
            self._leave()

    def cut(self) -> None:
        """End it now, wherever it is: who waits for the primary's word gets none."""
        if not self._over:
            self._abort()

    def _leave(self) -> None:
        """Give the connection back."""
        self._end(self._connection)

    def _break(self) -> None:
        # once it is over, it was we who cut the line
        if not self._over:
            self._way.heard(None)
            self._abort()

    def _abort(self) -> None:
        if self._connection is not None:
            self._connection.abort()
        self._end(None)

    def _end(self, connection: Connection | None) -> None:
        self._busy()
        if not self._over:
            self._over = True
            self._connection = None
            self._way.release(connection, self._opened)

    # A client that thinks

    def _busy(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _wait(self) -> None:
        if not self._over:
            self._idle = self._way.timer(IDLE_S, self.abandon)


_STALLED = (OSError, SMTPException, TimeoutError)
