"""The other way round: as long as this machine works it says so, and who is used to hear it can tell when it falls silent.

Knows: HTTP, when it is time.
Does not know: whether all is well.
"""

import asyncio
import http.client
import ssl
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from backupmx.watch import log

SECONDS = 10.0
"""For the connection, and for the answer."""


class Ping:
    """One URL; none when it is empty."""

    def __init__(self, url: str, interval: timedelta) -> None:
        self._url = url
        self._interval = interval
        self._last: datetime | None = None
        self._silent = False

    async def beat(self, now: datetime) -> None:
        """Say that all is well, if it is time. Trouble is told once, until there is none."""
        if not self._url or (self._last is not None and self._last <= now < self._last + self._interval):
            return
        self._last = now
        why = await asyncio.to_thread(_get, self._url)
        if why is not None and not self._silent:
            log.ping_failed(why)
        elif why is None and self._silent:
            log.ping_answered()
        self._silent = why is not None


def _get(url: str) -> str | None:
    """None, or why it did not work; without the URL, for that is secret."""
    parts = urlsplit(url)
    asked = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection = _connection(parts.scheme, parts.netloc)
        try:
            connection.request("GET", asked, headers={"User-Agent": "backupmx"})
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None if 200 <= status < 300 else f"status {status}"


def _connection(scheme: str, place: str) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(place, timeout=SECONDS)
    return http.client.HTTPSConnection(place, timeout=SECONDS, context=ssl.create_default_context())
