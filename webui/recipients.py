"""A domain's recipients for programs: what is known of them, and a list that the primary puts in place itself.

Knows: the HTTP forms, how large a list may be, when a list is too broken to count.
Does not know: who may read or change, how lists are kept.
"""

import threading
from http import HTTPStatus
from typing import Annotated

import msgspec
from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from msgspec import UNSET, Meta, UnsetType

from backupmx.control import handing
from backupmx.control.answers import Refused
from backupmx.control.listing import as_recipient
from backupmx.control.requests import ListRecipients
from backupmx.core import notation, words
from backupmx.core.roster import parse
from webui.api import CUT, LIMIT, Limit, asked
from webui.control import Questions

LIST_LIMIT = 32 * 2**20
"""Octets of a list: a million addresses."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of the recipients is meant."""

    limit: Limit = LIMIT
    after: Annotated[str, Meta(pattern="@[^@]+$", description="The last `address` of the page before.")] | UnsetType = UNSET

    def request(self, domain: str) -> ListRecipients:
        """For the control socket. Raises ValueError."""
        if isinstance(self.after, UnsetType):
            return ListRecipients(domain, None, self.limit)
        local, at, name = self.after.rpartition("@")
        if not at or notation.domain(name) != domain:
            raise ValueError(f"after must be an address of {domain}")
        return ListRecipients(domain, local, self.limit)


def blueprint(questions: Questions) -> Blueprint:
    """The doors for programs."""
    doors = Blueprint("recipients", __name__)
    # one list at a time is taken apart: a large one takes a few hundred megabytes
    taking = threading.Lock()

    @doors.get("/api/v1/domains/<domain>/recipients")
    def get(domain: str) -> ResponseReturnValue:
        name = _domain(domain)
        try:
            wanted = asked(Parameters).request(name or "")
        except ValueError as error:
            if name is None or questions.recipients(ListRecipients(name, limit=1)) is None:
                return _no_domain()
            return {"error": str(error)[:CUT]}, HTTPStatus.BAD_REQUEST
        rows = questions.recipients(wanted) if name else None
        if rows is None:
            return _no_domain()
        return Response(msgspec.json.encode([as_recipient(row) for row in rows]), mimetype="application/json")

    @doors.put("/api/v1/domains/<domain>/recipients")
    def put(domain: str) -> ResponseReturnValue:
        name = _domain(domain)
        if name is None or questions.recipients(ListRecipients(name, limit=1)) is None:
            return _no_domain()
        request.max_content_length = LIST_LIMIT
        data = request.get_data(cache=False)
        with taking:
            return _take(questions, name, data)

    return doors


def _take(questions: Questions, domain: str, data: bytes) -> ResponseReturnValue:
    roster = parse(handing.text_of(data), domain)
    ours = {handing.spelt(local) for name, local in roster.entries if name == domain}
    problems = list(roster.problems)
    # no fault of the list: a primary may have one for all of its domains
    if others := sum(name != domain for name, _ in roster.entries):
        problems.append(f"left out: {words.addresses(others)} of other domains")
    if not ours:
        return {"error": f"no address of {domain} is in the list", "problems": problems}, HTTPStatus.BAD_REQUEST
    if handing.faults(roster) > len(roster.entries):
        return {"error": "more lines are problems than addresses", "problems": problems}, HTTPStatus.BAD_REQUEST
    lists = questions.hand_in(domain, ours, g.by)
    if isinstance(lists, Refused):
        status = HTTPStatus.NOT_FOUND if lists.missing else HTTPStatus.SERVICE_UNAVAILABLE
        return {"error": "; ".join(lists.problems)}, status
    if lists.waiting:
        problems.append(handing.lacking(domain, lists))
    new = handing.newest(lists)
    told = {"entries": new.entries, "waiting": lists.waiting is not None, "lost": new.lost, "problems": problems}
    return told, HTTPStatus.ACCEPTED if lists.waiting else HTTPStatus.OK


def _domain(text: str) -> str | None:
    try:
        return notation.domain(text)
    except ValueError:
        return None


def _no_domain() -> ResponseReturnValue:
    return {"error": "that is no domain of this server"}, HTTPStatus.NOT_FOUND
