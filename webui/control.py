"""What the page asks of the running server.

Knows: the questions of the control socket that a page needs.
Does not know: the socket, HTTP, HTML.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from backupmx.control import handing
from backupmx.control.protocol import (
    Account,
    AnyAnswer,
    AnyListing,
    AnyRequest,
    AnyRow,
    CheckToken,
    GetAccount,
    GetMetrics,
    GetStatus,
    Key,
    ListQueue,
    ListRecipients,
    RecipientRow,
    Refused,
    Row,
    ShowMessage,
    StatusAnswer,
    Text,
    TrackMessages,
)
from backupmx.core.roll import Lists
from backupmx.core.status import Status
from backupmx.core.track import Life
from backupmx.errors import ControlUnavailable


class Control(Protocol):
    """What `backupmx.control.client.ControlClient` does. Each method raises ControlUnavailable."""

    def ask(self, request: AnyRequest) -> AnyAnswer:
        """One question, one answer."""

    def listing(self, request: ListQueue) -> Iterator[Row]:
        """Rows, newest first."""

    def lives(self, request: TrackMessages) -> Iterator[Life]:
        """What became of messages, newest first."""

    def page(self, request: AnyListing) -> tuple[list[AnyRow], str | None] | Refused:
        """All rows of one request, and where the next page begins."""


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

    def key(self, token: str) -> Key | None:
        """What this token opens, if it is one."""
        answer = self._control.ask(CheckToken(token))
        return answer if isinstance(answer, Key) else None

    def listing(self, request: ListQueue) -> Iterator[Row]:
        """Messages, newest first."""
        return self._control.listing(request)

    def lives(self, request: TrackMessages) -> Iterator[Life]:
        """What became of messages, newest first."""
        return self._control.lives(request)

    def recipients(self, request: ListRecipients) -> list[RecipientRow] | None:
        """What is known of a domain's recipients; None when the domain is none of ours."""
        page = self._control.page(request)
        if isinstance(page, Refused):
            if page.missing:
                return None
            raise _misfit(page)
        return [row for row in page[0] if isinstance(row, RecipientRow)]

    def hand_in(self, domain: str, locals: Iterable[str], by: str) -> Lists | Refused:
        """Put a domain's whole list in place; the lists that it has then, or why this one does not count."""
        return handing.hand_in(self._control.ask, domain, locals, by)


def _misfit(answer: AnyAnswer) -> ControlUnavailable:
    said = "; ".join(answer.problems) if isinstance(answer, Refused) else f"an unexpected {type(answer).__name__}"
    return ControlUnavailable(f"the server answered with {said}")
