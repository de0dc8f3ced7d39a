"""The status document in words: the same sentence on the page and in the terminal.

Knows: how to say counts, sizes and ages, and what matters most.
Does not know: terminals, HTML. It repeats no untrusted text: domains are the configured ones.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from backupmx.core import notation, schedule
from backupmx.core.belief import Acquaintance
from backupmx.core.history import Month
from backupmx.core.schedule import LONGEST_WINDOW
from backupmx.core.status import DomainStatus, PrimaryState, Status


class Notice(Struct, frozen=True):
    """Something that a person is to decide, and the command that does it."""

    said: str
    command: str


_NOT_HEARD = ("has not been heard of yet", "have not been heard of yet")


def sentence(status: Status) -> str:
    """The truth in one line: `sentences`, one after the other."""
    return " ".join(sentences(status))


def sentences(status: Status) -> tuple[str, ...]:
    """One to three of them, the one that matters most first."""
    queue = status.queue
    doubtful = [domain for domain in status.domains if domain.doubtful]
    down = [domain for domain in status.domains if domain.primary.state is PrimaryState.DOWN]
    unknown = [domain.domain for domain in status.domains if domain.primary.state is PrimaryState.UNKNOWN]
    waiting = f"{messages(queue.messages)} ({size(queue.bytes)})" if queue.messages else "nothing"
    said = []
    if down:
        whose = [domain.domain for domain in down]
        since = min((domain.primary.since for domain in down if domain.primary.since), default=None)
        lasting = f" for {age(since, status.time)}" if since else ""
        is_are = "primary of {} has been" if len(down) == 1 else "primaries of {} have been"
        safe = (
            f"{waiting} {'is' if queue.messages == 1 else 'are'} safe{_left(status)}" if queue.messages else "nothing waits yet"
        )
        said.append(f"The {is_are.format(_names(whose))} down{lasting}; {safe}.")
    elif doubtful:
        one, more = "server of {} answers, but refuses mail that it", "servers of {} answer, but refuse mail that they"
        server = one if len(doubtful) == 1 else more
        safe = f"{waiting} {'is' if queue.messages == 1 else 'are'} safe" if queue.messages else "nothing waits yet"
        names = _names([domain.domain for domain in doubtful])
        said.append(f"The {server.format(names)} used to accept; {safe}.")
    elif queue.messages:
        oldest = f", the oldest for {age(queue.oldest, status.time)}" if queue.oldest else ""
        said.append(f"{waiting} {'waits' if queue.messages == 1 else 'wait'}{oldest}.")
    elif status.domains and not unknown:
        said.append("All is well: every primary is up, and nothing waits.")
    else:
        said.append("Nothing waits.")
    if unknown:
        said.append(f"The {'primary' if len(unknown) == 1 else 'primaries'} of {_names(unknown)} {_NOT_HEARD[len(unknown) > 1]}.")
    kept = [(queue.held, "held"), (queue.quarantined, "quarantined"), (queue.damaged, "damaged")]
    if any(count for count, _ in kept):
        each = _listed([f"{count} {word}" for count, word in kept if count])
        said.append(f"For an admin to see to: {each}.")
    return tuple(said)


def notices(status: Status) -> tuple[Notice, ...]:
    """What waits for somebody's decision, and is no message."""
    found = []
    if status.queue.difference:
        said = (
            f"The books do not balance: of {recipients(status.queue.difference)} it is not known what became of the mail. "
            "The log tells whose, and on which day. To look for what is wrong:"
        )
        found.append(Notice(said, "backupmx spool verify"))
    for domain in status.domains:
        if domain.doubtful:
            said = (
                f"{domain.domain}: your server refuses mail that it used to accept: nothing more is given to it, "
                "and nothing is lost. It goes on by itself when it is right again. If what it refuses is right:"
            )
            found.append(Notice(said, f"backupmx domain resume {domain.domain}"))
        if (part := _window_used(domain, status.time)) and domain.oldest:
            window = timedelta(seconds=domain.holding_window_s)
            said = (
                f"{domain.domain}: the oldest message has used up {part} % of the holding window; "
                f"{span(domain.oldest + window - status.time)} are left. To keep all that waits longer:"
            )
            longer = notation.spell_duration(min(2 * window, LONGEST_WINDOW))
            found.append(Notice(said, f"backupmx domain set {domain.domain} holding_window={longer}"))
        known = domain.acquaintance
        if known and known.waiting is not None:
            said = (
                f"{domain.domain}: a new list of {addresses(known.waiting)} waits, for it lacks {known.lost:,} of today's, "
                "which count until then. If the new one is right:"
            )
            found.append(Notice(said, f"backupmx recipients approve {domain.domain}"))
    return tuple(found)


def _window_used(domain: DomainStatus, now: datetime) -> int:
    window = timedelta(seconds=domain.holding_window_s)
    return schedule.alert(domain.oldest, window, now) if domain.oldest and window else 0


def acquaintance(known: Acquaintance) -> str:
    """`214 known, 97 % of last week's could be answered`."""
    parts = [f"{known.known:,} known" if known.known or known.listed else "nobody known yet"]
    if known.listed:
        parts.append(f"{known.listed:,} listed")
    if known.asked:
        # rounded down: 100 % is all of them
        parts.append(f"{known.answered * 100 // known.asked} % of last week's could be answered")
    return ", ".join(parts)


def split(count: int) -> str:
    """`37 messages came from networks that reach only this server`."""
    return f"{messages(count)} came from networks that reach only this server"


def addresses(count: int) -> str:
    """`1 address`, `1,234 addresses`."""
    return f"{count:,} address{'' if count == 1 else 'es'}"


def recipients(count: int) -> str:
    """`1 recipient`, `1,234 recipients`."""
    return f"{count:,} recipient{'' if count == 1 else 's'}"


def month(found: Month) -> str:
    """`3 outages, 212 messages kept, 0 lost, longest wait 41 min`; a message counts once for each of its recipients."""
    outages = f"{found.outages:,} outage{'' if found.outages == 1 else 's'}"
    return f"{outages}, {messages(found.kept)} kept, {found.lost:,} lost, longest wait {span(found.longest_wait)}"


def messages(count: int) -> str:
    """`1 message`, `1,234 messages`."""
    return f"{count:,} message{'' if count == 1 else 's'}"


def size(octets: int) -> str:
    """`512 B`, `3.4 MiB`."""
    if octets < 1024:
        return f"{octets} B"
    value, unit = float(octets), ""
    for unit in ("KiB", "MiB", "GiB", "TiB"):  # noqa: B007 - the last one stays
        value /= 1024
        if value < 999.5:
            break
    return f"{value:.0f} {unit}" if value >= 99.95 else f"{value:.1f} {unit}"


def age(since: datetime, now: datetime) -> str:
    """How long it is from then to now: `45 s`, `2 h 5 min`, `3 d 4 h`; a moment to come counts as none."""
    return span(now - since)


def span(length: timedelta) -> str:
    """A length of time in its two largest units."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    large, small = (("d", 86400), ("h", 3600)) if seconds >= 86400 else (("h", 3600), ("min", 60))
    rest = seconds % large[1] // small[1]
    return f"{seconds // large[1]} {large[0]}" + (f" {rest} {small[0]}" if rest else "")


def _left(status: Status) -> str:
    """How long the message that must go first may still wait; each domain has a window of its own."""
    ends = [
        domain.oldest + timedelta(seconds=domain.holding_window_s)
        for domain in status.domains
        if domain.oldest and domain.holding_window_s
    ]
    if not ends:
        return ""
    left = min(ends) - status.time
    return f"; the oldest has {span(left)} left" if left > timedelta(0) else "; the oldest is at the end of its time"


def _names(names: Sequence[str]) -> str:
    return _listed(names) if len(names) <= 3 else f"{len(names)} domains"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
