"""Is the sender who it says it is? Found out when a message is about to be held: only then may anybody ever be told of it (I3).

Knows: the two checks, SPF and DKIM, what they said lately, how long a message may wait for them, whether DNS answers at all.
Does not know: how they are made, sessions, the spool.

No answer to a client depends on it, and whatever goes wrong here is no proof (I9). The checks block, and so run in threads; a
result that is known costs some microseconds, and no thread.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any

from cachetools import TLRUCache

from backupmx.admission import dkim, spf
from backupmx.admission.records import Inquiry, Records
from backupmx.admission.spf import Finding, Question
from backupmx.config import Endpoint
from backupmx.core import exchanges, notation
from backupmx.core.message import Envelope, Proof

BUDGET_S = 5.0
"""How much later than without it a `250` may come."""
THREADS = 8
MOST_CHECKS = 64
"""Begun and not ended, those that wait for a thread included; each may hold a message of some 256 KiB. One more is no proof."""
REMEMBERED = 10_000
"""What SPF said."""
REMEMBERED_S = 300.0
TROUBLE_REMEMBERED_S = 60.0
SILENCES = 3
"""So many checks one after the other to which nobody in DNS said anything …"""
PAUSE_S = 10.0
"""… and for this time no message waits for it. Then one more such check is enough for another pause."""
TOLD_S = 600.0
"""How often the log is told of an error that nobody expected; strangers may know how to bring it about."""

_Key = tuple[str, str] | Question
"""Client and domain; or the whole question, where the record names the sender."""


class Senders:
    """One for each worker, made after the fork."""

    def __init__(
        self,
        nameservers: Sequence[Endpoint],
        trouble: Callable[[BaseException], None],
        *,
        budget: float = BUDGET_S,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`trouble` is told, now and then, of an error that nobody expected."""
        self._records = Records(nameservers, seconds)
        self._trouble = trouble
        self._budget = budget
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(THREADS, "sender")
        self._begun: set[asyncio.Future[Any]] = set()
        self._asking: dict[_Key, asyncio.Future[Finding]] = {}
        """Several messages that came at once wait for one check."""
        self._findings: TLRUCache[_Key, Finding] = TLRUCache(REMEMBERED, _until, timer=seconds)
        self._silences = 0
        self._paused_until = self._told = float("-inf")

    async def prove(self, envelope: Envelope, content: bytes | None) -> Proof:
        """See `ports.Prove`."""
        local, _, given = envelope.sender.rpartition("@")
        domain = _domain(given)
        if not domain:
            return Proof.NONE
        deadline = self._seconds() + self._budget
        client = envelope.client
        question = Question.of(client.address, local, domain, client.helo) if _public(client.address) else None
        if question is not None and await self._permitted(question, deadline):
            return Proof.SPF
        if content is not None and dkim.signed(content) and await self._signed(content, domain, deadline):
            return Proof.DKIM
        return Proof.NONE

    async def close(self) -> None:
        """Let the checks end that nobody waits for any more: each has its deadline."""
        if self._begun:
            await asyncio.wait(self._begun)
        self._threads.shutdown()

    # SPF

    async def _permitted(self, question: Question, deadline: float) -> bool:
        while True:
            key: _Key = question.client, question.domain
            finding = self._findings.get(key)
            if finding is not None and finding.personal:
                key = question
                finding = self._findings.get(key)
            if finding is not None:
                return finding.passes
            asking = self._asking.get(key) or self._ask(key, question, deadline)
            if asking is None or not await self._wait(asking, deadline):
                return False

    def _ask(self, key: _Key, question: Question, deadline: float) -> asyncio.Future[Finding] | None:
        asking = self._begin(spf.check, question, deadline=deadline)
        if asking is not None:
            self._asking[key] = asking
            asking.add_done_callback(partial(self._said, key, question))
        return asking

    def _said(self, key: _Key, question: Question, asking: asyncio.Future[Finding]) -> None:
        del self._asking[key]
        finding = Finding(passes=False, personal=False, final=False) if asking.exception() else asking.result()
        self._findings[question.client, question.domain] = finding
        if finding.personal:
            self._findings[question] = finding

    # DKIM

    async def _signed(self, content: bytes, domain: str, deadline: float) -> bool:
        check = self._begin(dkim.vouches, content, domain, deadline=deadline)
        return check is not None and await self._wait(check, deadline) and not check.exception() and bool(check.result())

    # Both

    def _begin(self, check: Callable[..., Any], *asked: Any, deadline: float) -> asyncio.Future[Any] | None:
        """Let a check run in a thread; None when there are too many, or DNS is away."""
        if len(self._begun) >= MOST_CHECKS or self._seconds() < self._paused_until:
            return None
        inquiry = self._records.inquiry(deadline)
        begun = asyncio.get_running_loop().run_in_executor(self._threads, partial(check, *asked, inquiry))
        self._begun.add(begun)
        begun.add_done_callback(partial(self._ended, inquiry))
        return begun

    def _ended(self, inquiry: Inquiry, check: asyncio.Future[Any]) -> None:
        self._begun.discard(check)
        if inquiry.heard:
            self._silences = 0
        elif inquiry.heard is False:
            self._silences += 1
            if self._silences >= SILENCES:
                self._paused_until = self._seconds() + PAUSE_S
        error = check.exception()
        if error is not None and self._seconds() >= self._told + TOLD_S:
            self._told = self._seconds()
            self._trouble(error)

    async def _wait(self, check: asyncio.Future[Any], deadline: float) -> bool:
        """Whether it ended in time. It is not cancelled: what it says is remembered for the next message."""
        done, _ = await asyncio.wait([check], timeout=max(0.0, deadline - self._seconds()))
        return bool(done)


def _until(_key: _Key, finding: Finding, now: float) -> float:
    return now + (REMEMBERED_S if finding.final else TROUBLE_REMEMBERED_S)


@lru_cache(1024)
def _domain(given: str) -> str:
    """The sender's domain in A-labels; empty where there is none that could be asked: no sender, a literal address."""
    try:
        domain = notation.domain(given)
    except ValueError:
        return ""
    return domain if "." in domain else ""


@lru_cache(1024)
def _public(address: str) -> bool:
    """Whether it is the same host everywhere: who lists a loopback or private address in DNS means no host of ours.

    pyspf itself would let our own hosts pass for every domain that lists such addresses, or everybody.
    """
    return exchanges.reachable(address) and not exchanges.private(address)
