"""The SMTP client: connects, greets, upgrades to TLS, carries out transactions, takes its leave.

Knows: the session of RFC 5321 section 3.1 to 3.2 and RFC 3207, on aiosmtplib's protocol.
Does not know: routes, leases, and how many connections there are.
"""

import asyncio
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from aiosmtplib.errors import SMTPException, SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.response import SMTPResponse

from backupmx.core import judge, xclient
from backupmx.core.judge import Place
from backupmx.core.message import Client
from backupmx.core.outcome import Reply
from backupmx.courier.commands import Peer
from backupmx.courier.line import Line
from backupmx.courier.routes import Address
from backupmx.courier.transaction import Parcel, Patience, Report, Transaction

MESSAGES_PER_CONNECTION = 100


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nobody took the connection; who was tried last, and what it said, or what went wrong."""

    host: str
    why: str

    def __str__(self) -> str:
        return f"{self.host}: {self.why}" if self.host else self.why


class _NoTls(Exception):
    """STARTTLS was offered and came to nothing; this connection is lost with it."""


class Connection:
    """A session that was greeted and may carry transactions, one after the other."""

    def __init__(self, line: Line, peer: Peer, patience: Patience) -> None:
        self.line = line
        self._patience = patience
        self.peer = peer
        self.carried = 0
        """Transactions so far."""
        self._introduced = False
        """Whether the peer takes us for somebody else."""

    @property
    def usable(self) -> bool:
        """Whether another transaction may begin, of whatever client."""
        return not self._introduced and self.line.is_connected and self.carried < MESSAGES_PER_CONNECTION

    async def carry(self, parcel: Parcel, content: Iterator[bytes]) -> Report:
        """One transaction. Raises MessageDamaged when the content is; the primary then has not got the message."""
        self.carried += 1
        return await Transaction(self.line, self.peer, self._patience, parcel).run(content)

    async def quit(self) -> None:
        """Take leave (RFC 5321 section 4.1.1.10); never fails."""
        try:
            self.line.send(b"QUIT\r\n")
            await self.line.reply(self._patience.quit)
        except (OSError, SMTPException):
            pass  # it is over either way
        finally:
            self.line.abort()

    def abort(self) -> None:
        """End it without a word."""
        self.line.abort()

    async def verify(self, addresses: Sequence[str]) -> Sequence[Reply] | None:
        """What is said to recipients of a message from the null sender that never comes, one after the other.

        None when the null sender is refused or the line breaks: that tells nothing of the recipients.
        """
        self.carried += 1
        within = self._patience.command
        try:
            utf8 = not all(map(str.isascii, addresses))
            if utf8 and "smtputf8" not in self.peer.offers:
                return None
            self.line.send(b"MAIL FROM:<> SMTPUTF8\r\n" if utf8 else b"MAIL FROM:<>\r\n")
            if not (await self.line.reply(within)).positive:
                await self.reset()
                return None
            replies = []
            for address in addresses:
                self.line.send(f"RCPT TO:<{address}>\r\n".encode())
                reply = await self.line.reply(within)
                if reply.code == 421:
                    self.abort()
                    break
                replies.append(reply)
            await self.reset()
        except (OSError, SMTPException):
            self.abort()
            return None
        return replies or None

    async def reset(self) -> None:
        """End a transaction that is not to be carried out (RFC 5321 section 4.1.1.5); never fails."""
        if not self.line.is_connected:
            return
        try:
            self.line.send(b"RSET\r\n")
            await self.line.reply(self._patience.command)
        except (OSError, SMTPException):
            self.abort()

    async def speak_for(self, client: Client) -> None:
        """Tell a peer that trusts us who the client is (Postfix's XCLIENT), and greet it anew. Raises OSError, SMTPException.

        From then on the connection is that client's: Postfix would not believe it if it named another.
        """
        self.line.send(xclient.introduction(client))
        reply = await self.line.reply(self._patience.command)
        if reply.permanent:
            return  # offered, and not granted: then we speak for ourselves
        if not reply.positive:
            raise ConnectionError(str(reply))
        self._introduced = True
        offers = await hello(self.line, xclient.helo(client).encode("ascii"), self._patience)
        self.peer = replace(self.peer, offers=offers)


class Dialler:
    """Makes connections."""

    def __init__(self, hostname: str, patience: Patience) -> None:
        self._hostname = hostname.encode("ascii")
        self._patience = patience
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # opportunistic: without a policy that says which name to expect, any certificate is better than plain text
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    async def dial(self, addresses: Sequence[Address]) -> Connection | Unreachable:
        """The first of the addresses that greets us, in this order."""
        failed = Unreachable("", "no address to connect to")
        for address in addresses:
            try:
                try:
                    return await self._session(address, use_tls=True)
                except _NoTls:
                    return await self._session(address, use_tls=False)
            except (OSError, SMTPException) as error:
                failed = Unreachable(str(address), _told(error))
        return failed

    async def _session(self, address: Address, use_tls: bool) -> Connection:
        """Connect and greet. Raises _NoTls, OSError and SMTPException."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._patience.connect):
            _, line = await loop.create_connection(Line, address.ip, address.port)
        try:
            await _positive(line, None, b"", self._patience)
            offers = await hello(line, self._hostname, self._patience)
            tls = None
            if use_tls and "starttls" in offers and await self._secure(line, address):
                tls = _cipher(line)
                try:
                    offers = await hello(line, self._hostname, self._patience)
                except (OSError, SMTPException) as error:
                    raise _NoTls from error
        except BaseException:
            line.abort()
            raise
        return Connection(line, Peer(str(address), tls, offers), self._patience)

    async def _secure(self, line: Line, address: Address) -> bool:
        """STARTTLS; whether it is on. Raises _NoTls when the connection broke over it."""
        name = address.host if address.host != address.ip else None
        try:
            await line.start_tls(self._tls, server_hostname=name, timeout=self._patience.command)
        except SMTPResponseException as error:
            if error.code < 400 or error.code == 421:
                raise _NoTls from error
            return False  # refused in words: the session goes on as it is
        except (OSError, SMTPException) as error:
            raise _NoTls from error
        return True


async def hello(line: Line, name: bytes, patience: Patience) -> frozenset[str]:
    """EHLO, or HELO for a server that does not know it; the extensions offered. Raises OSError, SMTPException."""
    try:
        response = await _positive(line, b"EHLO", name, patience)
    except SMTPResponseException as error:
        if error.code // 100 != 5:
            raise
        await _positive(line, b"HELO", name, patience)
        return frozenset()
    return frozenset(parse_esmtp_extensions(response.message)[0])


async def _positive(line: Line, verb: bytes | None, name: bytes, patience: Patience) -> SMTPResponse:
    """The greeting, or the reply to EHLO or HELO; raises SMTPResponseException when it is not 2xx."""
    async with asyncio.timeout(patience.command):
        response = await (line.execute_command(verb, name) if verb else line.read_response())
    line.discard()
    if response.code // 100 != 2:
        raise SMTPResponseException(response.code, response.message)
    return response


def _cipher(line: Line) -> str | None:
    cipher = line.transport.get_extra_info("cipher") if line.transport else None
    return f"{cipher[1]} {cipher[0]}" if cipher else None


def _told(error: Exception) -> str:
    """Trouble with a connection, in words."""
    if isinstance(error, SMTPResponseException):
        return str(judge.reply(error.code, error.message)) if error.code > 0 else "what came is no reply"
    number = getattr(error, "errno", None)
    if number:
        return os.strerror(number).lower()
    return judge.silence(Place.CONNECTION, timed_out=isinstance(error, TimeoutError)).text.partition(" ")[2]
