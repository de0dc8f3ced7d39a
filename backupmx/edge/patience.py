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
PRESSED_S = 30.0
"""Silence that is borne when places or memory run short (Postfix's stress behaviour: 10 s)."""
PRESSED_PROGRESS_S = 120.0
"""And the time without a message."""


class Patience:
    """The deadline of one connection."""

    __slots__ = ("_deadline", "_heard", "_progress_by")

    def __init__(self, now: float) -> None:
        self._progress_by = now + PROGRESS_S
        self._heard = now
        self._deadline = now + COMMAND_S

    def command(self, now: float) -> None:
        """A whole command was said; that alone is no progress."""
        self._heard = now
        self._deadline = min(now + COMMAND_S, self._progress_by)

    def message(self, now: float) -> None:
        """A message begins, or was answered."""
        self._progress_by = now + PROGRESS_S
        self.command(now)

    def content(self, now: float, octets: int) -> None:
        """Content came. A drop now and then does not hold a connection for ever."""
        self._heard = now
        self._progress_by += octets / SLOWEST
        self._deadline = min(now + DATA_BLOCK_S, self._progress_by)

    def waited(self, seconds: float) -> None:
        """It was we who kept the client waiting."""
        self._progress_by += seconds

    def linger(self, now: float) -> None:
        """The last word was said."""
        self._heard = self._progress_by = self._deadline = now + LINGER_S

    def ends(self, pressed: bool) -> float:
        """When patience is over; sooner while places or memory run short."""
        if not pressed:
            return self._deadline
        return min(self._deadline, self._heard + PRESSED_S, self._progress_by - PROGRESS_S + PRESSED_PROGRESS_S)
