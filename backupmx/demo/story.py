"""The story of an outage, told with real mail: mail flows, the primary goes away and comes back, and the books balance.

Knows: the scenes and their order, and how long each may take.
Does not know: how anything is shown, or how the server does it.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from backupmx.core.status import PrimaryState, Status
from backupmx.core.words import size
from backupmx.demo.instance import USER, Instance, Trouble
from backupmx.demo.ledger import Arrival, Ledger, Letter
from backupmx.demo.letters import DOMAIN, KINDS, letters
from backupmx.demo.primary import Primary
from backupmx.demo.view import Lines, Screen, View

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SEED = 1
HELD = 40
"""Letters that come in during the outage."""
STEP_S = 15.0
"""What any one step may take."""
LOOK_S = 0.05
EVERY_S = 2.0
"""Gentle mail, after the story."""
ROUND = 30
AWAY = 10
"""Of each round of gentle letters, those that come while the primary is away once more."""


class _Stopped(BaseException):
    """Somebody pressed Ctrl-C, or asked the process to end."""


def run(once: bool) -> int:
    """Tell the story; returns 0 when no mail was lost, else 1. On a terminal it stays until Ctrl-C, unless `once`."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _listen(_stop)
    try:
        return _run(stay=sys.stdout.isatty() and not once)
    except _Stopped:
        print("backupmx: the story was broken off", file=sys.stderr)
        return 1
    except Trouble as trouble:
        print(f"backupmx: {trouble}", file=sys.stderr)
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    _listen(signal.SIG_IGN)  # once is enough
    raise _Stopped


def _listen(handler: Callable[[int, FrameType | None], NoReturn] | signal.Handlers) -> None:
    for number in SIGNALS:
        signal.signal(number, handler)


def _run(stay: bool) -> int:
    with ExitStack() as stack:
        ledger = Ledger()
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="backupmx-demo-"))
        primary = stack.enter_context(closing(Primary(lambda *message: ledger.arrive(Arrival.of(*message)))))
        instance = stack.enter_context(closing(Instance(Path(place), primary.port)))
        view: View = Lines()
        if stay:
            view = stack.enter_context(Screen(Console(), _invitation(instance)))
        story = Story(instance, primary, ledger, view, letters(SEED))
        try:
            good = story.tell()
            if good and stay:
                _stay(story)
        except Trouble as trouble:
            raise Trouble(f"{trouble}\n{instance.tale()}") from trouble
        finally:
            # what is being put away must not be interrupted
            _listen(signal.SIG_IGN)
        return 0 if good else 1


def _stay(story: "Story") -> None:
    story.view.scene("6. Gentle mail goes on, with a short outage now and then")
    try:
        while True:
            story.go_on()
    except _Stopped:
        pass  # as it is meant to end


def _invitation(instance: Instance) -> str:
    return f"The page: {instance.page}   user: {USER}   password: {instance.password}\nCtrl-C ends it all."


@dataclass(slots=True)
class Story:
    """Who takes part, and the scenes."""

    instance: Instance
    primary: Primary
    ledger: Ledger
    view: View
    post: Iterator[Letter]

    def tell(self) -> bool:
        """All scenes in order; whether the books balance. Raises Trouble."""
        self._mail_flows()
        self._primary_goes()
        self._mail_is_held()
        self._primary_returns()
        status, balance = self.instance.status(), self.ledger.balance()
        self.view.pulse(status, balance)
        good = balance.even and not (status.queue.quarantined or status.queue.damaged or status.queue.held)
        self.view.end(balance, good)
        return good

    def go_on(self) -> None:
        """Gentle mail without end, with a short outage in each round, so that the page has something to show. Raises Trouble."""
        for number in range(ROUND):
            if number == ROUND - AWAY:
                self.primary.go()
            self._send(1)
            resume = time.monotonic() + EVERY_S
            while time.monotonic() < resume:
                self._look()
                time.sleep(EVERY_S / 4)
        self.primary.come()

    def _mail_flows(self) -> None:
        self.view.scene("1. Mail flows through to the primary")
        self.primary.come()
        self.instance.start()
        self.view.tell(f"backupmx serve and backupmx web run; the page is at {self.instance.page}")
        self._send(len(KINDS))
        self._until(self._all_arrived, "the first mail has reached the primary")
        self.view.tell(f"{len(KINDS)} messages passed on to it while their senders wait: {', '.join(KINDS)}")

    def _primary_goes(self) -> None:
        self.view.scene("2. The primary goes away")
        self.primary.go()
        self._send(1)
        self._until(lambda status: _state(status) is PrimaryState.DOWN, "the primary is seen to be down")
        self.view.tell("connections to it are refused; Backup MX has noticed")

    def _mail_is_held(self) -> None:
        self.view.scene("3. Mail keeps coming, and is held")
        self._send(HELD)
        held = self.ledger.balance().messages - len(KINDS)
        self._until(lambda status: status.queue.messages == held, f"{held} messages wait")
        shown = self.instance.shown()
        if (shown.queue.messages, _state(shown)) != (held, PrimaryState.DOWN):
            raise Trouble(f"the page shows {shown.queue.messages} waiting messages and a primary that is {_state(shown)}")
        self.view.tell(f"{held} messages accepted, {size(shown.queue.bytes)}; the page shows them, and that the primary is down")

    def _primary_returns(self) -> None:
        self.view.scene("4. The primary returns")
        before, began = self.ledger.balance().delivered, time.monotonic()
        self.primary.come()
        self._until(lambda _: self.ledger.balance().delivered > before, "the first held message has left")
        self.view.tell(f"the first held message reached it after {time.monotonic() - began:.1f} s")
        self.view.scene("5. The queue drains")
        self._until(lambda status: self._all_arrived(status) and status.queue.messages == 0, "the queue is empty")
        self.view.tell(f"the queue was empty after {time.monotonic() - began:.1f} s")

    def _send(self, count: int) -> None:
        for letter, id in self.instance.send(islice(self.post, count)):
            self.ledger.accept(letter, id)

    def _all_arrived(self, _status: Status) -> bool:
        return self.ledger.balance().lost == 0

    def _until(self, true: Callable[[Status], bool], what: str) -> None:
        deadline = time.monotonic() + STEP_S
        while not true(self._look()):
            if time.monotonic() > deadline:
                raise Trouble(f"not within {STEP_S:.0f} s: {what}")
            time.sleep(LOOK_S)

    def _look(self) -> Status:
        status = self.instance.status()
        self.view.pulse(status, self.ledger.balance())
        return status


def _state(status: Status) -> PrimaryState:
    return next(domain.primary.state for domain in status.domains if domain.domain == DOMAIN)
