"""Waiting for something to happen, or for a time: whichever is first.

Knows: the event loop. Does not know: what is waited for.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Handle(Protocol):
    """A call that has not been made yet."""

    def cancel(self) -> None:
        """Do not make it."""


Timer = Callable[[float, Callable[[], object]], Handle]
"""Makes a call after so many seconds; injected, so that tests need not wait."""


def loop_timer(seconds: float, call: Callable[[], object]) -> Handle:
    """The running loop's own timer."""
    return asyncio.get_running_loop().call_later(seconds, call)


class Alarm:
    """Rung any number of times before it is waited for, it wakes the one who waits once."""

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._event = asyncio.Event()

    def ring(self) -> None:
        """End the wait; cheap."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return once it rang, or after this time at the latest."""
        handle = self._timer(seconds, self._event.set)
        try:
            await self._event.wait()
        finally:
            handle.cancel()
        self._event.clear()
