"""Clients that ask for one unknown recipient after the other: they look for addresses, and get fewer and slower answers.

Knows: how many unknown recipients each client named lately.
Does not know: what time it is, how answers are delayed, and whether an answer was known or asked for: all are treated alike.
"""

from collections import OrderedDict

FEW = 5
"""Anybody may mistype."""
MANY = 50
SLOW_S = 2.0
FORGIVEN_S = 3600.0
"""From the first of them on. Addresses are counted one by one: a provider's other servers are not to blame."""
CLIENTS = 10_000
"""Remembered at a time; who came first is forgotten first."""


class Harvest:
    """One for each worker."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def watches(self) -> bool:
        """Whether there is any such client: mostly there is none, and no clock is read."""
        return bool(self._clients)

    def note(self, address: str, now: float) -> None:
        """This client named somebody who does not exist; `now` in seconds."""
        count = self._count(address, now)
        since = self._clients[address][1] if count else now
        self._clients[address] = (count + 1, since)
        self._clients.move_to_end(address)
        if len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)

    def pause(self, address: str, now: float) -> float:
        """How many seconds its answers are delayed."""
        return SLOW_S if self._count(address, now) > FEW else 0.0

    def shut(self, address: str, now: float) -> bool:
        """Whether it is told nothing at all."""
        return self._count(address, now) > MANY

    def _count(self, address: str, now: float) -> int:
        count, since = self._clients.get(address, (0, now))
        return count if 0 <= now - since < FORGIVEN_S else 0
