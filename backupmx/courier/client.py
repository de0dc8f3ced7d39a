"""The SMTP client: connects, greets, upgrades to TLS, carries out transactions, takes its leave.

Knows: the session of RFC 5321 section 3.1 to 3.2, RFC 3207 and RFC 8314, on aiosmtplib's protocol; what follows when a demand
is not met: nothing is said any more, and never anything in plain text.
Does not know: routes, leases, and how many connections there are.
"""

import asyncio
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from aiosmtplib.errors import SMTPException, SMTPResponseException

from backupmx.core import judge, xclient
from backupmx.core.judge import Place
from backupmx.core.message import Client
from backupmx.core.notation import Dialect
from backupmx.core.outcome import Delivered, Reply
from backupmx.core.security import Demand, Encrypted, Opportunistic, Trial, Unsatisfied, certain
from backupmx.courier import chunks, identity
from backupmx.courier.chunks import ChunkTransaction, Impostors
from backupmx.courier.commands import Peer
from backupmx.courier.data import DataTransaction
from backupmx.courier.greeting import NotLetIn, authenticate, greeting, hello
from backupmx.courier.line import Line
from backupmx.courier.routes import Address
from backupmx.courier.transaction import Parcel, Patience, Report
from backupmx.watch import log

MESSAGES_PER_CONNECTION = 100
ERRORS_PER_CONNECTION = 8
"""Without a delivery after them: from the tenth on Postfix answers one command a second, and at the twentieth it hangs up."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nobody took the connection; who was tried last, and what it said, or what went wrong."""

    host: str
    why: str

    def __str__(self) -> str:
        return f"{self.host}: {self.why}" if self.host else self.why


class _NoTls(Unsatisfied):
    """There is no TLS where it was demanded, or tried; this connection is lost with it."""


class Connection:
    """A session that was greeted and may carry transactions, one after the other."""

    def __init__(self, line: Line, peer: Peer, patience: Patience, impostors: Impostors) -> None:
        self.line = line
        self._impostors = impostors
        self._patience = patience
        self.peer = peer
        self.carried = 0
        """Transactions so far."""
        self._errors = 0
        """What the peer said no to since it took a message."""
        self._introduced = False
        """Whether the peer takes us for somebody else."""

    @property
    def usable(self) -> bool:
        """Whether another transaction may begin, of whatever client."""
        fresh = self.carried < MESSAGES_PER_CONNECTION and self._errors < ERRORS_PER_CONNECTION
        return not self._introduced and self.line.is_connected and fresh

    async def carry(self, parcel: Parcel, content: Iterator[bytes]) -> Report:
        """One transaction. Raises MessageDamaged when the content is; the primary then has not got the message."""
        self.carried += 1
        kind = ChunkTransaction if chunks.offered(self.peer) else DataTransaction
        report = await kind(self.line, self.peer, self._patience, parcel).run(content)
        if report.no_chunks:
            self._impostors.unmask(self.peer.host)
        if any(isinstance(outcome, Delivered) for outcome in report.outcomes.values()):
            self._errors = 0
        else:
            self._errors += len(report.outcomes) + 1  # DATA has come to nothing as well
        return report

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
        offers = await hello(self.line, xclient.helo(client).encode("ascii"), self._patience.command)
        self.peer = replace(self.peer, offers=offers)


class _Tls(NamedTuple):
    """TLS that is on."""

    words: str
    """Protocol, cipher, and how it is known who is at the other end."""
    proof: str


class Dialler:
    """Makes connections that are what is demanded of them."""

    def __init__(self, hostname: str, patience: Patience) -> None:
        self._hostname = hostname.encode("ascii")
        self._patience = patience
        # reading the authorities' certificates takes a while; a reload begins anew
        self._context = lru_cache(maxsize=100)(identity.context)
        self._impostors = Impostors()

    async def dial(self, addresses: Sequence[Address]) -> Connection | Unreachable:
        """The first of the addresses that greets us and is what is demanded of it, in this order."""
        failed = Unreachable("", "no address to connect to")
        unsatisfied: Unreachable | None = None
        for address in addresses:
            try:
                return await self._call(address)
            except (Unsatisfied, NotLetIn) as error:
                unsatisfied = unsatisfied or Unreachable(str(address), str(error))
            except (OSError, SMTPException) as error:
                failed = Unreachable(str(address), _told(error))
        # somebody has to act on that; that another address does not answer may pass
        return unsatisfied or failed

    def forget(self, addresses: Sequence[Address]) -> None:
        """Whoever answers there next may be another."""
        for address in addresses:
            self._impostors.forget(str(address))

    async def _call(self, address: Address) -> Connection:
        """Raises Unsatisfied, OSError and SMTPException."""
        demand = address.demand
        if isinstance(demand, Opportunistic) and address.credentials:
            demand = Encrypted()  # a password is for nobody else's ears
        if isinstance(demand, Trial):
            try:
                return await self._session(address, demand.demand)
            except Unsatisfied as error:
                log.tls_not_met(str(address), str(error))
                demand = Encrypted() if address.credentials else Opportunistic()
        if isinstance(demand, Opportunistic) and address.dialect is not Dialect.SMTPS:
            try:
                return await self._session(address, demand)
            except _NoTls as error:
                log.tls_given_up(str(address), str(error))
                return await self._session(address, None)
        return await self._session(address, demand)

    async def _session(self, address: Address, demand: Demand | None) -> Connection:
        """Connect, greet, and make sure of TLS; without a demand in plain text. Raises Unsatisfied, OSError, SMTPException."""
        within = self._patience.command
        implicit = address.dialect is Dialect.SMTPS and demand is not None
        line = await self._connect(address, demand if implicit else None)
        try:
            # nothing is said to a server that is not the right one
            tls = self._proven(line, demand) if implicit and demand else None
            await greeting(line, within)
            offers = await hello(line, self._hostname, within, address.dialect)
            if demand and not implicit and await self._start_tls(line, address, demand, offers):
                tls = self._proven(line, demand)
                try:
                    offers = await hello(line, self._hostname, within, address.dialect)
                except (OSError, SMTPException) as error:
                    raise _NoTls(f"after STARTTLS: {_told(error)}") from error
            if address.credentials:
                assert tls  # demanded above
                await authenticate(line, offers, address.credentials, within)
        except BaseException:
            line.abort()
            raise
        offers = self._impostors.meant(str(address), offers)
        peer = Peer(str(address), None, offers, dialect=address.dialect)
        if tls:
            peer = replace(peer, tls=tls.words, proof=tls.proof, certain=certain(demand))
        return Connection(line, peer, self._patience, self._impostors)

    async def _connect(self, address: Address, demand: Demand | None) -> Line:
        """With TLS from the beginning if there is a demand. Raises Unsatisfied, OSError."""
        loop = asyncio.get_running_loop()
        context = self._context(identity.believed(demand)) if demand else None
        name = identity.server_name(demand, address.host) if demand else None
        try:
            async with asyncio.timeout(self._patience.connect):
                _, line = await loop.create_connection(Line, address.ip, address.port, ssl=context, server_hostname=name)
        except ssl.SSLError as error:
            raise Unsatisfied(_of_tls(error)) from error
        return line

    async def _start_tls(self, line: Line, address: Address, demand: Demand, offers: frozenset[str]) -> bool:
        """STARTTLS; whether it is on. Raises Unsatisfied; _NoTls when the connection broke over it."""
        # where TLS is demanded, a server that does not offer it may have been kept from it (RFC 3207 section 6)
        optional = isinstance(demand, Opportunistic)
        if "starttls" not in offers:
            if optional:
                return False
            raise _NoTls("TLS is demanded, and it does not offer STARTTLS")
        name = identity.server_name(demand, address.host)
        try:
            await line.start_tls(self._context(identity.believed(demand)), server_hostname=name, timeout=self._patience.command)
        except SMTPResponseException as error:
            said = f"STARTTLS: {_told(error)}"
            if optional and error.code >= 400 and error.code != 421:
                log.tls_given_up(str(address), said)
                return False  # refused in words: the session goes on as it is
            raise _NoTls(said) from error
        except ssl.SSLError as error:
            raise _NoTls(_of_tls(error)) from error
        except (OSError, SMTPException) as error:
            raise _NoTls(f"STARTTLS: {_told(error)}") from error
        return True

    def _proven(self, line: Line, demand: Demand) -> _Tls:
        """What TLS there is. Raises Unsatisfied."""
        assert line.transport
        cipher = line.transport.get_extra_info("cipher")
        proof = identity.proof(line.transport.get_extra_info("ssl_object"), demand)
        return _Tls(" ".join(filter(None, (cipher[1], cipher[0], proof))), proof)


def _of_tls(error: ssl.SSLError) -> str:
    """Why a handshake failed, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {error.verify_message.rstrip('.')}"
    return f"the TLS handshake failed: {(error.reason or 'no reason given').replace('_', ' ').lower()}"


def _told(error: Exception) -> str:
    """Trouble with a connection, in words."""
    if isinstance(error, SMTPResponseException):
        return str(judge.reply(error.code, error.message)) if error.code > 0 else "what came is no reply"
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    number = getattr(error, "errno", None)
    if number:
        return os.strerror(number).lower()
    return judge.silence(Place.CONNECTION, timed_out=isinstance(error, TimeoutError)).text.partition(" ")[2]
