"""Stands between what a primary refuses and the spool: a refusal by one that came back wrong is not settled (I10).

Knows: the guard's doubts, who is known to exist, how to ask for them.
Does not know: leases, connections that carry mail, what becomes of an outcome.
"""

from collections import defaultdict
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
    """One route's. Each domain has a guard of its own: a primary may have lost the users of one, and have those of the others."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._guards = defaultdict[str, Guard](Guard)
        self._doubtful: set[str] = set()
        """Domains that the primary has to vouch for before anything more is given to it."""

    def returned(self, *domains: str) -> None:
        """The primary is back from an outage: it is on trial, for these domains or for all."""
        for domain in domains or tuple(self._post.domains):
            self._doubtful.discard(domain)
            self._guards[domain].returned()

    def canaries(self, domain: str) -> int | None:
        """How many messages of a domain may be on their way, while it is on trial."""
        guard = self._guards[domain]
        return guard.canaries if guard.on_trial else None

    async def screen(self, lease: Lease, outcomes: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
        """What may be settled of it: while the primary is doubtful its refusals are deferrals. Never fails."""
        post, domain = self._post, lease.domain

        def known(address: str) -> bool:
            return post.acquaintances.knows(domain, address.rpartition("@")[0])

        try:
            words = self._guards[domain].doubt(outcomes, known)
            if words is not None:
                vouched = await self._asked(domain)
                if not vouched and _of_size(outcomes):
                    return _all_put_off(outcomes)
                self._judge(domain, str(words), vouched)
        except Exception as error:  # noqa: BLE001 - what was delivered is settled all the same, and a refusal can wait (I9)
            log.trouble(f"doubts about {post.name}", error)
        else:
            if post.health.suspect is None:
                return outcomes
        return _all_put_off(outcomes)

    async def examine(self, domain: str, words: str) -> None:
        """Somebody else has a doubt; a primary that cannot be asked is none the worse for it."""
        vouched = await self._asked(domain)
        if vouched is not None:
            self._judge(domain, words, vouched)

    async def hear(self, connection: Connection) -> None:
        """The primary answers: whether it vouches by now for those for whom it did not."""
        for domain in tuple(self._doubtful):
            if domain not in self._post.domains or await self._vouched(connection, domain):
                self.trust(domain)

    def doubt(self, domain: str, words: str) -> None:
        """From now on nothing is given to it, until it vouches for this domain."""
        self._doubtful.add(domain)
        if self._post.health.doubted(words):
            log.primary_suspect(self._post.name, words)
            self._post.changed()

    def doubts(self, domain: str) -> bool:
        """Whether it has to vouch for this domain."""
        return domain in self._doubtful

    def trust(self, domain: str) -> None:
        """What it says of this domain is to be believed again."""
        self._guards[domain].trust()
        self._doubtful.discard(domain)
        if not self._doubtful and self._post.health.trusted():
            log.primary_trusted(self._post.name)
            self._post.changed()

    def _judge(self, domain: str, words: str, vouched: bool | None) -> None:
        if vouched:
            self.trust(domain)
        else:
            self.doubt(domain, words)

    async def _vouched(self, connection: Connection, domain: str) -> bool:
        """Whether the primary still has somebody whom it had."""
        some = self._post.acquaintances.some(domain)
        said = await connection.verify([f"{local}@{domain}" for local in some]) if some else None
        return bool(said) and any(reply.positive for reply in said or ())

    async def _asked(self, domain: str) -> bool | None:
        """Whether it vouches; None when nobody answers."""
        found = await self._post.dialler.dial(self._post.addresses())
        if not isinstance(found, Connection):
            return None
        vouched = await self._vouched(found, domain)
        await found.quit()
        return vouched


def _of_size(outcomes: Mapping[str, Outcome]) -> bool:
    """Whether all that is refused is too large, or a mailbox full: no reason for doubts, and no proof of anything either."""
    refused = [outcome.reply for outcome in outcomes.values() if isinstance(outcome, Failed) and outcome.by_primary]
    return all(reply.code == 552 or reply.text.startswith("5.3.4") for reply in refused)


def _all_put_off(outcomes: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
    return {address: _put_off(outcome) for address, outcome in outcomes.items()}


def _put_off(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Failed) and outcome.by_primary:
        return Deferred(outcome.reply, outcome.host, outcome.tls)
    return outcome
