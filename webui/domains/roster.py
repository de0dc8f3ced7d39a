"""A domain's recipients, for operators: a list that is to count, one that waits, and what is known of one address.

Knows: how large a list may be here, what of it comes and goes.
Does not know: how lists are read and kept, who may change them.
"""

from dataclasses import dataclass

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from backupmx.control import handing
from backupmx.control.answers import Refused
from backupmx.control.requests import ListRecipients
from backupmx.core.path import mailbox
from backupmx.core.roll import MOST_LOST
from backupmx.core.roster import parse
from webui.control import Questions
from webui.domains.sheet import known, nobody, told
from webui.frame import still
from webui.tongue import gettext as _
from webui.tongue import ngettext

LIST_LIMIT = 2 * 2**20
"""Octets of a form with a list: some sixty thousand addresses. For more there are the command line and the HTTP API."""
LISTS = {"pages.preview_list", "pages.hand_in_list"}
COMPARED = 100_000
"""Entries of today's list, up to which it is told who comes and goes."""
PAGE = 1000
NAMED = 10
"""Addresses that are named in a preview."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was made of a text."""

    locals: frozenset[str]
    problems: tuple[str, ...]
    others: int
    """Addresses of other domains, which are left out."""

    @property
    def broken(self) -> bool:
        """Whether more of it is faults than addresses."""
        return not self.locals


@dataclass(frozen=True, slots=True)
class News:
    """How it differs from the list that counts today."""

    today: int
    come: tuple[str, ...]
    go: tuple[str, ...]

    @property
    def waits(self) -> bool:
        """Whether so many are missing that it takes somebody's word."""
        return len(self.go) > self.today * MOST_LOST


def make_room(app: Flask) -> None:
    """A list is longer than any other form; only who may hand one in is read at such length."""

    @app.before_request
    def room_for_a_list() -> None:
        if request.endpoint in LISTS and current_user.is_authenticated and current_user.may_act:
            request.max_content_length = request.max_form_memory_size = LIST_LIMIT


def install(pages: Blueprint, questions: Questions) -> None:  # noqa: C901 - one door after the other
    """Its doors."""

    @pages.post("/domains/<name>/list/preview")
    def preview_list(name: str) -> ResponseReturnValue:
        status = questions.status()
        found = known(questions, status, name)
        if found is None:
            return nobody(status, name)
        file, domain = request.files.get("file"), found[0].sheet.domain
        text = handing.text_of(file.read()) if file and file.filename else request.form.get("text", "")
        read = _read(text, domain)
        adopted = found[0].lists.adopted
        small = adopted is None or adopted.entries <= COMPARED
        return render_template(
            "domain_list.html",
            status=status,
            domain=domain,
            read=read,
            news=_news(questions, domain, read.locals) if small and not read.broken else None,
            today=adopted.entries if adopted else 0,
            text="\n".join(f"{local}@{domain}" for local in sorted(read.locals)),
            named=NAMED,
            **still(),
        )

    @pages.post("/domains/<name>/list")
    def hand_in_list(name: str) -> ResponseReturnValue:
        status = questions.status()
        found = known(questions, status, name)
        if found is None:
            return nobody(status, name)
        domain = found[0].sheet.domain
        read = _read(request.form.get("text", ""), domain)
        if read.broken:
            flash(_("No address of %(domain)s is in the list: nothing was changed.", domain=domain), "trouble")
        else:
            lists = questions.hand_in(domain, read.locals, current_user.name)
            if isinstance(lists, Refused):
                told(lists)
            elif lists.waiting:
                flash(
                    _("The list lacks more than a tenth of the one before it, and waits for approval."),
                    "trouble",
                )
            else:
                flash(_counts(handing.newest(lists).entries), "done")
        return _back(domain)

    @pages.post("/domains/<name>/list/approve")
    def approve_list(name: str) -> ResponseReturnValue:
        lists = questions.approve(name, current_user.name)
        if told(lists) and not isinstance(lists, Refused):
            flash(_counts(lists.adopted.entries if lists.adopted else 0), "done")
        return _back(name)

    @pages.post("/domains/<name>/verify")
    def verify_recipient(name: str) -> ResponseReturnValue:
        address = request.form.get("address", "").strip()[:320]
        found = mailbox(f"{address.rpartition('@')[0] or address}@{name}".encode(errors="surrogateescape"))
        if found is None:
            flash(_("That is no address."), "trouble")
        else:
            answer = questions.verify(name, found.local)
            if not isinstance(answer, Refused):
                flash(_("The primary says: %(said)s", said=answer.said), "done")
            told(answer)
        return redirect(url_for("pages.domain", name=name, address=address, _anchor="recipients"), 303)


def _back(domain: str) -> ResponseReturnValue:
    return redirect(url_for("pages.domain", name=domain, _anchor="recipients"), 303)


def _counts(entries: int) -> str:
    return ngettext("A list of %(num)s address counts from now on.", "A list of %(num)s addresses counts from now on.", entries)


def _read(text: str, domain: str) -> Read:
    roster = parse(text, domain)
    ours = frozenset(handing.spelt(local) for name, local in roster.entries if name == domain)
    others = sum(name != domain for name, _local in roster.entries)
    # as over HTTP: what is mostly faults is no list
    return Read(frozenset() if handing.faults(roster) > len(roster.entries) else ours, roster.problems, others)


def _news(questions: Questions, domain: str, locals: frozenset[str]) -> News:
    today: set[str] = set()
    after: str | None = None
    while rows := questions.recipients(ListRecipients(domain, after, PAGE)):
        today.update(row.local for row in rows if row.listed)
        after = rows[-1].local
        if len(rows) < PAGE:
            break
    return News(len(today), tuple(sorted(locals - today)), tuple(sorted(today - locals)))
