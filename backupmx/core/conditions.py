"""What is wrong now, in words for an admin who was woken by it.

Knows: at which figures somebody should know, how grave each is, how it is said, what helps.
Does not know: whether somebody was told already (`alerts`), where the facts come from.

What strangers said stands in it in printable characters alone, and cut short (I7).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from backupmx.core import notation, schedule, words
from backupmx.core.alerts import Condition, Key, Kind, Picture
from backupmx.core.events import cut
from backupmx.core.finding import Finding, Level
from backupmx.core.refusals import LATELY, Sudden
from backupmx.core.schedule import LONGEST_WINDOW
from backupmx.core.status import DomainStatus, PrimaryState, Status

WINDOW_STEPS = (50, 90)
"""Per cent of a holding window."""
ROOM_SHARES = (20, 5)
"""Per cent of what the spool could hold in all."""
ROOM_LASTS = (timedelta(days=1), timedelta(hours=6))
CERTIFICATE_LEFT = (timedelta(days=21), timedelta(days=3), timedelta(0))
DNS_TOPICS = ("mx", "addresses")
MANY_DEATHS = 3
OF_DOMAINS = frozenset({Kind.PRIMARY_DOWN, Kind.PRIMARY_SUSPECT, Kind.WINDOW, Kind.QUARANTINE, Kind.DAMAGED})


class Facts(Struct, frozen=True):
    """All from which it follows whether something is wrong."""

    status: Status
    room: int
    """Octets that may still be accepted."""
    used: int
    """Octets that the spool holds."""
    expires: datetime
    """The certificate that senders see."""
    lasts: timedelta | None = None
    """How long the room lasts at the present rate; None: for long."""
    findings: tuple[Finding, ...] | None = None
    """What the checks found; None while they have not been made."""
    deaths: Mapping[str, int] = {}
    """How often each process died unasked, within the last hour."""
    sudden: Mapping[str, Sudden] = {}
    delivered: Mapping[str, int] = {}
    """Recipients of each domain, since there are books."""


def picture(facts: Facts, remembered: Iterable[Key]) -> Picture:
    """All that is wrong; and of what is remembered, what cannot be told now, and what is none of ours any more."""
    keys = frozenset(remembered)
    strange = frozenset(key for key in keys if _is_strange(key, facts))
    unknown = frozenset(key for key in keys - strange if _is_unknown(key, facts))
    return Picture(tuple(_conditions(facts)), unknown, strange)


def _is_strange(key: Key, facts: Facts) -> bool:
    kind, subject = key
    if kind in OF_DOMAINS:
        return all(domain.domain != subject for domain in facts.status.domains)
    return kind is Kind.DNS and facts.findings is not None and all(each.subject != subject for each in _of_dns(facts))


def _is_unknown(key: Key, facts: Facts) -> bool:
    kind, subject = key
    if kind is Kind.DNS:
        return facts.findings is None or any(each.level is Level.UNKNOWN for each in _of_dns(facts) if each.subject == subject)
    state = next((domain.primary.state for domain in facts.status.domains if domain.domain == subject), None)
    # of one that is down nobody knows what it would refuse
    return (kind is Kind.PRIMARY_DOWN and state is PrimaryState.UNKNOWN) or (
        kind is Kind.PRIMARY_SUSPECT and state is not PrimaryState.UP
    )


def _conditions(facts: Facts) -> Iterator[Condition]:
    for domain in facts.status.domains:
        yield from _primary(domain, facts)
        yield from _window(domain, facts.status.time)
        yield from _for_an_admin(domain)
    yield from _room(facts)
    yield from _certificate(facts)
    yield from _dns(facts)
    yield from _books(facts.status)
    yield from _processes(facts.deaths)
    yield from _refusals(facts.sudden)


def _primary(domain: DomainStatus, facts: Facts) -> Iterator[Condition]:
    name, primary = domain.domain, domain.primary
    wait = "waits and is safe" if domain.messages == 1 else "wait and are safe"
    waits = f"{words.messages(domain.messages)} ({words.size(domain.bytes)}) {wait}" if domain.messages else "Nothing waits yet"
    if primary.state is PrimaryState.DOWN:
        since = primary.since or facts.status.time
        why = f": {_quoted(primary.last_error)}" if primary.last_error else ""
        said = (
            f"{_whose(domain)} has been down for {words.age(since, facts.status.time)}{why}. "
            f"{waits}{_left(domain, facts.status.time)}."
        )
        title = f"primary of {name} is down"
        delivered = facts.delivered.get(name, 0)
        yield Condition(Kind.PRIMARY_DOWN, name, title, said, grave=True, since=since, delivered=delivered)
    elif domain.doubtful:
        said = (
            f"{_whose(domain)} answers, but {_quoted(primary.last_error or '')}. Nothing more is given to it, "
            f"and nothing is lost. {waits}. If what it refuses is right: backupmx domain resume {name}"
        )
        yield Condition(Kind.PRIMARY_SUSPECT, name, f"primary of {name} refuses mail that it used to accept", said, grave=True)


def _whose(domain: DomainStatus) -> str:
    return f"The primary of {domain.domain}{f' ({domain.route})' if domain.route else ''}"


def _left(domain: DomainStatus, now: datetime) -> str:
    if not (domain.oldest and domain.holding_window_s):
        return ""
    left = domain.oldest + timedelta(seconds=domain.holding_window_s) - now
    return f"; the oldest can wait for another {words.span(left)}" if left > timedelta(0) else ""


def _window(domain: DomainStatus, now: datetime) -> Iterator[Condition]:
    window = timedelta(seconds=domain.holding_window_s)
    used = schedule.alert(domain.oldest, window, now, WINDOW_STEPS) if domain.oldest and window else 0
    if not domain.oldest or not used:
        return
    longer = notation.spell_duration(min(2 * window, LONGEST_WINDOW))
    said = (
        f"The oldest message for {domain.domain} has used up {used} % of its holding window; "
        f"{words.span(domain.oldest + window - now)} are left. "
        f"To keep all that waits longer: backupmx domain set {domain.domain} holding_window={longer}"
    )
    title = f"mail for {domain.domain} has used up {used} % of its time"
    level = WINDOW_STEPS.index(used) + 1
    yield Condition(Kind.WINDOW, domain.domain, title, said, grave=level == len(WINDOW_STEPS), level=level)


def _for_an_admin(domain: DomainStatus) -> Iterator[Condition]:
    name = domain.domain
    if count := domain.quarantined:
        are = "is" if count == 1 else "are"
        said = (
            f"{words.messages(count)} for {name} {are} in quarantine: refused for good, and the senders may not be told. "
            f"To look: backupmx queue list --state quarantined --domain {name}"
        )
        yield Condition(Kind.QUARANTINE, name, f"mail for {name} in quarantine", said, grave=False, level=count)
    if count := domain.damaged:
        are = "is" if count == 1 else "are"
        said = (
            f"{words.messages(count)} for {name} {are} damaged, perhaps by a failing disk; the others are not touched by it. "
            f"To look: backupmx spool verify, and backupmx queue list --state damaged --domain {name}"
        )
        yield Condition(Kind.DAMAGED, name, f"damaged mail for {name}", said, grave=True, level=count)


def _room(facts: Facts) -> Iterator[Condition]:
    if not facts.room:
        said = "There is no room left for mail: senders are told to come again later, until there is. What is held can still go."
        yield Condition(Kind.ROOM, "", "no room for mail", said, grave=True, level=3)
        return
    share = facts.room * 100 // (facts.room + facts.used)
    level = sum(share < step for step in ROOM_SHARES)
    if facts.lasts is not None:
        level = max(level, sum(facts.lasts < step for step in ROOM_LASTS))
    if level:
        rate = f", enough for {words.span(facts.lasts)} at the present rate" if facts.lasts is not None else ""
        said = f"There is room for {words.size(facts.room)} of mail, {share} % of what can be held{rate}."
        yield Condition(Kind.ROOM, "", "little room for mail", said, grave=level > 1, level=level)


def _certificate(facts: Facts) -> Iterator[Condition]:
    left = facts.expires - facts.status.time
    level = sum(left <= step for step in CERTIFICATE_LEFT)
    if level:
        when = f"{facts.expires:%Y-%m-%d %H:%M} UTC"
        over = left <= timedelta(0)
        said = f"The certificate that senders see expired at {when}." if over else f"It expires in {words.span(left)}, at {when}."
        title = "certificate has expired" if over else f"certificate expires in {words.span(left)}"
        yield Condition(
            Kind.CERTIFICATE, "", title, f"{said} A new one is taken by itself when its files change.", level > 1, level
        )


def _of_dns(facts: Facts) -> list[Finding]:
    return [each for each in facts.findings or () if each.topic in DNS_TOPICS]


def _dns(facts: Facts) -> Iterator[Condition]:
    bad: dict[str, list[str]] = {}
    for each in _of_dns(facts):
        if each.level is Level.BAD:
            bad.setdefault(each.subject, []).append(f"{_quoted(each.said)} {_quoted(each.mend)}".strip())
    for subject, said in bad.items():
        yield Condition(Kind.DNS, subject, f"DNS of {_quoted(subject) or 'this machine'} is wrong", " ".join(said), grave=True)


def _books(status: Status) -> Iterator[Condition]:
    if count := status.queue.difference:
        said = (
            f"The books do not balance: of {words.recipients(count)} it is not known what became of the mail. "
            "The log tells whose. To look for what is wrong: backupmx spool verify"
        )
        yield Condition(Kind.BOOKS, "", "the books do not balance", said, grave=True, level=count)


def _processes(deaths: Mapping[str, int]) -> Iterator[Condition]:
    for name, count in deaths.items():
        often = f", {count} times within the last hour" if count > 1 else ""
        said = f"The process {name} died and was started anew{often}. The log has more; what it had accepted is safe."
        yield Condition(Kind.PROCESS, name, f"process {name} died", said, grave=count >= MANY_DEATHS, level=count)


def _refusals(sudden: Mapping[str, Sudden]) -> Iterator[Condition]:
    minutes = LATELY // timedelta(minutes=1)
    for reason, each in sudden.items():
        said = (
            f"{each.lately:,} refusals in the last {minutes} minutes because of {reason}, where {each.usually:,} are usual. "
            "The log tells whose."
        )
        yield Condition(Kind.REFUSALS, reason, f"many refusals ({reason})", said, grave=False, level=each.lately)


def _quoted(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in cut(text))
