"""All that is asked before mail comes in, in this order: is the domain ours, who is to say, does the recipient exist?

Knows: the checks, each domain's policy, the way to the primaries.
Does not know: sessions, content, the spool.
"""

from collections.abc import Mapping

from backupmx.admission.domains import Domains
from backupmx.admission.harvest import Harvest
from backupmx.admission.recipients import Recipients, local_part
from backupmx.admission.returns import Returns, network
from backupmx.admission.verdict import Refuse, Take, Verdict
from backupmx.config import Domain
from backupmx.core import belief, judge, replies
from backupmx.core.belief import Belief
from backupmx.core.message import Envelope, Recipient
from backupmx.core.outcome import Reply
from backupmx.core.path import Mailbox
from backupmx.ports import Clock, Handover, Primaries
from backupmx.recipients.callouts import Callouts
from backupmx.recipients.knowledge import Knowledge


class Admission:
    """What a worker's sessions ask."""

    def __init__(
        self,
        policies: Mapping[str, Domain],
        knowledge: Knowledge,
        callouts: Callouts,
        primaries: Primaries,
        returns: Returns,
        clock: Clock,
    ) -> None:
        self._policies = policies
        self._domains = Domains(policies)
        self._recipients = Recipients(policies, knowledge, callouts)
        self._knowledge = knowledge
        self._callouts = callouts
        self._primaries = primaries
        self._returns = returns
        self._harvest = Harvest()
        self._clock = clock

    # Is it ours?

    def judge(self, mailbox: Mailbox) -> Take | Refuse:
        """Whether the domain is ours (I2)."""
        return self._domains.judge(mailbox)

    def postmaster(self) -> Take:
        """`RCPT TO:<postmaster>` without a domain."""
        return self._domains.postmaster()

    def configured(self, domain: str) -> str | None:
        """The domain itself, if it is one of ours."""
        return self._domains.configured(domain)

    # The primary's own word

    def relays(self, domain: str) -> bool:
        """Whether the primary is to be asked in this session."""
        return self._policies[domain].when_primary_up == "relay" and self._primaries.reachable(domain)

    async def route(self, domain: str) -> str:
        """Domains that have the same one may share a transaction."""
        return await self._primaries.route(domain)

    async def hand_over(self, domain: str, envelope: Envelope, size: int) -> Handover | None:
        """See `ports.Primaries`."""
        return await self._primaries.hand_over(domain, envelope, size)

    def cut(self) -> None:
        """We stop: what a primary has not answered by now it need not answer any more."""
        self._primaries.cut()

    def heard(self, recipient: Recipient, reply: Reply, client: str) -> Take | Refuse:
        """What the primary said in this session; it teaches us for the time when it is gone."""
        domain, local = recipient.domain, local_part(recipient)
        if reply.positive:
            known = self._knowledge.belief(domain, local)
            self._knowledge.count(domain, local, answered=known in (Belief.KNOWN, Belief.REFRESH))
            self._knowledge.learn(domain, local, reply)
            self._callouts.survey(domain)
            return Take(recipient)
        if judge.teaches(reply) is belief.Word.GONE:
            if self._knowledge.knows(domain, local):
                self._primaries.doubt(domain)
            # a stranger's sender, or its address, may be what was refused: it is asked again in our own name
            self._callouts.refresh(domain, local)
            self._harvest.note(client, self._clock().timestamp())
        return Refuse(replies.of_primary(reply))

    # Our own

    def weigh(self, recipient: Recipient, sender: str, client: str) -> Verdict:
        """A recipient whose primary does not answer in this session."""
        domain = recipient.domain
        up = self._primaries.reachable(domain)
        if up and self._policies[domain].when_primary_up == "defer":
            if not self._returns.came_back(client, sender, recipient.address, self._clock().timestamp()):
                return Refuse(replies.USE_PRIMARY)
            self._knowledge.count_return(domain, network(client))
        return self._recipients.judge(recipient, up=up)

    # Harvesters

    def refused(self, answer: replies.Answer, client: str) -> None:
        """A client named somebody who does not exist."""
        if answer is replies.UNKNOWN_RECIPIENT:
            self._harvest.note(client, self._clock().timestamp())

    def pause(self, client: str) -> float:
        """How many seconds an answer about a recipient is delayed: all of them alike."""
        return self._harvest.pause(client, self._clock().timestamp()) if self._harvest.watches else 0.0

    def shut(self, client: str) -> bool:
        """Whether a client that named too many of those is told nothing more."""
        return self._harvest.watches and self._harvest.shut(client, self._clock().timestamp())
