"""When somebody is told of what is wrong: once, again when it has become worse or lasts, and when it is over; never in a storm.

Knows: the life of a condition, from its beginning to the all-clear.
Does not know: what is wrong now (`conditions`), what a message says (`alert_text`), who carries it, what time it is.

A condition that comes and goes is one condition: it is over after a time of quiet, which is longer the oftener it came back. What
may not be told now, in a maintenance window or soon after another message, stays as it is, and is told later if it is true then.
"""

from collections.abc import Iterable, Mapping, Set
from datetime import date, datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace


class Kind(StrEnum):
    """What is wrong, in a word; the label in the metrics."""

    PRIMARY_DOWN = "primary_down"
    PRIMARY_SUSPECT = "primary_suspect"
    WINDOW = "window"
    ROOM = "room"
    CERTIFICATE = "certificate"
    DNS = "dns"
    QUARANTINE = "quarantine"
    BOOKS = "books"
    DAMAGED = "damaged"
    PROCESS = "process"
    REFUSALS = "refusals"


COUNTED = frozenset({Kind.QUARANTINE, Kind.BOOKS, Kind.DAMAGED, Kind.PROCESS, Kind.REFUSALS})
"""Their level is a number of things, of which each further one is news; the others have a few steps, each told once."""
PASSING = frozenset({Kind.QUARANTINE, Kind.PROCESS, Kind.REFUSALS})
"""Nobody wants to know that they are over."""
PAUSE = timedelta(minutes=5)
"""Between two messages: what comes meanwhile is told together."""
QUIET = timedelta(minutes=5)
"""After which a condition is over; twice as long for each time that it came back."""
LONGEST_QUIET = timedelta(hours=12)
MORE = timedelta(hours=1)
"""Before it is told that the number of something has grown again."""
FORGOTTEN = timedelta(days=1)
"""After which it is as if a condition had never been."""
_DOUBLINGS = 10
WEEK = 7
"""Days."""

Key = tuple[Kind, str]


class Condition(Struct, frozen=True):
    """Something that is wrong now."""

    kind: Kind
    subject: str
    """Whose: a domain, a process, a reason; empty: this machine's."""
    title: str
    said: str
    """In a sentence or two, for an admin; in printable characters."""
    grave: bool
    """Whether somebody has to act; of others nobody is reminded."""
    level: int = 1
    since: datetime | None = None
    """Not given: since it was seen."""
    delivered: int = 0
    """Recipients of the domain's messages whose mail was delivered up to now, to tell later how many there were meanwhile."""

    @property
    def key(self) -> Key:
        """One condition at a time has it."""
        return self.kind, self.subject


class Picture(Struct, frozen=True):
    """All that is wrong now."""

    conditions: tuple[Condition, ...]
    unknown: Set[Key] = frozenset()
    """Whether these hold cannot be told now."""
    strange: Set[Key] = frozenset()
    """Their subjects are none of ours any more."""


class Trace(Struct, frozen=True, omit_defaults=True):
    """What is remembered of a condition; it changes only when there is something new, for it is in a file."""

    kind: Kind
    subject: str
    since: datetime
    delivered: int = 0
    level: int = 0
    """That was told; 0: nothing was."""
    told: datetime | None = None
    """The last time."""
    gone: datetime | None = None
    """Since when it does not hold."""
    over: datetime | None = None
    """When it was over."""
    returns: int = 0
    """How often it came back after that."""

    @property
    def key(self) -> Key:
        """That of its condition."""
        return self.kind, self.subject


class What(StrEnum):
    """What is told of a condition."""

    BEGAN = "began"
    WORSE = "worse"
    LASTS = "lasts"
    OVER = "over"


class Tiding(Struct, frozen=True):
    """Something to tell: a condition, or of one that is over what is remembered of it."""

    what: What
    trace: Trace
    condition: Condition | None = None


class Manner(Struct, frozen=True):
    """How the admin wants to be told."""

    grace: timedelta = timedelta(minutes=10)
    """How long a primary may be down before it is worth a word."""
    reminder: timedelta = timedelta(days=1)


class Memory(Struct, frozen=True, omit_defaults=True):
    """What outlives a restart, so that nothing is told twice."""

    traces: tuple[Trace, ...] = ()
    spoke: datetime | None = None
    """When something was told last."""
    muted: datetime | None = None
    """Until then nothing is told."""
    digested: date | None = None
    """The end of the time that the last digest was about."""


def step(
    memory: Memory, picture: Picture, now: datetime, manner: Manner, *, listening: bool = True
) -> tuple[Memory, tuple[Tiding, ...]]:
    """What is to be told now, all in one message, and what is remembered afterwards.

    `listening`: whether there is anybody to be told.
    """
    may_speak = listening and not muted(memory, now) and not _spoke_just_now(memory, now)
    holding: Mapping[Key, Condition] = {condition.key: condition for condition in picture.conditions}
    begun = {key: _begun(condition, now) for key, condition in holding.items()}
    known = begun | {trace.key: trace for trace in memory.traces if trace.key not in picture.strange}
    traces: list[Trace] = []
    tidings: list[Tiding] = []
    for key, trace in known.items():
        condition = holding.get(key)
        after: Trace | None = trace
        what: What | None = None
        if condition is not None:
            after, what = _holds(trace, condition, now, manner, may_speak)
        elif key not in picture.unknown:
            after, what = _holds_not(trace, now, may_speak)
        if after is not None:
            traces.append(after)
        if what is not None:
            tidings.append(Tiding(what, trace, condition))
    return replace(memory, traces=tuple(traces), spoke=now if tidings else memory.spoke), tuple(tidings)


def muted(memory: Memory, now: datetime) -> bool:
    """Whether a maintenance window is open."""
    return memory.muted is not None and now < memory.muted


def _spoke_just_now(memory: Memory, now: datetime) -> bool:
    # a clock that was set back silences nobody
    return memory.spoke is not None and memory.spoke <= now < memory.spoke + PAUSE


def _begun(condition: Condition, now: datetime, returns: int = 0) -> Trace:
    return Trace(condition.kind, condition.subject, condition.since or now, condition.delivered, returns=returns)


def _holds(trace: Trace, condition: Condition, now: datetime, manner: Manner, may_speak: bool) -> tuple[Trace, What | None]:
    if trace.over is not None:
        trace = _begun(condition, now, trace.returns + 1)
    if trace.gone is not None:
        trace = replace(trace, gone=None)
    if condition.kind in COUNTED and condition.level < trace.level:
        # fewer: each further one is news again
        trace = replace(trace, level=condition.level)
    what = _to_tell(trace, condition, now, manner) if may_speak else None
    if what is not None:
        trace = replace(trace, level=max(condition.level, trace.level), told=now)
    return trace, what


def _to_tell(trace: Trace, condition: Condition, now: datetime, manner: Manner) -> What | None:
    if trace.told is None:
        grace = manner.grace if trace.kind is Kind.PRIMARY_DOWN else timedelta(0)
        return What.BEGAN if now - trace.since >= grace else None
    if condition.level > trace.level and (trace.kind not in COUNTED or now - trace.told >= MORE):
        return What.WORSE
    if condition.grave and now - trace.told >= manner.reminder:
        return What.LASTS
    return None


def _holds_not(trace: Trace, now: datetime, may_speak: bool) -> tuple[Trace | None, What | None]:
    if trace.over is not None:
        return (None if now - trace.over >= FORGOTTEN else trace), None
    if trace.gone is None:
        return replace(trace, gone=now), None
    if now - trace.gone < quiet(trace.returns):
        return trace, None
    if trace.told is None and not trace.returns:
        return None, None
    if trace.told is None or trace.kind in PASSING:
        return replace(trace, over=now), None
    return (replace(trace, over=now), What.OVER) if may_speak else (trace, None)


def quiet(returns: int) -> timedelta:
    """How long it must not be seen before it is over."""
    return min(QUIET * (1 << min(returns, _DOUBLINGS)), LONGEST_QUIET)


class Standing(Struct, frozen=True):
    """Something that is wrong now, and since when."""

    condition: Condition
    since: datetime
    told: datetime | None
    """When admins were told the last time; None: they were not."""


def standing(memory: Memory, conditions: Iterable[Condition], now: datetime) -> tuple[Standing, ...]:
    """Each condition with what is remembered of it."""
    known = {trace.key: trace for trace in memory.traces if trace.over is None}
    traces = ((condition, known.get(condition.key) or _begun(condition, now)) for condition in conditions)
    return tuple(Standing(condition, trace.since, trace.told) for condition, trace in traces)


class Answered(Struct, frozen=True):
    """What came of a message that was sent to one place."""

    place: str
    """Without what is secret."""
    why: str | None
    """It could not be sent; None: it was."""


DIGEST_HOUR = timedelta(hours=6)
"""In UTC: then a digest tells of the day, or the week, that is over."""
DAY = timedelta(days=1)


def digest_due(memory: Memory, now: datetime, days: int) -> tuple[Memory, tuple[datetime, datetime] | None]:
    """The time that a digest is to be about now, if one is due: from its first day to the one before its end.

    Nothing is told of what was before anybody wanted to know.
    """
    end = (now - DIGEST_HOUR).replace(hour=0, minute=0, second=0, microsecond=0)
    if days == WEEK:
        end -= end.weekday() * DAY
    if memory.digested is not None and memory.digested >= end.date():
        return memory, None
    due = None if memory.digested is None else (end - days * DAY, end)
    return replace(memory, digested=end.date()), due
