"""Asks a primary whether it has a recipient, before mail for it is taken.

Knows: the way to the primaries, what is known already.
Does not know: sessions, and what is answered to a sender.

Who asks for the same address at the same time shares one question; who cannot wait gets no answer, but the question is asked to
its end, and the answer is there the next time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from backupmx.core.outcome import Reply
from backupmx.ports import Primaries
from backupmx.recipients.knowledge import Knowledge
from backupmx.watch import log

PATIENCE_S = 10.0
SURVEY_S = 600.0
"""How often it is tried to find out whether a primary takes everybody, while it does not tell."""
MOST = 200
"""Questions under way at a time; more are not asked."""


@dataclass(frozen=True, slots=True)
class Said:
    """The primary's own word."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Late:
    """No answer yet; it is waited for."""


@dataclass(frozen=True, slots=True)
class Mute:
    """The primary cannot be asked, or says nothing of recipients."""


Answer = Said | Late | Mute


class Callouts:
    """One for each worker."""

    def __init__(
        self, primaries: Primaries, knowledge: Knowledge, nobody: Callable[[], str], patience: float = PATIENCE_S
    ) -> None:
        """`nobody` makes a local part that nobody can have."""
        self._primaries = primaries
        self._knowledge = knowledge
        self._nobody = nobody
        self._patience = patience
        self._surveyed: dict[str, float] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    async def ask(self, domain: str, local: str) -> Answer:
        """What the primary says, if it says it soon."""
        task = self._begin(domain, local)
        if task is None:
            return Late()
        done, _ = await asyncio.wait([task], timeout=self._patience)
        return task.result() if done else Late()

    def refresh(self, domain: str, local: str) -> None:
        """Ask in the background: what is known grows old."""
        self._begin(domain, local)

    def survey(self, domain: str) -> None:
        """Find out in the background whether the primary takes whatever is before its domain, if that is not known."""
        now = asyncio.get_running_loop().time()
        if not self._knowledge.everybody_asked(domain) and now - self._surveyed.get(domain, -SURVEY_S) >= SURVEY_S:
            self._surveyed[domain] = now
            self._begin(domain, "")

    async def close(self) -> None:
        """Ask no more."""
        for task in self._asking.values():
            task.cancel()
        if self._asking:
            await asyncio.wait(self._asking.values())

    def _begin(self, domain: str, local: str) -> "asyncio.Task[Answer] | None":
        key = (domain, local)
        task = self._asking.get(key)
        if task is None and len(self._asking) < MOST:
            task = self._asking[key] = asyncio.create_task(self._ask(domain, local))
            task.add_done_callback(lambda _: self._asking.pop(key))
        return task

    async def _ask(self, domain: str, local: str) -> Answer:
        """Never fails."""
        knowledge = self._knowledge
        surveyed = knowledge.everybody_asked(domain)
        asked = [local] if local else []
        if not surveyed:
            asked.append(self._nobody())
        try:
            replies = await self._primaries.verify(domain, asked) if asked else None
        except Exception as error:  # noqa: BLE001 - our own trouble is no word of the primary's (I9)
            log.trouble(f"callout to {domain}", error)
            return Mute()
        if not replies:
            return Mute()
        if not surveyed and len(replies) == len(asked):
            knowledge.learn_everybody(domain, replies[-1])
        if not local:
            return Mute()
        knowledge.learn(domain, local, replies[0])
        return Said(replies[0])
