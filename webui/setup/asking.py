"""What the page asks of a machine that may be nobody's yet.

Knows: that a machine which was set up once stays so, for as long as this process lives.
Does not know: the socket, HTML.
"""

from typing import TypeVar

from backupmx.control.answers import AnyAnswer, CodeRefused, Done, MachineAnswer, Refused, SetupAnswer, SetupChecked, StatusAnswer
from backupmx.control.requests import BeginSetup, CheckSetup, Claim, GetSetup, GetStatus
from backupmx.core.setup import Answers
from backupmx.errors import ControlUnavailable
from webui.control import Control

A = TypeVar("A", bound=AnyAnswer)
Gone = SetupAnswer
"""In the place of any other answer: somebody has set it up."""


class Asking:
    """Each question with the answers that fit it; any other raises ControlUnavailable."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._closed = False

    def open(self) -> bool:
        """Whether it is still to be set up. Raises ControlUnavailable."""
        if self._closed:
            return False
        answer = self._control.ask(GetSetup())
        self._closed = isinstance(answer, SetupAnswer) and not answer.open
        # a server that knows no set-up has been set up
        return isinstance(answer, SetupAnswer) and answer.open

    def serving(self) -> bool:
        """Whether the server that comes afterwards answers already."""
        try:
            return isinstance(self._control.ask(GetStatus()), StatusAnswer)
        except ControlUnavailable:
            return False

    def begin(self, code: str) -> MachineAnswer | CodeRefused | Gone:
        """What can be told of the machine."""
        return self._fitting(self._control.ask(BeginSetup(code)), MachineAnswer)

    def check(self, code: str, answers: Answers, *, afresh: bool = False) -> SetupChecked | CodeRefused | Gone:
        """What is wrong with the answers, and what the network says to them."""
        return self._fitting(self._control.ask(CheckSetup(code, answers, afresh)), SetupChecked)

    def claim(self, code: str, answers: Answers) -> Done | Refused | SetupChecked | CodeRefused | Gone:
        """The machine is theirs, or why not; refused is what the machine itself cannot do."""
        answer = self._control.ask(Claim(code, answers))
        return answer if isinstance(answer, Done | Refused) else self._fitting(answer, SetupChecked)

    def _fitting(self, answer: AnyAnswer, kind: type[A]) -> A | CodeRefused | Gone:
        if isinstance(answer, kind | CodeRefused | SetupAnswer):
            return answer
        raise ControlUnavailable(f"an unexpected {type(answer).__name__}")
