"""How long a client may keep us waiting.

Knows: the time-outs of RFC 5321 section 4.5.3.2, and what counts as progress.
Does not know: the clock; it is given seconds of the loop's time.

One deadline, written when something happens and looked at now and then: no timer belongs to a connection.
"""

COMMAND_S = 300.0
"""RFC 5321 section 4.5.3.2.7."""
DATA_BLOCK_S = 180.0
"""RFC 5321 section 4.5.3.2.5."""
PROGRESS_S = 600.0
"""Without a message in this time a connection ends, whatever commands keep it busy."""
SLOWEST = 500
"""Octets of content a second, on the average, that make progress (Postfix's smtpd_min_data_rate)."""
LINGER_S = 5.0
"""How long a client that was cut off may go on sending."""


class Patience:
    """The deadline of one connection."""

    __slots__ = ("_progress_by", "deadline")

    def __init__(self, now: float) -> None:
        self._progress_by = now + PROGRESS_S
        self.deadline = now + COMMAND_S

    def command(self, now: float) -> None:
        """Something was said; that alone is no progress."""
        self.deadline = min(now + COMMAND_S, self._progress_by)

    def message(self, now: float) -> None:
        """A message begins, or was answered."""
        self._progress_by = now + PROGRESS_S
        self.command(now)

    def content(self, now: float, octets: int) -> None:
        """Content came. A drop now and then does not hold a connection for ever."""
        self._progress_by += octets / SLOWEST
        self.deadline = min(now + DATA_BLOCK_S, self._progress_by)

    def linger(self, now: float) -> None:
        """The last word was said."""
        self.deadline = now + LINGER_S
