"""The in-memory fake of the roll: the same promises, but that of surviving the process.

Knows: what the promises are.
Does not know: disks.
"""

from collections.abc import Mapping, Sequence

from backupmx.core.belief import EVERYBODY, Learned, Word
from backupmx.core.roll import Adopted, Entry, Lists


class MemoryRoll:
    """See `ports.Roll`."""

    def __init__(self) -> None:
        self.learned: dict[tuple[str, str], Learned] = {}
        self._lists: dict[str, Lists] = {}
        self._entries: dict[tuple[str, int], set[str]] = {}
        self._days: dict[tuple[str, int], tuple[int, int]] = {}
        self._clocks: dict[str, int] = {}
        self._returns: dict[str, dict[str, int]] = {}

    def recall(self, domain: str, local: str) -> Learned | None:
        """See `ports.Roll`."""
        return self.learned.get((domain, local))

    async def learn(self, domain: str, learned: Mapping[str, Learned | None]) -> None:
        """See `ports.Roll`."""
        for local, what in learned.items():
            if what is None:
                self.learned.pop((domain, local), None)
            else:
                self.learned[domain, local] = what

    def known(self, domain: str) -> int:
        """See `ports.Roll`."""
        known = (key for key, what in self.learned.items() if what.word is Word.KNOWN)
        return sum(name == domain and local != EVERYBODY for name, local in known)

    async def sweep(self, domain: str, word: Word, before: int) -> int:
        """See `ports.Roll`."""
        old = [key for key, what in self.learned.items() if key[0] == domain and what.word is word and what.at < before]
        for key in old:
            del self.learned[key]
        return len(old)

    def lists(self, domain: str) -> Lists:
        """See `ports.Roll`."""
        return self._lists.get(domain, Lists())

    def listed(self, domain: str, local: str) -> bool:
        """See `ports.Roll`."""
        return local in self._today(domain)

    def _today(self, domain: str) -> set[str]:
        adopted = self.lists(domain).adopted
        return self._entries.get((domain, adopted.number), set()) if adopted else set()

    async def begin_list(self, domain: str) -> int:
        """See `ports.Roll`."""
        lists = self.lists(domain)
        self._lists[domain] = Lists(lists.last + 1, lists.adopted, None)
        return lists.last + 1

    async def enlist(self, domain: str, number: int, locals_: Sequence[str]) -> None:
        """See `ports.Roll`."""
        if number == self.lists(domain).last:
            self._entries.setdefault((domain, number), set()).update(locals_)

    async def close_list(self, domain: str, number: int, most_lost: float) -> Lists:
        """See `ports.Roll`."""
        lists = self.lists(domain)
        if number == lists.last:
            today, new = self._today(domain), self._entries.get((domain, number), set())
            lost = len(today - new)
            adopted = Adopted(number, len(new), lost)
            fits = lost <= most_lost * len(today)
            self._lists[domain] = Lists(number, adopted if fits else lists.adopted, None if fits else adopted)
        return self.lists(domain)

    async def approve_list(self, domain: str) -> Lists:
        """See `ports.Roll`."""
        lists = self.lists(domain)
        if lists.waiting:
            self._lists[domain] = Lists(lists.last, lists.waiting, None)
        return self.lists(domain)

    def page(self, domain: str, after: str, limit: int) -> tuple[Entry, ...]:
        """See `ports.Roll`."""
        today = self._today(domain)
        names = {local for name, local in self.learned if name == domain} | today
        behind = sorted((local for local in names if not after or local.encode() > after.encode()), key=str.encode)
        return tuple(Entry(local, self.recall(domain, local), local in today) for local in behind[:limit])

    async def count(self, domain: str, day: int, asked: int, answered: int) -> None:
        """See `ports.Roll`."""
        before = self._days.get((domain, day), (0, 0))
        self._days[domain, day] = (before[0] + asked, before[1] + answered)

    def counts(self, domain: str, since: int) -> tuple[int, int]:
        """See `ports.Roll`."""
        days = [counted for (name, day), counted in self._days.items() if name == domain and day >= since]
        return sum(day[0] for day in days), sum(day[1] for day in days)

    async def count_return(self, domain: str, network: str, times: int) -> None:
        """See `ports.Roll`."""
        returns = self._returns.setdefault(domain, {})
        returns[network] = returns.get(network, 0) + times

    def returns(self, domain: str) -> Mapping[str, int]:
        """See `ports.Roll`."""
        return dict(self._returns.get(domain, {}))

    def clock(self, domain: str) -> int:
        """See `ports.Roll`."""
        return self._clocks.get(domain, 0)

    async def set_clocks(self, clocks: Mapping[str, int]) -> None:
        """See `ports.Roll`."""
        self._clocks |= clocks
