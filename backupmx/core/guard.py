"""Whether a primary that refuses mail is to be believed: one that comes back wrong must destroy nothing (I10).

Knows: what has come of recipients since the primary came back, and of late.
Does not know: the primary, who is known to exist, what is done about a doubt.

A primary that lost its users, its disk or its configuration answers as one that works: with `550`. So after an outage a refusal
is believed once the primary has taken somebody; one of a recipient whom it is known to have had, most refusals of the first ten,
or a long run of nothing else at any time, takes more: that it vouches for somebody it had.
"""

from collections.abc import Callable, Mapping

from backupmx.core.outcome import Delivered, Failed, Outcome, Reply

TRIAL = 10
"""Recipients after a return that are on trial."""
MOST_REFUSED = 3
"""Of these."""
RUN = 10
"""Refusals without one acceptance between them, at any time."""


class Guard:
    """One route's."""

    def __init__(self) -> None:
        self._left = 0
        self._refused = 0
        self._taken = 0
        self._run = 0

    def returned(self) -> None:
        """The primary is back from an outage: it is on trial."""
        self._left, self._refused, self._taken, self._run = TRIAL, 0, 0, 0

    def trust(self) -> None:
        """It has vouched for somebody whom it had, or an admin did for it."""
        self._left = self._run = 0

    @property
    def on_trial(self) -> bool:
        """Whether it has still to show that it is as it was."""
        return self._left > 0

    @property
    def canaries(self) -> int:
        """How many messages of a domain may be on their way at a time, while it is on trial: 1, 2, 4 …"""
        return 1 << min(self._taken, TRIAL)

    def doubt(self, outcomes: Mapping[str, Outcome], known: Callable[[str], bool]) -> Reply | None:
        """Take note of what came of some recipients; the refusal that makes the primary doubtful, if one does."""
        refused = {
            address: outcome for address, outcome in outcomes.items() if isinstance(outcome, Failed) and outcome.by_primary
        }
        trial = self.on_trial
        taken = sum(isinstance(outcome, Delivered) for outcome in outcomes.values())
        self._taken += taken
        self._run = 0 if taken else self._run + len(refused)
        self._refused += len(refused)
        self._left = max(0, self._left - taken - len(refused))
        words = next((outcome.reply for outcome in refused.values()), None)
        if trial:
            for address, outcome in refused.items():
                if outcome.of_recipient and known(address):
                    return outcome.reply
            if self._refused > MOST_REFUSED or not self._taken:
                return words
        return words if self._run >= RUN else None
