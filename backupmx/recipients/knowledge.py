"""What is known of a recipient, from every source that there is, and what is learned by the way.

Knows: the roll, list files, how long to believe what was learned (`core/belief.py`).
Does not know: sessions, and what is answered to a sender.

What is learned is kept a moment and written together: it comes with every message, and mostly is no news.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backupmx.config import Domain
from backupmx.core import belief, judge, roster
from backupmx.core.belief import EVERYBODY, Acquaintance, Belief, Learned
from backupmx.core.outcome import Reply
from backupmx.core.roster import EVERYONE
from backupmx.ports import Clock, Health, Roll
from backupmx.recipients.lists import ListFile
from backupmx.watch import log

LONGEST_WORDS = 120
"""Characters of a no that are kept."""
MOST_PENDING = 1000
"""Addresses that wait to be written; what is learned beyond that is learned again another time."""
MOST_COUNTED = 10_000
MONTH_DAYS = 30
WEEK_DAYS = 7
WARMTH_S = 60.0
"""How long a count of a month is good for."""
SOME, SOME_AMONG = 5, 100
SECONDS_A_DAY = 86_400


@dataclass(slots=True)
class _Warmth:
    asked: int = 0
    answered: int = 0
    until: float = field(default=float("-inf"))
    is_warm: bool = False


class Knowledge:
    """One for each process that takes or gives mail."""

    def __init__(
        self, domains: Mapping[str, Domain], roll: Roll, health: Health, clock: Clock, seconds: Callable[[], float]
    ) -> None:
        """`seconds` is a clock that is never set."""
        self._domains = domains
        self._roll = roll
        self._health = health
        self._clock = clock
        self._seconds = seconds
        self._files = {
            name: ListFile(
                Path(domain.recipient_list), name, domain.recipient_delimiter, domain.recipient_case == "fold", seconds
            )
            for name, domain in domains.items()
            if domain.recipient_list
        }
        self._pending: defaultdict[str, dict[str, Learned]] = defaultdict(dict)
        self._waiting = 0
        self._warmth = defaultdict[str, _Warmth](_Warmth)
        self._day = 0
        self._counted: set[tuple[str, str]] = set()
        self._returns = Counter[tuple[str, str]]()

    def spellings(self, domain: str, local: str) -> tuple[str, ...]:
        """The local parts under which an address may be known, most exact first."""
        policy = self._domains[domain]
        return roster.spellings(local, policy.recipient_delimiter, policy.recipient_case == "fold")

    def look(self) -> None:
        """Read list files that changed; in a thread, since a long one takes seconds."""
        for file in self._files.values():
            file.refresh()

    # What is known

    def belief(self, domain: str, local: str) -> Belief:
        """What was learned from the primary's own words."""
        clock, now, everybody = self._health.clock(domain), self._now(), self._recall(domain, EVERYBODY)
        found = [belief.of(self._recall(domain, name), everybody, clock, now) for name in self.spellings(domain, local)]
        if found[0] is Belief.GONE:
            return Belief.GONE  # of this very spelling
        return next((each for each in found if each in (Belief.KNOWN, Belief.REFRESH)), found[0])

    def knows(self, domain: str, local: str) -> bool:
        """See `ports.Acquaintances`."""
        if domain not in self._domains:
            return False
        return self.belief(domain, local) in (Belief.KNOWN, Belief.REFRESH) or self.listed(domain, local) is True

    def some(self, domain: str) -> Sequence[str]:
        """See `ports.Acquaintances`."""
        page = self._roll.page(domain, "", SOME_AMONG)
        known = [entry.local for entry in page if entry.listed or (entry.learned and entry.learned.word is belief.Word.KNOWN)]
        return [local for local in known if local not in (EVERYBODY, EVERYONE)][:SOME] or ["postmaster"]

    def listed(self, domain: str, local: str) -> bool | None:
        """Whether a list has it; None when there is no list that could tell."""
        # lists in the roll are kept in lower case, whatever the configuration says of other sources
        names = (*roster.spellings(local, self._domains[domain].recipient_delimiter, True), EVERYONE)
        adopted = self._roll.lists(domain).adopted is not None
        if adopted and any(self._roll.listed(domain, name) for name in names):
            return True
        file = self._files.get(domain)
        in_file = file.holds(local) if file else None
        return False if in_file is None and adopted else in_file

    def everybody_asked(self, domain: str) -> bool:
        """Whether it is known if the primary takes whatever is before its domain."""
        learned = self._recall(domain, EVERYBODY)
        return learned is not None and self._health.clock(domain) - learned.at < belief.CATCH_ALL_FOR

    def acquaintance(self, domain: str) -> Acquaintance:
        """How well a domain's recipients are known; constant work."""
        lists, file = self._roll.lists(domain), self._files.get(domain)
        asked, answered = self._roll.counts(domain, self._today() - WEEK_DAYS)
        return Acquaintance(
            known=self._roll.known(domain),
            listed=(lists.adopted.entries if lists.adopted else 0) + (file.entries if file else 0),
            waiting=lists.waiting.entries if lists.waiting else None,
            lost=lists.waiting.lost if lists.waiting else 0,
            asked=asked,
            answered=answered,
        )

    def _takes_everybody(self, domain: str) -> bool:
        return belief.of(None, self._recall(domain, EVERYBODY), self._health.clock(domain), self._now()) is Belief.KNOWN

    def warm(self, domain: str) -> bool:
        """Whether those whom nobody knows are likely to be nobody: a list tells, or enough of the last month's are known."""
        warmth = self._warmth[domain]
        if warmth.until < self._seconds():
            asked, answered = self._roll.counts(domain, self._today() - MONTH_DAYS)
            file = self._files.get(domain)
            has_list = self._roll.lists(domain).adopted is not None or (file is not None and file.entries > 0)
            warmth.is_warm = has_list or belief.warm(asked, answered)
            warmth.until = self._seconds() + WARMTH_S
        return warmth.is_warm

    def _recall(self, domain: str, local: str) -> Learned | None:
        pending = self._pending.get(domain)
        if pending and local in pending:
            return pending[local]
        return self._roll.recall(domain, local)

    def _today(self) -> int:
        return self._now() // SECONDS_A_DAY

    def _now(self) -> int:
        return int(self._clock().timestamp())

    # What is learned

    def learn(self, domain: str, local: str, reply: Reply) -> None:
        """The primary said this to a recipient. Cheap when it is no news."""
        word = judge.teaches(reply)
        if word is not None:
            said = "" if word is belief.Word.KNOWN else str(reply)[:LONGEST_WORDS]
            self._note(domain, self.spellings(domain, local)[0], Learned(word, self._health.clock(domain), said, self._now()))

    def learn_everybody(self, domain: str, reply: Reply) -> None:
        """The primary said this to an address that nobody can have."""
        word = judge.teaches(reply)
        if word is not None:
            self._note(domain, EVERYBODY, Learned(word, self._health.clock(domain), when=self._now()))

    def _note(self, domain: str, local: str, learned: Learned) -> None:
        if local != EVERYBODY and learned.word is belief.Word.KNOWN and self._takes_everybody(domain):
            return  # of such a primary nothing is learned about anybody
        if self._waiting < MOST_PENDING and belief.worth_learning(self._recall(domain, local), learned):
            self._pending[domain][local] = learned
            self._waiting += 1

    def count(self, domain: str, local: str, *, answered: bool) -> None:
        """A recipient who exists was named; whether that was known before. Each counts once a day."""
        day, name = self._today(), (domain, self.spellings(domain, local)[0])
        if day != self._day:
            self._day, self._counted = day, set()
        if name in self._counted or len(self._counted) >= MOST_COUNTED:
            return
        self._counted.add(name)
        warmth = self._warmth[domain]
        warmth.asked += 1
        warmth.answered += answered

    def count_return(self, domain: str, client: str) -> None:
        """A client's network cannot reach the primary, as it seems, and its mail was taken."""
        self._returns[domain, client] += 1

    async def write(self) -> None:
        """Keep what was learned since the last time; never fails."""
        pending, self._pending, self._waiting = self._pending, defaultdict(dict), 0
        try:
            for domain, learned in pending.items():
                await self._roll.learn(domain, learned)
            for domain, warmth in self._warmth.items():
                if warmth.asked:
                    asked, answered, warmth.asked, warmth.answered = warmth.asked, warmth.answered, 0, 0
                    await self._roll.count(domain, self._today(), asked, answered)
            returns, self._returns = self._returns, Counter()
            for (domain, client), times in returns.items():
                await self._roll.count_return(domain, client, times)
        except Exception as error:  # noqa: BLE001 - what is lost is learned again (I9)
            log.trouble("recipients", error)
