"""Values as pieces of HTML: moments, ages, untrusted text.

Knows: `<time>`, `<bdi>`, escaping.
Does not know: pages, requests.
"""

from datetime import UTC, datetime
from functools import partial

from flask import Flask
from markupsafe import Markup

from backupmx.core import words as common
from backupmx.core.belief import Acquaintance
from backupmx.core.decisions import decisions
from webui import names, tongue, verbs, words
from webui.tongue import gettext as _

REPLY_LIMIT = 240
"""Characters of a reply in a list; the message's own page shows more."""
TEXT_LIMIT = 4000
"""Characters of anything that a stranger wrote, wherever it stands."""


def untrusted(text: str, limit: int = TEXT_LIMIT) -> Markup:
    """A stranger's words: escaped, no longer than `limit`, and without influence on the text around them."""
    return Markup("<bdi>{}</bdi>").format(words.visible(words.clipped(text, limit)))


def time(at: datetime, said: str) -> Markup:
    """A moment, said in some words; the exact time as a title."""
    exact = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, words.moment(at), said)


def age(since: datetime, now: datetime) -> Markup:
    """How long ago."""
    return time(since, common.age(since, now, tongue))


def left(until: datetime, now: datetime) -> Markup:
    """How long from now."""
    return time(until, common.span(until - now, tongue) if until > now else _("none"))


def on_clock(at: datetime, now: datetime) -> Markup:
    """When, by the clock."""
    return time(at, words.clock(at, now))


def sender(address: str, limit: int = TEXT_LIMIT) -> Markup:
    """A reverse-path; the null one is told apart from a missing one."""
    if address:
        return untrusted(address, limit)
    return Markup('<span class="null">&lt;&gt; ({})</span>').format(_("a notification"))


def acquaintance(known: Acquaintance) -> str:
    """How well recipients are known, with no break before the per cent."""
    return common.acquaintance(known, tongue).replace(" %", "\u00a0%")


def teach(app: Flask) -> None:
    """Let the templates use all this."""
    app.jinja_env.filters.update(untrusted=untrusted, time=time, age=age, left=left, on_clock=on_clock, sender=sender)
    common_words = (common.size, common.messages, common.outages)
    app.jinja_env.filters.update(
        {said.__name__: partial(said, tongue=tongue) for said in common_words}, number=tongue.number, part_name=names.part
    )
    app.jinja_env.globals.update(words=words, names=names, verbs=verbs, acquaintance=acquaintance)
    app.jinja_env.globals.update(
        sentences=partial(common.sentences, tongue=tongue),
        decisions=partial(decisions, tongue=tongue),
        split=partial(common.split, tongue=tongue),
        month_went=partial(common.month, tongue=tongue),
    )
