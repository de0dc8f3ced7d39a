"""Does this recipient exist, as far as can be told now?

Knows: each domain's policy, what is known of recipients, whether the primary can be asked.
Does not know: sessions, and how the primary is asked.

`550` takes the primary's own fresh word, or a list; what is only believed, or cannot be told, is `450` at most (I9).
"""

from collections.abc import Mapping
from functools import partial

from backupmx.admission.verdict import Ask, Refuse, Take
from backupmx.config import Domain
from backupmx.core import judge, replies
from backupmx.core.belief import ALWAYS, Belief, Word
from backupmx.core.message import Recipient
from backupmx.recipients.callouts import Callouts, Late, Said
from backupmx.recipients.knowledge import Knowledge


class Recipients:
    """The check of a recipient whose primary does not answer in this session."""

    def __init__(self, policies: Mapping[str, Domain], knowledge: Knowledge, callouts: Callouts) -> None:
        self._policies = policies
        self._knowledge = knowledge
        self._callouts = callouts

    def judge(self, recipient: Recipient, *, up: bool) -> Take | Refuse | Ask:
        """`up`: the primary may be asked."""
        domain, local = recipient.domain, local_part(recipient)
        source = self._policies[domain].recipients
        if source == "any" or local.lower() in ALWAYS:
            return Take(recipient)
        if source == "list":
            return self._by_list(recipient, local)
        return self._by_word(recipient, local, up=up)

    def _by_list(self, recipient: Recipient, local: str) -> Take | Refuse:
        listed = self._knowledge.listed(recipient.domain, local)
        if listed is None:
            return self._unknown(recipient)
        return Take(recipient) if listed else Refuse(replies.UNKNOWN_RECIPIENT)

    def _by_word(self, recipient: Recipient, local: str, *, up: bool) -> Take | Refuse | Ask:
        belief = self._knowledge.belief(recipient.domain, local)
        if belief in (Belief.KNOWN, Belief.REFRESH):
            if up:
                self._knowledge.count(recipient.domain, local, answered=True)
                if belief is Belief.REFRESH:
                    self._callouts.refresh(recipient.domain, local)
            return Take(recipient)
        if up:
            return Refuse(replies.UNKNOWN_RECIPIENT) if belief is Belief.GONE else Ask(partial(self._ask, recipient, local))
        return self._without_word(recipient, belief)

    def _without_word(self, recipient: Recipient, belief: Belief) -> Take | Refuse:
        if belief in (Belief.GONE, Belief.STALE_GONE):
            return Refuse(replies.UNVERIFIED_RECIPIENT)  # an old no: the primary may have it by the time it is back
        return self._unknown(recipient)

    async def _ask(self, recipient: Recipient, local: str) -> Take | Refuse:
        answer = await self._callouts.ask(recipient.domain, local)
        if isinstance(answer, Said):
            word = judge.teaches(answer.reply)
            if word is Word.KNOWN:
                self._knowledge.count(recipient.domain, local, answered=False)
                return Take(recipient)
            return Refuse(replies.UNKNOWN_RECIPIENT if word is Word.GONE else replies.UNVERIFIED_RECIPIENT)
        if isinstance(answer, Late):
            return Refuse(replies.UNVERIFIED_RECIPIENT)
        return self._without_word(recipient, self._knowledge.belief(recipient.domain, local))

    def _unknown(self, recipient: Recipient) -> Take | Refuse:
        """Nobody can tell."""
        wish = self._policies[recipient.domain].when_unknown
        if wish == "accept" or (wish == "auto" and not self._knowledge.warm(recipient.domain)):
            return Take(recipient)
        return Refuse(replies.UNVERIFIED_RECIPIENT)


def local_part(recipient: Recipient) -> str:
    """What is before the last @."""
    return recipient.address.rpartition("@")[0]
