"""How many connections all routes may have together, and who gets the next one when more are wanted.

Knows: arithmetic, and whom to ring.
Does not know: connections, and what they are for.

Who has fewest comes first, so that in the end each route has as many as it wants, or as many as any other. Where there are more
routes than places, a route gives its place away after a few messages.
"""

from collections.abc import Callable

TURN = 10
"""Messages, after which a place goes to a route that has none."""


class Share:
    """One route's places."""

    def __init__(self, places: "Places", ring: Callable[[], None], spare: Callable[[], bool]) -> None:
        self._places = places
        self.ring = ring
        self.spare = spare
        self.taken = 0
        self.offered = 0
        """Of these, that it does not know of yet."""

    def take(self) -> bool:
        """One place more; if that cannot be, it waits for one, and is rung when it is there."""
        return self._places.take(self)

    def leave(self) -> None:
        """One place less."""
        self._places.leave(self)

    def content(self) -> None:
        """No more are wanted."""
        self._places.content(self)

    def must_yield(self, messages: int) -> bool:
        """Whether a place over which so many messages went should be another route's."""
        return self._places.wanted(self, messages)

    @property
    def crowded(self) -> bool:
        """Whether another route has use for a place that is idle."""
        return self._places.wanted_by_others(self)

    def close(self) -> None:
        """The route is no more; it has left its places."""
        self._places.close(self)


class Places:
    """All of them. While one is free nobody waits."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: dict[Share, None] = {}
        self._shares: list[Share] = []

    def share(self, ring: Callable[[], None], spare: Callable[[], bool]) -> Share:
        """A new route's. `ring` tells it that a place is there for it; `spare` asks it to leave one that is idle."""
        made = Share(self, ring, spare)
        self._shares.append(made)
        return made

    def take(self, share: Share) -> bool:
        """See `Share`."""
        if not share.offered and self._free:
            self._free -= 1
            share.taken += 1
            return True
        if not share.offered and share not in self._waiting:
            self._waiting[share] = None
            any(other.spare() for other in self._shares if other is not share and other.taken)
        if share.offered:
            share.offered -= 1
            return True
        return False

    def leave(self, share: Share) -> None:
        """See `Share`."""
        share.taken -= 1
        if not self._waiting:
            self._free += 1
            return
        needy = min(self._waiting, key=lambda other: other.taken)
        del self._waiting[needy]
        needy.taken += 1
        needy.offered += 1
        needy.ring()

    def content(self, share: Share) -> None:
        """See `Share`."""
        self._waiting.pop(share, None)
        while share.offered:
            share.offered -= 1
            self.leave(share)

    def close(self, share: Share) -> None:
        """See `Share`."""
        self._shares.remove(share)
        self.content(share)

    def wanted(self, share: Share, messages: int) -> bool:
        """See `Share.must_yield`."""
        if not self._waiting:
            return False
        fewest = min((other.taken for other in self._waiting if other is not share), default=share.taken)
        return fewest + 1 < share.taken or (fewest == 0 < share.taken and messages >= TURN)

    def wanted_by_others(self, share: Share) -> bool:
        """See `Share.crowded`."""
        return bool(self._waiting.keys() - {share})
