"""What the page asks of the running server.

Knows: the questions of the control socket that a page needs.
Does not know: the socket, HTTP, HTML.
"""

from collections.abc import Iterator
from typing import Protocol

from backupmx.control.protocol import (
    Account,
    AnyAnswer,
    AnyRequest,
    CheckToken,
    Done,
    GetAccount,
    GetMetrics,
    GetStatus,
    ListQueue,
    Refused,
    Row,
    ShowMessage,
    StatusAnswer,
    Text,
)
from backupmx.core.status import Status
from backupmx.errors import ControlUnavailable


class Control(Protocol):
    """What `backupmx.control.client.ControlClient` does. Each method raises ControlUnavailable."""

    def ask(self, request: AnyRequest) -> AnyAnswer:
        """One question, one answer."""

    def listing(self, request: ListQueue) -> Iterator[Row]:
        """Rows, newest first."""


class Questions:
    """Each question with the one kind of answer that fits it; any other raises ControlUnavailable."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def status(self) -> Status:
        """The status document."""
        answer = self._control.ask(GetStatus())
        if not isinstance(answer, StatusAnswer):
            raise _misfit(answer)
        return answer.status

    def metrics(self) -> str:
        """Prometheus' text form."""
        answer = self._control.ask(GetMetrics())
        if not isinstance(answer, Text):
            raise _misfit(answer)
        return answer.text

    def message(self, id: str) -> Row | Refused:
        """One message by its id, or why there is none to show."""
        answer = self._control.ask(ShowMessage(id))
        if not isinstance(answer, Row | Refused):
            raise _misfit(answer)
        return answer

    def account(self, name: str) -> Account | None:
        """A user of the page."""
        answer = self._control.ask(GetAccount(name))
        return answer if isinstance(answer, Account) else None

    def knows(self, token: str) -> bool:
        """Whether this token opens the API."""
        return isinstance(self._control.ask(CheckToken(token)), Done)

    def listing(self, request: ListQueue) -> Iterator[Row]:
        """Messages, newest first."""
        return self._control.listing(request)


def _misfit(answer: AnyAnswer) -> ControlUnavailable:
    said = "; ".join(answer.problems) if isinstance(answer, Refused) else f"an unexpected {type(answer).__name__}"
    return ControlUnavailable(f"the server answered with {said}")
