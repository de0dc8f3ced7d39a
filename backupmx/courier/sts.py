"""MTA-STS policies: found by their record, fetched over HTTPS, kept for as long as they hold.

Knows: discovery, fetching and caching (RFC 8461 sections 3.1, 3.3, 5.1, 10.2), and the file that a copy survives a restart in.
Does not know: what a policy means for a connection.
"""

import asyncio
import http.client
import io
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import msgspec

from backupmx.core import sts
from backupmx.core.exchanges import private, reachable
from backupmx.core.sts import Policy
from backupmx.courier.resolver import NotFound, Resolver
from backupmx.watch import log

FETCH_S = 20.0
"""For one fetch, the connection included."""
LARGEST = 2**16
"""Octets of a policy (RFC 8461 section 3.3), and as many of what comes before it."""
PAUSE = timedelta(minutes=5)
"""After a fetch that failed (RFC 8461 section 3.3)."""
FRESH = timedelta(days=1)
"""A policy is fetched again after this time even if its id is the same, so that it does not run out (RFC 8461 section 3.3)."""
HTTPS_PORT = 443


class Kept(msgspec.Struct, frozen=True):
    """A copy of a policy."""

    id: str
    policy: Policy
    fetched: datetime

    def holds(self, now: datetime) -> bool:
        """Whether its time is not over."""
        return now < self.fetched + timedelta(seconds=self.policy.max_age)


class Shelf:
    """The copies, in memory and in a directory, one file for each domain; processes may share it."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._kept: dict[str, Kept] = {}

    def get(self, domain: str) -> Kept | None:
        """The latest copy, whoever made it."""
        mine = self._kept.get(domain)
        try:
            theirs = msgspec.json.decode((self._place / domain).read_bytes(), type=Kept)
        except (OSError, msgspec.DecodeError):
            return mine
        if mine is None or theirs.fetched > mine.fetched:
            self._kept[domain] = theirs
        return self._kept[domain]

    def put(self, domain: str, kept: Kept) -> None:
        """Keep a copy; where it cannot be written, in memory alone."""
        self._kept[domain] = kept
        draft = self._place / f".{domain}.{os.getpid()}"
        try:
            self._place.mkdir(mode=0o700, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(kept))
            draft.replace(self._place / domain)
        except OSError as error:
            log.trouble(f"MTA-STS policy of {domain}", error)


@dataclass(frozen=True, slots=True)
class Web:
    """How policy hosts are reached."""

    port: int = HTTPS_PORT
    context: ssl.SSLContext | None = None
    """Whom we believe; None: the system's authorities."""
    loopback: bool = False
    """Whether they may be on this machine."""


class Sts:
    """The policies of domains."""

    def __init__(
        self,
        resolver: Resolver,
        place: Path,
        web: Web | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._resolver = resolver
        self._shelf = Shelf(place)
        self._web = web or Web()
        self._clock = clock
        self._not_before: dict[str, datetime] = {}

    async def policy(self, domain: str) -> Policy | str:
        """The policy in force, or why there is none."""
        now = self._clock()
        kept = self._shelf.get(domain)
        holds = kept is not None and kept.holds(now)
        texts = await self._resolver.texts(f"_mta-sts.{domain}")
        id = None if isinstance(texts, NotFound) else sts.record_id(texts.records)
        why = ""
        if id is None:
            why = texts.why if isinstance(texts, NotFound) else f"_mta-sts.{domain} has no valid record"
        elif not (kept and holds and kept.id == id and now < kept.fetched + FRESH):
            why = await self._renew(domain, id, now)
            kept = self._shelf.get(domain)
            holds = kept is not None and kept.holds(now)
        if kept is not None and holds:
            return kept.policy
        return why or f"the policy of {domain} holds for no time"

    async def _renew(self, domain: str, id: str, now: datetime) -> str:
        """Fetch the policy; returns what went wrong. What was kept before is in force then (RFC 8461 section 5.1)."""
        if now < self._not_before.get(domain, now):
            return "the policy could not be fetched a moment ago"
        try:
            policy = sts.policy(await self._fetch(f"mta-sts.{domain}"))
        except (OSError, ValueError, http.client.HTTPException, asyncio.IncompleteReadError) as error:
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self._not_before[domain] = now + PAUSE
            log.sts_not_fetched(domain, why)
            return f"the policy cannot be fetched: {why}"
        self._shelf.put(domain, Kept(id, policy, now))
        return ""

    async def _fetch(self, host: str) -> str:
        """The file (RFC 8461 section 3.3): 200 and plain text alone. Raises OSError, ValueError, HTTPException."""
        found = await self._resolver.addresses(host)
        if isinstance(found, NotFound):
            raise ValueError(found.why)
        ip = next((ip for ip in found.records if self._web.loopback or (reachable(ip) and not private(ip))), None)
        if ip is None:
            raise ValueError(f"no address of {host} can be on the public network")
        async with asyncio.timeout(FETCH_S):
            response = await self._ask(host, ip)
        if response.status != 200:
            raise ValueError(f"{host} answers {response.status}")
        if response.headers.get_content_type() != "text/plain":
            raise ValueError(f"what {host} has is no plain text")
        body = response.read()
        if len(body) > LARGEST:
            raise ValueError("the policy is too large")
        return body.decode("utf-8")

    async def _ask(self, host: str, ip: str) -> http.client.HTTPResponse:
        context = self._web.context or ssl.create_default_context()
        reader, writer = await asyncio.open_connection(ip, self._web.port, ssl=context, server_hostname=host)
        try:
            # not kept open, so that the answer is all that comes until the end, and the library can read it from memory
            words = ("GET /.well-known/mta-sts.txt HTTP/1.1", f"Host: {host}", "Accept: text/plain", "Connection: close", "", "")
            writer.write("\r\n".join(words).encode("ascii"))
            answer = await _all(reader)
        finally:
            writer.transport.abort()
        response = http.client.HTTPResponse(cast(socket.socket, _InMemory(answer)), method="GET")
        response.begin()
        return response


async def _all(reader: asyncio.StreamReader) -> bytes:
    """Until the end. Raises ValueError when there is too much of it."""
    parts: list[bytes] = []
    size = 0
    while part := await reader.read(2**14):
        parts.append(part)
        size += len(part)
        if size > 2 * LARGEST:
            raise ValueError("the answer is too large")
    return b"".join(parts)


class _InMemory:
    """All that the library asks of a socket."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._octets)
