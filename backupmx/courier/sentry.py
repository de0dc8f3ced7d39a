"""Stands between what a primary refuses and the spool: a refusal by one that came back wrong is not settled (I10).

Knows: the guard's doubts, who is known to exist, how to ask for them.
Does not know: leases, connections that carry mail, what becomes of an outcome.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backupmx.core.guard import Guard
from backupmx.core.message import Lease
from backupmx.core.outcome import Deferred, Failed, Outcome
from backupmx.courier.client import Connection, Dialler
from backupmx.courier.health import Health
from backupmx.courier.routes import Address
from backupmx.ports import Acquaintances
from backupmx.watch import log


@dataclass(frozen=True, slots=True)
class Post:
    """What a sentry stands for, and whom it tells."""

    name: str
    health: Health
    dialler: Dialler
    acquaintances: Acquaintances
    domains: Sequence[str]
    """The lane's own, as they are now."""
    addresses: Callable[[], Sequence[Address]]
    changed: Callable[[], None]


class Sentry:
    """One route's."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.guard = Guard()

    async def screen(self, lease: Lease, outcomes: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
        """What may be settled of it: while the primary is doubtful its refusals are deferrals."""
        post = self._post

        def known(address: str) -> bool:
            return post.acquaintances.knows(lease.domain, address.rpartition("@")[0])

        words = self.guard.doubt(outcomes, known)
        if words is not None:
            self._judge(str(words), await self._asked())
        if post.health.suspect is None:
            return outcomes
        return {address: _put_off(outcome) for address, outcome in outcomes.items()}

    async def examine(self, words: str) -> None:
        """Somebody else has a doubt; a primary that cannot be asked is none the worse for it."""
        vouched = await self._asked()
        if vouched is not None:
            self._judge(words, vouched)

    def _judge(self, words: str, vouched: bool | None) -> None:
        if vouched:
            self.trust()
        elif self._post.health.doubted(words):
            log.primary_suspect(self._post.name, words)
            self._post.changed()

    async def vouched(self, connection: Connection) -> bool:
        """Whether the primary still has somebody whom it had."""
        for domain in self._post.domains:
            some = self._post.acquaintances.some(domain)
            said = await connection.verify([f"{local}@{domain}" for local in some]) if some else None
            if said and any(reply.positive for reply in said):
                return True
        return False

    def trust(self) -> None:
        """It is to be believed again."""
        self.guard.trust()
        if self._post.health.trusted():
            log.primary_trusted(self._post.name)
            self._post.changed()

    async def _asked(self) -> bool | None:
        """Whether it vouches; None when nobody answers."""
        found = await self._post.dialler.dial(self._post.addresses())
        if not isinstance(found, Connection):
            return None
        vouched = await self.vouched(found)
        await found.quit()
        return vouched


def _put_off(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Failed) and outcome.by_primary:
        return Deferred(outcome.reply, outcome.host, outcome.tls)
    return outcome
