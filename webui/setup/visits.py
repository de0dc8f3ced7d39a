"""Those who are setting the machine up: who gave the right code, and what they have answered so far.

Knows: one visit for each browser, by a key in its cookie.
Does not know: what is asked, what becomes of it.

Answers stay in this process's memory: what is secret in them is in no page and in no cookie.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from flask import flash, session

from backupmx.control.answers import MachineAnswer
from backupmx.core.setup import Answers
from webui.tongue import gettext as _

KEY = "setup"
MOST = 16
"""All of them have the code: more than a few are one person's, in more than one browser."""


@dataclass(slots=True)
class Visit:
    """Of somebody who has the code."""

    code: str
    machine: MachineAnswer
    answers: Answers
    checked: bool = False
    """Whether the answers are without faults."""


class Visits:
    """The newest of them."""

    def __init__(self) -> None:
        self._visits: OrderedDict[str, Visit] = OrderedDict()

    def begin(self, code: str, machine: MachineAnswer) -> None:
        """The browser at hand has the code; what it brought along does not count."""
        session.clear()
        key = session[KEY] = secrets.token_urlsafe()
        self._visits[key] = Visit(code, machine, Answers("", "", machine.hostname, "admin", ""))
        while len(self._visits) > MOST:
            self._visits.popitem(last=False)

    @property
    def mine(self) -> Visit | None:
        """That of the browser at hand."""
        return self._visits.get(session.get(KEY, ""))

    def end(self) -> None:
        """The browser at hand is a stranger's again."""
        self._visits.pop(session.pop(KEY, ""), None)

    def end_all(self) -> None:
        """Nobody is to set anything up any more; those of other browsers hear it from the gate."""
        self.end()
        self._visits.clear()


def too_late() -> None:
    """Tell who was about to set the machine up that somebody else has."""
    if session.pop(KEY, ""):
        flash(_("Somebody else has set this machine up meanwhile: nothing of yours was written."), "trouble")
