"""The SMTP client: connects, greets, upgrades to TLS, carries out transactions, takes its leave.

Knows: the session of RFC 5321 section 3.1 to 3.2 and RFC 3207, on aiosmtplib's protocol.
Does not know: routes, leases, and how many connections there are.
"""

import asyncio
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiosmtplib.errors import SMTPException, SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.response import SMTPResponse

from backupmx.core import judge
from backupmx.core.judge import Place
from backupmx.courier.line import Line
from backupmx.courier.routes import Address
from backupmx.courier.transaction import Parcel, Patience, Peer, Report, Transaction

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
        self._line = line
        self._patience = patience
        self.peer = peer
        self.carried = 0
        """Transactions so far."""

    @property
    def usable(self) -> bool:
        """Whether another transaction may begin."""
        return self._line.is_connected and self.carried < MESSAGES_PER_CONNECTION

    async def carry(self, parcel: Parcel, content: Iterator[bytes]) -> Report:
        """One transaction. Raises MessageDamaged when the content is; the primary then has not got the message."""
        self.carried += 1
        return await Transaction(self._line, self.peer, self._patience, parcel).run(content)

    async def quit(self) -> None:
        """Take leave (RFC 5321 section 4.1.1.10); never fails."""
        try:
            self._line.send(b"QUIT\r\n")
            await self._line.reply(self._patience.quit)
        except (OSError, SMTPException):
            pass  # it is over either way
        finally:
            self._line.abort()

    def abort(self) -> None:
        """End it without a word."""
        self._line.abort()


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
            await self._positive(line, None)
            offers = await self._hello(line)
            tls = None
            if use_tls and "starttls" in offers and await self._secure(line, address):
                tls = _cipher(line)
                try:
                    offers = await self._hello(line)
                except (OSError, SMTPException) as error:
                    raise _NoTls from error
        except BaseException:
            line.abort()
            raise
        return Connection(line, Peer(str(address), tls, offers), self._patience)

    async def _hello(self, line: Line) -> frozenset[str]:
        """EHLO, or HELO for a server that does not know it; the extensions offered."""
        try:
            response = await self._positive(line, b"EHLO")
        except SMTPResponseException as error:
            if error.code // 100 != 5:
                raise
            await self._positive(line, b"HELO")
            return frozenset()
        return frozenset(parse_esmtp_extensions(response.message)[0])

    async def _positive(self, line: Line, verb: bytes | None) -> SMTPResponse:
        """The greeting, or the reply to EHLO or HELO; raises SMTPResponseException when it is not 2xx."""
        async with asyncio.timeout(self._patience.command):
            response = await (line.execute_command(verb, self._hostname) if verb else line.read_response())
        line.discard()
        if response.code // 100 != 2:
            raise SMTPResponseException(response.code, response.message)
        return response

    async def _secure(self, line: Line, address: Address) -> bool:
        """STARTTLS; whether it is on. Raises _NoTls when the connection broke over it."""
        name = address.host if address.host != address.ip else None
        try:
            await line.start_tls(self._tls, server_hostname=name, timeout=self._patience.command)
        except SMTPResponseException as error:
            if error.code < 400:
                raise _NoTls from error
            return False  # refused in words: the session goes on as it is
        except (OSError, SMTPException) as error:
            raise _NoTls from error
        return True


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
