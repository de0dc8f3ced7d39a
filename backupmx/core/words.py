"""The status document in words: the same sentence on the page and in the terminal.

Knows: how to say counts, sizes and ages, and what matters most, in any language that is given.
Does not know: terminals, HTML, languages. It repeats no untrusted text: domains are the configured ones.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from backupmx.core.belief import Acquaintance
from backupmx.core.history import Month
from backupmx.core.status import DomainStatus, PrimaryState, Status
from backupmx.core.tongue import ENGLISH, Tongue


def sentence(status: Status) -> str:
    """The truth in one line: `sentences`, one after the other."""
    return " ".join(sentences(status))


def sentences(status: Status, tongue: Tongue = ENGLISH) -> tuple[str, ...]:
    """One to three of them, the one that matters most first."""
    queue = status.queue
    doubtful = [domain.domain for domain in status.domains if domain.doubtful]
    down = [domain for domain in status.domains if domain.primary.state is PrimaryState.DOWN]
    unknown = [domain.domain for domain in status.domains if domain.primary.state is PrimaryState.UNKNOWN]
    said = []
    if down:
        said.append(_clauses(_down(down, status.time, tongue), _safe(status, tongue), _left(status, tongue)))
    elif doubtful:
        said.append(_clauses(_doubtful(doubtful, tongue), _safe(status, tongue)))
    elif queue.messages:
        said.append(_waits(status, tongue))
    elif status.domains and not unknown:
        said.append(tongue.gettext("All is well: every primary is up, and nothing waits."))
    else:
        said.append(tongue.gettext("Nothing waits."))
    if unknown:
        said.append(
            tongue.ngettext(
                "The primary of %(names)s has not been heard of yet.",
                "The primaries of %(names)s have not been heard of yet.",
                len(unknown),
                names=_names(unknown, tongue),
            )
        )
    if each := set_aside(queue.held, queue.quarantined, queue.damaged, tongue):
        said.append(tongue.gettext("For an admin to see to: %(each)s.", each=tongue.listed(each)))
    return tuple(said)


def _clauses(*clauses: str) -> str:
    """Each of them could stand alone."""
    return f"{'; '.join(filter(None, clauses))}."


def _down(domains: Sequence[DomainStatus], now: datetime, tongue: Tongue) -> str:
    names = _names([domain.domain for domain in domains], tongue)
    since = min((domain.primary.since for domain in domains if domain.primary.since), default=None)
    if since is None:
        return tongue.ngettext(
            "The primary of %(names)s has been down", "The primaries of %(names)s have been down", len(domains), names=names
        )
    return tongue.ngettext(
        "The primary of %(names)s has been down for %(time)s",
        "The primaries of %(names)s have been down for %(time)s",
        len(domains),
        names=names,
        time=age(since, now, tongue),
    )


def _doubtful(names: Sequence[str], tongue: Tongue) -> str:
    return tongue.ngettext(
        "The server of %(names)s answers, but refuses mail that it used to accept",
        "The servers of %(names)s answer, but refuse mail that they used to accept",
        len(names),
        names=_names(names, tongue),
    )


def _safe(status: Status, tongue: Tongue) -> str:
    queue = status.queue
    if not queue.messages:
        return tongue.gettext("nothing waits yet")
    return tongue.ngettext(
        "%(num)s message (%(size)s) is safe",
        "%(num)s messages (%(size)s) are safe",
        queue.messages,
        size=size(queue.bytes, tongue),
    )


def _waits(status: Status, tongue: Tongue) -> str:
    queue = status.queue
    if not queue.oldest:
        return tongue.ngettext(
            "%(num)s message (%(size)s) waits.",
            "%(num)s messages (%(size)s) wait.",
            queue.messages,
            size=size(queue.bytes, tongue),
        )
    return tongue.ngettext(
        "%(num)s message (%(size)s) waits, the oldest for %(time)s.",
        "%(num)s messages (%(size)s) wait, the oldest for %(time)s.",
        queue.messages,
        size=size(queue.bytes, tongue),
        time=age(queue.oldest, status.time, tongue),
    )


def set_aside(held: int, quarantined: int, damaged: int, tongue: Tongue = ENGLISH) -> list[str]:
    """`3 held`, `1 damaged`: what waits for an admin, as far as there is any."""
    return [
        said
        for count, said in (
            (held, tongue.ngettext("%(num)s held", "%(num)s held", held)),
            (quarantined, tongue.ngettext("%(num)s quarantined", "%(num)s quarantined", quarantined)),
            (damaged, tongue.ngettext("%(num)s damaged", "%(num)s damaged", damaged)),
        )
        if count
    ]


def acquaintance(known: Acquaintance, tongue: Tongue = ENGLISH) -> str:
    """`214 known, 97 % of last week's could be answered`."""
    parts = [
        tongue.ngettext("%(num)s known", "%(num)s known", known.known)
        if known.known or known.listed
        else tongue.gettext("nobody known yet")
    ]
    if known.listed:
        parts.append(tongue.ngettext("%(num)s listed", "%(num)s listed", known.listed))
    if known.asked:
        # rounded down: 100 % is all of them
        part = tongue.number(known.answered * 100 // known.asked)
        parts.append(tongue.gettext("%(part)s %% of last week's could be answered", part=part))
    return ", ".join(parts)


def split(count: int, tongue: Tongue = ENGLISH) -> str:
    """`37 messages came from networks that reach only this server`."""
    return tongue.ngettext(
        "%(num)s message came from networks that reach only this server",
        "%(num)s messages came from networks that reach only this server",
        count,
    )


def addresses(count: int, tongue: Tongue = ENGLISH) -> str:
    """`1 address`, `1,234 addresses`."""
    return tongue.ngettext("%(num)s address", "%(num)s addresses", count)


def recipients(count: int, tongue: Tongue = ENGLISH) -> str:
    """`1 recipient`, `1,234 recipients`."""
    return tongue.ngettext("%(num)s recipient", "%(num)s recipients", count)


def outages(count: int, tongue: Tongue = ENGLISH) -> str:
    """`1 outage`, `3 outages`."""
    return tongue.ngettext("%(num)s outage", "%(num)s outages", count)


def month(found: Month, tongue: Tongue = ENGLISH) -> str:
    """`3 outages, 212 messages kept, 0 lost, longest wait 41 min`; a message counts once for each of its recipients."""
    return ", ".join(
        (
            outages(found.outages, tongue),
            tongue.ngettext("%(num)s message kept", "%(num)s messages kept", found.kept),
            tongue.ngettext("%(num)s lost", "%(num)s lost", found.lost),
            tongue.gettext("longest wait %(time)s", time=span(found.longest_wait, tongue)),
        )
    )


def messages(count: int, tongue: Tongue = ENGLISH) -> str:
    """`1 message`, `1,234 messages`."""
    return tongue.ngettext("%(num)s message", "%(num)s messages", count)


def size(octets: int, tongue: Tongue = ENGLISH) -> str:
    """`512 B`, `3.4 MiB`."""
    if octets < 1024:
        return f"{octets} B"
    value, unit = float(octets), ""
    for unit in ("KiB", "MiB", "GiB", "TiB"):  # noqa: B007 - the last one stays
        value /= 1024
        if value < 999.5:
            break
    return f"{value:.0f} {unit}" if value >= 99.95 else f"{tongue.number(value, 1)} {unit}"


def age(since: datetime, now: datetime, tongue: Tongue = ENGLISH) -> str:
    """How long it is from then to now: `45 s`, `2 h 5 min`, `3 d 4 h`; a moment to come counts as none."""
    return span(now - since, tongue)


def span(length: timedelta, tongue: Tongue = ENGLISH) -> str:
    """A length of time in its two largest units."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return tongue.gettext("%(seconds)s s", seconds=seconds)
    if seconds < 3600:
        return tongue.gettext("%(minutes)s min", minutes=seconds // 60)
    if seconds < 86400:
        hours, minutes = divmod(seconds // 60, 60)
        if not minutes:
            return tongue.gettext("%(hours)s h", hours=hours)
        return tongue.gettext("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)
    days, hours = divmod(seconds // 3600, 24)
    if not hours:
        return tongue.gettext("%(days)s d", days=days)
    return tongue.gettext("%(days)s d %(hours)s h", days=days, hours=hours)


def _left(status: Status, tongue: Tongue) -> str:
    """How long the message that must go first may still wait; each domain has a window of its own."""
    ends = [
        domain.oldest + timedelta(seconds=domain.holding_window_s)
        for domain in status.domains
        if domain.oldest and domain.holding_window_s
    ]
    if not ends or not status.queue.messages:
        return ""
    left = min(ends) - status.time
    if left <= timedelta(0):
        return tongue.gettext("the oldest is at the end of its time")
    return tongue.gettext("the oldest has %(time)s left", time=span(left, tongue))


def _names(names: Sequence[str], tongue: Tongue) -> str:
    if len(names) <= 3:
        return tongue.listed(names)
    return tongue.ngettext("%(num)s domain", "%(num)s domains", len(names))
