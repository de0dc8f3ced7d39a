"""The domains: all of them at a glance, and each with its primary, its DNS, its recipients and its settings.

Knows: which questions make the pages, what an operator may have done about a domain at once.
Does not know: how it looks, who may act, how the file is changed (`webui.domains.change`).
"""

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from backupmx.control.answers import DomainAnswer, Refused
from backupmx.core import notation
from backupmx.core.finding import NAMES, Finding, Level, Report
from backupmx.core.history import Span
from backupmx.core.status import DomainStatus, Status
from webui import trends, words
from webui.control import Questions
from webui.domains import dns
from webui.domains import words as domain_words
from webui.frame import frame, partial
from webui.overview import Month, if_known
from webui.tongue import gettext as _

GRAVITY = (Level.BAD, Level.ODD, Level.UNKNOWN, Level.GOOD)


def install(pages: Blueprint, questions: Questions) -> None:
    """Its doors."""
    last_month = Month(questions)

    @pages.get("/domains")
    def domains() -> ResponseReturnValue:
        status = questions.status()
        report = if_known(questions.findings) or Report()
        outlines = {outline.domain: outline for outline in questions.domains()}
        return render_template(
            "domains.html",
            status=status,
            now=status.time,
            outlines=outlines,
            left=[domain for domain in status.domains if domain.domain not in outlines],
            levels={name: _worst(_of_dns(report.of(name), name, status)) for name in outlines},
            report=report,
            words_of=domain_words,
            **frame(),
        )

    @pages.get("/domains/<name>")
    def domain(name: str) -> ResponseReturnValue:
        status = questions.status()
        found = known(questions, status, name)
        if found is None:
            return nobody(status, name)
        answer, line = found
        month = if_known(lambda: last_month.told(questions.history(Span.HOUR), status.time))
        address = words.seen(request.args.get("address", "")).strip()[:320]
        return render_template(
            "domain.html",
            status=status,
            now=status.time,
            name=answer.sheet.domain,
            sheet=answer.sheet,
            domain=line,
            lists=answer.lists,
            outline=next((each for each in questions.domains() if each.domain == answer.sheet.domain), None),
            past=trends.past(month, answer.sheet.domain, status.time) if month else None,
            records=dns.rows(_of_dns(answer.findings, answer.sheet.domain, status)),
            others=_others(answer.findings),
            at=answer.at,
            looking=answer.looking,
            address=address,
            recipient=questions.recipient(answer.sheet.domain, _local(address)) if address and not partial() else None,
            words_of=domain_words,
            **frame(),
        )

    @pages.post("/domains/<name>/look")
    def look_again(name: str) -> ResponseReturnValue:
        if refused := questions.look_again(name):
            flash("; ".join(refused.problems), "trouble")
        return redirect(url_for("pages.domain", name=name, _anchor="dns"), 303)

    @pages.post("/domains/<name>/resume")
    def resume(name: str) -> ResponseReturnValue:
        if refused := questions.resume(name, current_user.name):
            flash("; ".join(refused.problems), "trouble")
        else:
            flash(_("%(domain)s: what its primary says is believed again.", domain=name), "done")
        return redirect(url_for("pages.domain", name=name), 303)


def known(questions: Questions, status: Status, name: str) -> tuple[DomainAnswer, DomainStatus | None] | None:
    """What is known of a domain; None if it is none of ours. Only mail for it may be left."""
    try:
        domain = notation.domain(name)
    except ValueError:
        return None
    answer = questions.domain(domain)
    line = next((each for each in status.domains if each.domain == domain), None)
    return (answer, line) if answer.sheet.there or line else None


def nobody(status: Status, name: str) -> ResponseReturnValue:
    """There is no such domain."""
    return render_template("domain_none.html", status=status, name=name, **frame()), 200 if partial() else 404


def told(answer: object) -> bool:
    """Whether it was done; what stood in the way is shown on the next page."""
    if isinstance(answer, Refused):
        flash("; ".join(answer.problems), "trouble")
    return not isinstance(answer, Refused)


def _of_dns(findings: Sequence[Finding], domain: str, status: Status) -> list[Finding]:
    """What DNS says of a domain, and of those names of this machine that it uses."""
    own = [each for each in findings if each.subject == domain and each.topic in ("mx", "mta-sts")]
    listed = {line.rsplit(maxsplit=1)[-1].rstrip(".") for each in own if each.dns for line in each.dns.found}
    listed.add(status.hostname)
    return own + [each for each in findings if each.topic in NAMES and (each.topic == "ptr" or each.subject in listed)]


def _others(findings: Sequence[Finding]) -> list[Finding]:
    """What was found of the domain's primary and recipients, what is to be mended first."""
    found = [each for each in findings if each.topic not in NAMES and each.topic not in ("mx", "mta-sts")]
    return sorted(found, key=lambda finding: GRAVITY.index(finding.level))


def _worst(findings: Sequence[Finding]) -> Level | None:
    return min((finding.level for finding in findings), key=GRAVITY.index, default=None)


def _local(address: str) -> str:
    return address.rpartition("@")[0] or address
