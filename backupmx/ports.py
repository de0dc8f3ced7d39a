"""The protocols between rooms. No third-party name stands here.

Knows: what a spool, the roll of recipients and a primary can be asked to do.
Does not know: any implementation.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from backupmx.core.alerts import Answered, Standing
from backupmx.core.amendment import Amended, Change, Outline, Sheet
from backupmx.core.belief import Learned, Word
from backupmx.core.books import Line
from backupmx.core.finding import Report
from backupmx.core.ids import MessageId
from backupmx.core.label import BackupLabel
from backupmx.core.message import Envelope, Lease, Message, Notice, Proof, Recipient
from backupmx.core.outcome import Outcome, Reply
from backupmx.core.queue import Census, Filter, Page, SpoolStats
from backupmx.core.roll import Entry, Lists
from backupmx.core.status import Primary, PrimaryState
from backupmx.core.track import Life, Lives, Passed, Wanted

Clock = Callable[[], datetime]
"""The time now, aware, in UTC; injected, so that tests need not sleep."""

Prove = Callable[[Envelope, bytes | None], Awaitable[Proof]]
"""How it is known that the sender is who it says it is; asked when a message is about to be held.

The content is what the client gave. Without it, since it is not in memory any more, no signature is looked for: the safe side.
"""


class Intake(Protocol):
    """One message coming in; invisible until `commit` returns."""

    async def write(self, chunk: bytes) -> None:
        """Take the next octets of content, of any length; waits when the store is behind. Raises SpoolFull, SpoolUnusable."""

    async def commit(self, envelope: Envelope, arrived: datetime, subject: str = "") -> None:
        """Return once content, envelope, due keys and counters are durable (I1). Raises SpoolFull, SpoolUnusable.

        Once begun it finishes, also when the caller is cancelled.
        """

    async def abandon(self) -> None:
        """Forget what came in; harmless after `commit`."""


class Spool(Protocol):
    """Holds mail: accept, lease, settle, and an admin's verbs. Each verb is one durable transaction."""

    @property
    def roll(self) -> "Roll":
        """What is known of recipients."""

    @property
    def track(self) -> "Track":
        """What became of messages; each verb that changes a message writes it down in its own transaction."""

    def room(self) -> int:
        """Octets that may still be accepted; 0 means `452 4.3.1`. Cheap enough for each MAIL."""

    def intake(self, id: MessageId) -> Intake:
        """ACCEPT: begin to take a message."""

    async def lease(self, domain: str, owner: str, now: datetime, until: datetime, limit: int) -> tuple[Lease, ...]:
        """LEASE: lend up to `limit` messages of `domain` that are due at `now`, oldest due first, and count the attempt.

        A lapsed lease is due like any other message.
        """

    async def settle(
        self, lease: Lease, outcomes: Mapping[str, Outcome], now: datetime, due: datetime, notices: Sequence[Notice] = ()
    ) -> Sequence[Notice]:
        """SETTLE: record one outcome for each recipient address; recipients without one stay pending.

        Delivered recipients are done, failed ones are returned if a notice tells of them, else quarantined, deferred ones wait
        until `due`. A message whose recipients are all delivered or returned is gone. One that is held keeps what was learned and
        stays held. One that was removed meanwhile stays gone. Returns the notices that came into the spool: not those that tell
        of recipients who came to another end meanwhile.
        """

    async def set_aside(self, id: MessageId, damage: str, now: datetime) -> None:
        """Mark a message as damaged: no due key, only an admin moves it."""

    def content(self, id: MessageId) -> Iterator[bytes]:
        """The content in chunks. Raises MessageDamaged before the last chunk is handed out if anything does not match."""

    def next_due(self, domain: str) -> datetime | None:
        """The earliest due key of a domain."""

    def last_due(self, domain: str) -> datetime | None:
        """The latest one."""

    def late(self, domain: str, upto: datetime, now: datetime, limit: int) -> tuple[Message, ...]:
        """Up to `limit` messages whose window began at `upto` or earlier, oldest first; neither held nor leased."""

    async def expire(
        self, domain: str, late: Mapping[MessageId, Sequence[Notice]], upto: datetime, now: datetime
    ) -> Mapping[MessageId, Sequence[Notice]]:
        """The end of the window for the domain's pending recipients of these messages, if they are late still.

        They are returned if a notice tells of them, else quarantined. Returns those messages, and the notices that came in.
        """

    def unwarned(self, domain: str, before: datetime, limit: int) -> tuple[Message, ...]:
        """Up to `limit` messages that wait for the domain, arrived before `before`, and behind the last one that `warn` named."""

    async def warn(self, domain: str, upto: MessageId, notices: Mapping[MessageId, Notice], now: datetime) -> None:
        """Take these notices of delay in, and do not name messages up to this one again."""

    async def hurry(self, domain: str, after: datetime, now: datetime, limit: int) -> int:
        """Make due at once what waits for an attempt later than `after`, up to `limit` messages of a domain; returns how many."""

    async def reclaim(self, owner: str, now: datetime) -> int:
        """Make due at once what a dead courier of this name had leased; returns how many."""

    async def hold(self, ids: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """Stop attempts; returns the ids that changed. Quarantined and damaged messages cannot be held."""

    async def release(self, ids: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """Held, quarantined or damaged → waiting, due at once; quarantined recipients become pending again."""

    async def retry(self, ids: Sequence[MessageId], now: datetime) -> tuple[MessageId, ...]:
        """Make waiting messages due at once; leased ones are left to their courier."""

    async def remove(self, ids: Sequence[MessageId], by: str, why: str, now: datetime) -> tuple[MessageId, ...]:
        """Delete; only an admin's wish leads here."""

    async def bounce(self, notice: Notice, id: MessageId, by: str, why: str, now: datetime) -> bool:
        """An admin's wish: whoever has not got the message is returned to the sender, by this notice; then it is gone.

        False, and nothing is done, when the notice does not tell of exactly those, or the message is leased, damaged or gone.
        """

    def books(self, since: int) -> Mapping[str, Mapping[int, Line]]:
        """What came in on each day since that one (of 1970), by domain and day, and what has become of it."""

    def census(self) -> Census:
        """All counts, at a cost that does not grow with the queue (I5)."""

    def get(self, id: MessageId) -> Message | None:
        """One message, or None."""

    def page(self, wanted: Filter, after: MessageId | None = None, limit: int = 50) -> Page:
        """Messages that match, newest first, older than `after`; stops early, with `after` set, rather than hold a long read."""

    def matching(self, prefix: str, limit: int = 2) -> tuple[MessageId, ...]:
        """Ids that begin with an abbreviation."""

    def stats(self) -> SpoolStats:
        """How full the store is."""


class Roll(Protocol):
    """What is known of recipients; kept beside the mail. Times are seconds on the primary's clock, days those of the calendar."""

    def recall(self, domain: str, local: str) -> Learned | None:
        """What was learned of one address. Cheap enough for each RCPT."""

    async def learn(self, domain: str, learned: Mapping[str, Learned | None]) -> None:
        """Keep what was learned, by local part; None forgets it."""

    def known(self, domain: str) -> int:
        """How many addresses of a domain are kept as known."""

    async def sweep(self, domain: str, word: Word, before: int) -> int:
        """Forget what of one kind was learned before that; returns how many."""

    def lists(self, domain: str) -> Lists:
        """The domain's lists in the spool."""

    def listed(self, domain: str, local: str) -> bool:
        """Whether today's list has this local part. Cheap enough for each RCPT."""

    async def begin_list(self, domain: str) -> int:
        """A new list comes, in the place of one that waited; returns its number."""

    async def enlist(self, domain: str, number: int, locals_: Sequence[str]) -> None:
        """A part of it. Nothing of it counts yet."""

    async def close_list(self, domain: str, number: int, most_lost: float) -> Lists:
        """It is complete: today's list from now on, or waiting for approval when it lacks more than that part of today's."""

    async def approve_list(self, domain: str) -> Lists:
        """The list that waits is today's from now on."""

    def page(self, domain: str, after: str, limit: int) -> tuple[Entry, ...]:
        """Up to `limit` addresses, in order, behind one local part."""

    async def count(self, domain: str, day: int, asked: int, answered: int) -> None:
        """So many more recipients were named on a day (since 1970), and so many could have been answered without the primary."""

    def counts(self, domain: str, since: int) -> tuple[int, int]:
        """The sums from that day on."""

    async def count_return(self, domain: str, network: str, times: int) -> None:
        """So many more recipients were taken from a network that cannot reach the primary."""

    def returns(self, domain: str) -> Mapping[str, int]:
        """By network, a thousand at most."""

    def clock(self, domain: str) -> int:
        """The primary's clock, as it was last kept."""

    async def set_clocks(self, clocks: Mapping[str, int]) -> None:
        """Keep the primaries' clocks."""


class Track(Protocol):
    """What became of each message: of those in the spool, and for a time of those that are gone."""

    def find(self, id: MessageId) -> Life | None:
        """What is known of one message."""

    def page(self, wanted: Wanted, after: MessageId | None = None, limit: int = 50) -> Lives:
        """Lives that match, newest arrival first, older than `after`; stops early, with `after` set, as `Spool.page` does.

        Raises ValueError for what is no beginning of an id.
        """

    async def note(self, passed: Sequence[Passed]) -> None:
        """Write down what primaries took in the session: many at a time, for it is history alone."""

    async def sweep(self, before: datetime) -> int:
        """Forget what ended before that; returns how many messages. Those in the spool are never forgotten."""


class Chronicle(Protocol):
    """Remembers how things went. Cheap: nobody waits for what is written of it."""

    def primary(self, domain: str, primary: Primary, now: datetime) -> None:
        """How a domain's primary is shown to people from now on, whether or not that is news."""

    def delivered(self, domain: str, wait: timedelta, now: datetime) -> None:
        """Somebody's mail was given back, that long after it came."""


class Alerts(Protocol):
    """Tells admins what is wrong."""

    @property
    def places(self) -> Sequence[str]:
        """Whom it tells, without what is secret."""

    @property
    def muted(self) -> datetime | None:
        """Until when it tells nothing, while there is a maintenance window."""

    async def standing(self) -> tuple[Standing, ...]:
        """What is wrong now."""

    async def test(self, by: str) -> tuple[Answered, ...]:
        """Send a message to each place; takes as long as a minute."""

    async def mute(self, until: datetime | None, by: str) -> None:
        """Tell nothing until then; None: from now on everything again."""


class Amendments(Protocol):
    """The configuration file, as far as domains go; each of these reads it, and may wait for a disk and for other people."""

    def outlines(self) -> tuple[Outline, ...]:
        """All domains, as they are in force."""

    def sheet(self, domain: str) -> Sheet:
        """What the file says of a domain; where it cannot be read, what is in force."""

    def amend(self, change: Change, domain: str, wanted: Mapping[str, str], made_from: str, *, dry_run: bool) -> Amended:
        """Change the file and have it taken, or tell what is wrong. Raises ConfigurationUnchanged, ConfigurationError."""


class Copies(Protocol):
    """Backups without mail, for somebody who is not on this machine. Each but `copy` may wait for a disk."""

    def copy(self, keys: Sequence[str]) -> AsyncGenerator[bytes, None]:
        """A new one, piece by piece, sealed for these keys if there are any. Raises BackupUnusable, also in the middle of it."""

    def begin(self) -> int:
        """One comes from elsewhere, in the place of any that came before; returns its number. Raises SpoolUnusable."""

    def add(self, number: int, octets: bytes) -> None:
        """The next part of it. Raises BackupUnusable, SpoolUnusable."""

    def look(self, number: int, identity: str) -> tuple[BackupLabel, tuple[str, ...]]:
        """What is in it, and what keeps it from being put in place. Raises BackupUnusable, SpoolUnusable."""

    def restore(self, number: int) -> BackupLabel:
        """From the next start on it is in place, and everything has to begin anew now. Raises BackupUnusable, SpoolUnusable."""


class Lookout(Protocol):
    """Whoever looks whether all is as it should be."""

    @property
    def report(self) -> Report:
        """What was found last."""

    async def look_again(self, domain: str) -> None:
        """Look at what one domain depends on."""


class Health(Protocol):
    """What all processes know of the primaries."""

    def state(self, domain: str) -> PrimaryState:
        """Whether its primary takes mail. Cheap enough for each RCPT."""

    def clock(self, domain: str) -> int:
        """Seconds that it was up, since we have known it."""


class Acquaintances(Protocol):
    """Who is known to exist, for whoever doubts a primary's word."""

    def knows(self, domain: str, local: str) -> bool:
        """Whether this one is known."""

    def some(self, domain: str) -> Sequence[str]:
        """A few who are known; with nobody known, who exists everywhere."""


class Handover(Protocol):
    """One transaction with a primary while the client is still there. Nothing here raises for trouble with the primary."""

    route: str
    """Its name: domains that have the same may share the transaction."""
    host: str
    """Who answers; empty until somebody does."""
    tls: str | None
    """TLS version and cipher of the way there, or None for plain text."""

    async def recipient(self, recipient: Recipient) -> Reply | None:
        """The primary's own word; None when the line broke or time ran out: it can be asked nothing any more."""

    @property
    def refuses_sender(self) -> bool:
        """Whether it said no to MAIL: that is its word for every recipient, and tells nothing of any of them."""

    async def write(self, content: bytes) -> None:
        """The next octets of content; returns when the primary has taken most of them."""

    async def finish(self) -> Reply | None:
        """What it says to the whole; None when that is not known: it may have the message, or not."""

    def abandon(self) -> None:
        """It is not to get this message. Harmless after the end."""

    @property
    def alive(self) -> bool:
        """Whether it may still be asked."""


class Primaries(Protocol):
    """The way to the primaries from within a session."""

    def reachable(self, domain: str) -> bool:
        """Whether it is worth the try."""

    async def route(self, domain: str) -> str:
        """The name of its route; empty when there is none."""

    async def hand_over(self, domain: str, envelope: Envelope, size: int) -> Handover | None:
        """Begin a transaction; the envelope may have no recipients yet. None when nobody can be reached now."""

    def doubt(self, domain: str) -> None:
        """The primary refused a recipient whom it had."""

    def cut(self) -> None:
        """End all handovers: they have no word to say any more."""

    async def verify(self, domain: str, locals_: Sequence[str]) -> Sequence[Reply] | None:
        """What the primary says to these recipients of a message from the null sender; None when it says nothing of them."""
