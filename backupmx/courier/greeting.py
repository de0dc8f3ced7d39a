"""What is said before the first transaction: greeting, EHLO or LHLO, AUTH.

Knows: RFC 5321 section 3.2, RFC 2033 section 4.1, RFC 4954 (PLAIN and LOGIN).
Does not know: TLS, and what follows when a word is refused.
"""

import asyncio
import re
from pathlib import Path

from aiosmtplib.auth import auth_login_encode, auth_plain_encode
from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.response import SMTPResponse

from backupmx.core.notation import Dialect
from backupmx.courier.line import Line
from backupmx.courier.routes import Credentials

MECHANISM = "auth "
"""What the mechanisms of AUTH begin with, where offers are told."""
LIMIT = "size "
"""What the limit of SIZE (RFC 1870) begins with, in octets."""
_LIMIT = re.compile(r"[0-9]{1,20}")


class NotLetIn(Exception):
    """We could not say who we are, or are not believed."""


async def greeting(line: Line, within: float) -> None:
    """The server's first words. Raises OSError, SMTPException."""
    await _positive(line, within)


async def hello(line: Line, name: bytes, within: float, dialect: Dialect = Dialect.SMTP) -> frozenset[str]:
    """EHLO, or HELO for a server that does not know it; the extensions offered, in lower case. Raises OSError, SMTPException."""
    lmtp = dialect is Dialect.LMTP
    try:
        response = await _positive(line, within, b"LHLO" if lmtp else b"EHLO", name)
    except SMTPResponseException as error:
        if lmtp or error.code // 100 != 5:
            raise
        await _positive(line, within, b"HELO", name)
        return frozenset()
    extensions, mechanisms = parse_esmtp_extensions(response.message)
    limit = {LIMIT + extensions["size"]} if _LIMIT.fullmatch(extensions.get("size", "")) else set()
    return frozenset(extensions) | {MECHANISM + mechanism.lower() for mechanism in mechanisms} | limit


async def authenticate(line: Line, offers: frozenset[str], credentials: Credentials, within: float) -> None:
    """Say who we are. Raises NotLetIn, OSError, SMTPException."""
    password = _password(credentials.password_file)
    async with asyncio.timeout(within):
        if MECHANISM + "plain" in offers:
            response = await line.execute_command(b"AUTH", b"PLAIN", auth_plain_encode(credentials.user, password))
        elif MECHANISM + "login" in offers:
            response = await line.execute_command(b"AUTH", b"LOGIN")
            for word in auth_login_encode(credentials.user, password):
                if response.code != 334:
                    break
                response = await line.execute_command(word)
        else:
            raise NotLetIn("it offers neither AUTH PLAIN nor AUTH LOGIN")
    line.discard()
    if response.code // 100 != 2:
        raise NotLetIn(f"it refuses our user and password: {response.code} {response.message}")


def _password(file: Path) -> str:
    """Read anew for each connection: it may be changed."""
    try:
        return file.read_text(encoding="utf-8").split("\n")[0].rstrip("\r")
    except (OSError, UnicodeError) as error:
        raise NotLetIn(f"our password cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error


async def _positive(line: Line, within: float, *command: bytes) -> SMTPResponse:
    """The greeting, or the reply to a command; raises SMTPResponseException when it is not 2xx."""
    async with asyncio.timeout(within):
        response = await (line.execute_command(*command) if command else line.read_response())
    line.discard()
    if response.code // 100 != 2:
        raise SMTPResponseException(response.code, response.message)
    return response
