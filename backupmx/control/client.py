"""The asking side of the control socket, for the command line and the page.

Knows: the socket, time-outs, and what to tell a person when nobody answers.
Does not know: what is asked, and what is done with the answer.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

import msgspec
from msgspec import structs

from backupmx.control.answers import AnyAnswer, AnyRow, Done, LifeRow, Piece, RecipientRow, Refused, Row
from backupmx.control.requests import (
    Act,
    ActMatching,
    AnyListing,
    AnyRequest,
    ApproveList,
    BeginList,
    Claim,
    CloseList,
    Enlist,
    GetBackup,
    ListQueue,
    ListRecipients,
    LookAtRestore,
    ReadMessage,
    Restore,
    TestAlerts,
    TrackMessages,
    VerifyRecipient,
)
from backupmx.core.track import Life
from backupmx.errors import ControlAbsent, ControlUnavailable

PAGE = 200
"""Rows held in memory while they are handed out."""
TIMEOUT_S = 60.0
"""For each other answer."""
SLOW = (
    *(Act, ActMatching, VerifyRecipient, BeginList, Enlist, CloseList, ApproveList, TestAlerts, Claim),
    *(GetBackup, LookAtRestore, Restore),
)
SLOW_S = 120.0
"""For these, whoever asks: a primary takes its time, and so does a slow card, a long list, or somebody else's server."""


class ControlClient:
    """Asks a running server; a connection for each question, so that threads may share it."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s

    def ask(self, request: AnyRequest) -> AnyAnswer:
        """One question, one answer. Raises ControlUnavailable."""
        with self._asked(request) as answers:
            return self._next(answers)

    def listing(self, request: ListQueue) -> Iterator[Row]:
        """Rows, newest first, asked for page by page: who reads them slowly holds no connection. Raises ControlUnavailable."""
        return (row for row in self._all(request) if isinstance(row, Row))

    def recipients(self, request: ListRecipients) -> Iterator[RecipientRow]:
        """Rows in the order of their local parts, asked for in the same way. Raises ControlUnavailable."""
        return (row for row in self._all(request) if isinstance(row, RecipientRow))

    def lives(self, request: TrackMessages) -> Iterator[Life]:
        """What became of messages, newest first, asked for in the same way. Raises ControlUnavailable."""
        return (row.life for row in self._all(request) if isinstance(row, LifeRow))

    def content(self, request: ReadMessage | GetBackup) -> Iterator[bytes]:
        """What a message says, or a backup, piece by piece, never held whole.

        Raises ControlUnavailable, also after the first of it.
        """
        with self._asked(request) as answers:
            while isinstance(answer := self._next(answers), Piece):
                yield answer.octets
        if not isinstance(answer, Done):
            raise ControlUnavailable("; ".join(getattr(answer, "problems", ("an answer that fits no content",))))

    def page(self, request: AnyListing) -> tuple[list[AnyRow], str | None] | Refused:
        """All rows of one request, and where the next page begins. Raises ControlUnavailable."""
        rows: list[AnyRow] = []
        with self._asked(request) as answers:
            while isinstance(answer := self._next(answers), AnyRow):
                rows.append(answer)
        if isinstance(answer, Done):
            return rows, answer.after
        return answer if isinstance(answer, Refused) else Refused(("an answer that fits no listing",))

    def _all(self, request: ListQueue | ListRecipients | TrackMessages) -> Iterator[AnyRow]:
        left = request.limit or sys.maxsize
        while left:
            page = self.page(structs.replace(request, limit=min(PAGE, left)))
            if isinstance(page, Refused):
                raise ControlUnavailable("; ".join(page.problems))
            rows, after = page
            yield from rows
            if after is None:
                return
            left -= len(rows)
            request = structs.replace(request, after=after)

    @contextmanager
    def _asked(self, request: AnyRequest) -> Iterator[BufferedReader]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(max(self._timeout_s, SLOW_S) if isinstance(request, SLOW) else self._timeout_s)
                connection.connect(str(self._path))
                connection.sendall(msgspec.json.encode(request) + b"\n")
                with connection.makefile("rb") as answers:
                    yield answers
        except OSError as error:
            trouble = ControlAbsent if isinstance(error, FileNotFoundError | ConnectionError) else ControlUnavailable
            raise trouble(f"{self._path}: {_why(error)}") from error

    def _next(self, answers: BufferedReader) -> AnyAnswer:
        line = answers.readline()
        if not line.endswith(b"\n"):
            raise ControlAbsent(f"{self._path}: the server went away in the middle of an answer")
        try:
            answer: AnyAnswer = msgspec.json.decode(line, type=AnyAnswer)
        except msgspec.MsgspecError as error:
            raise ControlUnavailable(f"{self._path}: an answer that this version does not know: {error}") from error
        return answer


def _why(error: OSError) -> str:
    match error:
        case FileNotFoundError() | ConnectionRefusedError():
            return "nobody answers; is `backupmx serve` running, with this configuration?"
        case PermissionError():
            return "this user may not ask; root may, and the members of the socket's group"
        case TimeoutError():
            return "the server does not answer in time"
        case _:
            return error.strerror or str(error)
