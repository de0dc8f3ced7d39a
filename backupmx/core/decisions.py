"""What waits for somebody's decision, and is no message: said on the page and in the terminal, with the command that decides.

Knows: what of the status document calls for a person.
Does not know: terminals, HTML, languages. It repeats no untrusted text: domains are the configured ones.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from backupmx.core import notation, schedule, words
from backupmx.core.schedule import LONGEST_WINDOW
from backupmx.core.status import DomainStatus, Status
from backupmx.core.tongue import ENGLISH, Tongue


class Decision(Struct, frozen=True):
    """Something that a person is to decide, and the command that does it."""

    said: str
    command: str


def decisions(status: Status, tongue: Tongue = ENGLISH) -> tuple[Decision, ...]:
    """What waits for somebody's decision, and is no message."""
    found = []
    if status.queue.difference:
        said = tongue.gettext(
            "The books do not balance: of %(recipients)s it is not known what became of the mail. "
            "The log tells whose, and on which day. To look for what is wrong:",
            recipients=words.recipients(status.queue.difference, tongue),
        )
        found.append(Decision(said, "backupmx spool verify"))
    for domain in status.domains:
        if domain.doubtful:
            said = tongue.gettext(
                "%(domain)s: your server refuses mail that it used to accept: nothing more is given to it, "
                "and nothing is lost. It goes on by itself when it is right again. If what it refuses is right:",
                domain=domain.domain,
            )
            found.append(Decision(said, f"backupmx domain resume {domain.domain}"))
        if (part := _window_used(domain, status.time)) and domain.oldest:
            window = timedelta(seconds=domain.holding_window_s)
            said = tongue.gettext(
                "%(domain)s: the oldest message has used up %(part)s %% of the holding window; %(time)s are left. "
                "To keep all that waits longer:",
                domain=domain.domain,
                part=tongue.number(part),
                time=words.span(domain.oldest + window - status.time, tongue),
            )
            longer = notation.spell_duration(min(2 * window, LONGEST_WINDOW))
            found.append(Decision(said, f"backupmx domain set {domain.domain} holding_window={longer}"))
        known = domain.acquaintance
        if known and known.waiting is not None:
            said = tongue.gettext(
                "%(domain)s: a new list of %(addresses)s waits, for it lacks %(lost)s of today's, which count until then. "
                "If the new one is right:",
                domain=domain.domain,
                addresses=words.addresses(known.waiting, tongue),
                lost=tongue.number(known.lost),
            )
            found.append(Decision(said, f"backupmx recipients approve {domain.domain}"))
    return tuple(found)


def _window_used(domain: DomainStatus, now: datetime) -> int:
    window = timedelta(seconds=domain.holding_window_s)
    return schedule.alert(domain.oldest, window, now) if domain.oldest and window else 0
