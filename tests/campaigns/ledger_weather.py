"""The weather of a primary in the ledger campaign: what goes wrong with it, how often, and at which step.

It knows words and chances, and no sockets.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

DROP, SILENCE, TAKEN = "drop", "silence", "taken"
"""Instead of a reply: the line ends; nothing more is said; at the final dot: taken, and the line ends."""
TWICE, HALF = "twice", "250-this will never"
"""One reply too many, or one too few: whose the others are, nobody knows from there on."""
NOBODY = "550 5.1.1 no such user"
SOFT = (
    "450 4.2.0 later",
    "451-4.7.1 greylisted,\r\n451 4.7.1 come again",
    "452 4.3.1 full",
    "421 4.3.2 closing",
    "432 4.0.0 what is this",
    "503 5.5.1 out of step",
)
HARD = ("550 5.7.1 no", "554-5.6.0 I do not\r\n554-5.6.0 like\r\n554 5.6.0 it", "552 5.2.2 full")
WEIRD = ("nonsense", "250 2.0.0 yes", "354 go on", "\x00\xff", "777 5.0.0 what", DROP, DROP, SILENCE, TWICE, HALF)
IN_CONTENT = ("nonsense", "354 go on", "\x00\xff", DROP, DROP, SILENCE)
"""No yes among these: it would be taken for the one to the final dot."""
AT_DOT = (TAKEN, TAKEN, TAKEN + SILENCE, "250-2.0.0 it is\r\n250 2.0.0 mine", "259 taken", "nonsense", DROP, SILENCE)


@dataclass(frozen=True, slots=True)
class Weather:
    """How likely trouble is at each step."""

    trouble: Mapping[str, float] = field(default_factory=dict)
    soft: float = 0.6
    """Of the trouble, what is 4xx."""
    hard: float = 0.2
    """What is 5xx; the rest is worse."""


SILENCES = 2
"""For each step: somebody waits for the end of each. When they are used up, lines end instead."""
STEPS = ("CONNECT", "EHLO", "STARTTLS", "HANDSHAKE", "MAIL", "RCPT", "DATA", "BODY", "DOT", "RSET", "QUIT")
CALM = Weather()
PATCHY = Weather(dict.fromkeys(STEPS, 0.04) | {"RCPT": 0.1, "DOT": 0.1})
GREYLISTING = Weather({"RCPT": 0.7, "MAIL": 0.1}, soft=1.0)
STORM = Weather(dict.fromkeys(STEPS, 0.2) | {"RCPT": 0.3, "DOT": 0.4})
PICKY = Weather({"RCPT": 0.1, "DATA": 0.1, "DOT": 0.1}, soft=0.0, hard=1.0)
AMNESIA = Weather()
"""It came back wrong: everybody is nobody."""


class Mischief:
    """Decides what goes wrong with one primary; `weather` may be changed at any time."""

    def __init__(self, chance: random.Random) -> None:
        self.weather = CALM
        self._chance = chance
        self._silences = dict.fromkeys(STEPS, SILENCES)

    def at(self, step: str) -> str | None:
        """What goes wrong at this step, if something does."""
        likely = self.weather.trouble.get(step)
        if likely is None or self._chance.random() >= likely:
            return None
        kind = self._chance.random()
        if kind < self.weather.soft:
            return self._chance.choice(SOFT)
        if kind < self.weather.soft + self.weather.hard:
            return self._chance.choice(HARD)
        found = self._chance.choice({"DOT": AT_DOT, "BODY": IN_CONTENT}.get(step, WEIRD))
        if found.endswith((SILENCE, HALF)):
            self._silences[step] -= 1
            if self._silences[step] < 0:
                return TAKEN if found.startswith(TAKEN) else DROP
        return found
