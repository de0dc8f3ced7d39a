"""Closes leases: the outcomes go to the spool, the log and the metrics; the next attempt is set, the sender is told.

Knows: the spool's settle, the retry times, the holding windows.
Does not know: how outcomes came about.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, partial

from backupmx.config import Settings
from backupmx.core import hops, judge, schedule
from backupmx.core.ids import MessageId
from backupmx.core.message import NOTICES, Fate, Kind, Lease, Message, Notice, State
from backupmx.core.outcome import Deferred, Delivered, Failed, Outcome, Reply
from backupmx.core.queue import Filter
from backupmx.courier.alarm import Alarm, Timer
from backupmx.courier.notifier import Notifier
from backupmx.errors import MessageDamaged, SpoolFull
from backupmx.ports import Chronicle, Clock, Spool
from backupmx.watch import log, metrics

LEASE = timedelta(hours=1)
"""Longer than the longest transaction: the time-out after the dot, and that of a slow line."""
LATEST_START = timedelta(minutes=15)
"""A message whose lease ends sooner is not begun."""
STALE = timedelta(seconds=2)
"""A lease that is older is looked at again: an admin may have acted meanwhile."""
BATCH = 200
QUARANTINE = timedelta(days=30)
"""How long an admin has to look at what could not be given back."""
DELAY = timedelta(hours=4)
"""After which a sender may be told that a message waits (RFC 5321 section 4.5.4.1)."""
NOTICE_WINDOW = timedelta(days=2)
"""How long a notification is tried: nobody looks for one that comes later."""
FULL_PAUSE_S = 1.0
Learn = Callable[[str, str, Reply], None]
"""Told a domain, a local part, and what its primary said when it was given a message for it."""
_NAMES = {Delivered: "delivered", Deferred: "deferred", Failed: "failed"}


class Ledger:
    """What is known of leased messages before and after the primary is asked."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        notifier: Notifier,
        clock: Clock,
        timer: Timer,
        wake: Callable[[], None],
        learn: Learn | None = None,
        chronicle: Chronicle | None = None,
    ) -> None:
        """`wake` is called when a notification is there to be carried."""
        self._chronicle = chronicle
        self._learn = learn
        self._wake = wake
        self._notifier = notifier
        self._delivery = settings.delivery
        self._windows = {name: domain.holding_window for name, domain in settings.domains.items()} | {NOTICES: NOTICE_WINDOW}
        self._policies = {name: domain.tls for name, domain in settings.domains.items()}
        self._spool = spool
        self._clock = clock
        self._timer = timer
        # finding a counter by its labels costs as much as counting
        self._attempts = cache(metrics.ATTEMPTS.labels)
        self._by_tls = cache(metrics.DELIVERY_TLS.labels)
        self._alerted: dict[str, int] = {}
        """The last alert for each domain."""
        self.owner = f"courier@{settings.hostname}"

    async def lease(self, domain: str, limit: int) -> Sequence[Lease]:
        """Up to `limit` messages that are due now; none, and no transaction, when nothing is."""
        now = self._clock()
        due = self._spool.next_due(domain)
        if due is None or due > now:
            return ()
        return await self._spool.lease(domain, self.owner, now, now + LEASE, limit)

    async def hurry(self, domain: str, after: datetime | None = None) -> bool:
        """What waits for an attempt later than that, or than now, is due now. Returns whether any did."""
        some = False
        while True:
            now = self._clock()
            hurried = await self._spool.hurry(domain, after or now, now, BATCH)
            some = some or hurried > 0
            if hurried < BATCH:
                return some

    async def mend_dues(self, domain: str) -> bool:
        """What is due later than can be was put off by a clock that was ahead, and is due now. Returns whether any was."""
        latest = self._clock() + self._delivery.retry_max + LEASE
        last = self._spool.last_due(domain)
        return last is not None and last > latest and await self.hurry(domain, latest)

    def next_due(self, domain: str) -> datetime | None:
        """The earliest due message, or end of a lease."""
        return self._spool.next_due(domain)

    def content(self, lease: Lease) -> Iterator[bytes]:
        """Once more from the beginning. Raises MessageDamaged."""
        return self._spool.content(lease.message.id)

    def time_left(self, lease: Lease) -> float:
        """Seconds until the lease ends."""
        return (lease.until - self._clock()).total_seconds()

    async def screen(self, lease: Lease) -> Iterator[bytes] | None:
        """The content, or None for a message that was settled without asking the primary."""
        now = self._clock()
        message = lease.message
        if now > lease.until - LATEST_START:
            await self.close(lease, {})
            return None
        if now > lease.until - LEASE + STALE:
            current = self._spool.get(message.id)
            if current is None or current.hold:
                await self.close(lease, {})
                return None
        if schedule.expired(message.window_began, self._windows[lease.domain], now):
            # given back, so that it is late like any other; due later, or another carrier would have it before that
            await self._settle(lease, {}, now, now + self._delivery.retry_min)
            await self._expire(lease.domain, (message,), now)
            return None
        try:
            received, content = hops.count(self._spool.content(message.id))
        except MessageDamaged as error:
            await self.set_aside(lease, error)
            return None
        if received >= hops.LIMIT:
            await self._fail(lease, judge.LOOP)
            return None
        return content

    async def expire(self, domain: str) -> None:
        """The end of what has waited for as long as the domain's holding window: to the sender, or into quarantine."""
        while True:
            now = self._clock()
            late = self._spool.late(domain, now - self._windows[domain], now, BATCH)
            if late:
                await self._expire(domain, late, now)
            if len(late) < BATCH:
                return

    async def _expire(self, domain: str, late: Sequence[Message], now: datetime) -> None:
        notices = {each.id: self._written(partial(self._notifier.expired, each, domain, now)) for each in late}
        done = await self._spool.expire(domain, notices, now - self._windows[domain], now)
        log.expired(domain, tuple(done))
        for message in late:
            self._notified(message, done.get(message.id, ()))

    def alert(self, domain: str) -> None:
        """Say so when the oldest message has used up half of its window, and again when little is left."""
        now, window = self._clock(), self._windows[domain]
        oldest = next(iter(self._spool.late(domain, now, now, 1)), None)
        part = schedule.alert(oldest.window_began, window, now) if oldest else 0
        if oldest and part > self._alerted.get(domain, 0):
            log.window_used(domain, part, oldest.window_began + window - now)
        self._alerted[domain] = part

    async def warn(self, domain: str) -> None:
        """Tell senders whose mail waits for long, if they want to know; each message is looked at once."""
        while True:
            now = self._clock()
            waiting = self._spool.unwarned(domain, now - DELAY, BATCH)
            if not waiting:
                return
            window = self._windows[domain]
            notices: dict[MessageId, Notice] = {}
            for message in waiting:
                until = message.window_began + window
                for notice in self._written(partial(self._notifier.delayed, message, domain, now, until)):
                    notices[message.id] = notice
            await self._spool.warn(domain, waiting[-1].id, notices, now)
            for message in waiting:
                if message.id in notices:
                    self._notified(message, (notices[message.id],))

    async def discard(self) -> None:
        """Remove what has been in quarantine for so long that nobody will look at it any more."""
        after: MessageId | None = None
        while True:
            now = self._clock()
            page = self._spool.page(Filter(state=State.QUARANTINED), after, BATCH)
            old = [message.id for message in page.messages if _set_aside_at(message) < now - QUARANTINE]
            if old:
                removed = await self._spool.remove(old, "retention", f"in quarantine for {QUARANTINE.days} days", now)
                log.admin_did("remove", "retention", removed, f"in quarantine for {QUARANTINE.days} days")
            after = page.after
            if after is None:
                return

    async def close(self, lease: Lease, outcomes: Mapping[str, Outcome]) -> None:
        """Settle; recipients without an outcome are due again at once, unless others were deferred."""
        now = self._clock()
        due = schedule.untried(lease.message.arrived, now)
        if any(isinstance(outcome, Deferred) for outcome in outcomes.values()):
            deferrals = lease.message.schedule[lease.domain].deferrals
            due = now + schedule.backoff(deferrals, self._delivery.retry_min, self._delivery.retry_max)
        notices = await self._settle(lease, outcomes, now, due)
        told = {address for notice in notices if notice.kind is Kind.FAILED for address in notice.about}
        for address, outcome in outcomes.items():
            self._tell(lease, address, outcome, now, due, returned=address in told)
        self._notified(lease.message, notices)

    async def _settle(self, lease: Lease, outcomes: Mapping[str, Outcome], now: datetime, due: datetime) -> Sequence[Notice]:
        """What cannot be recorded must not be followed by more of the same: on a full disk this waits until it can be."""
        notices = self._written(partial(self._notifier.settled, lease.message, lease.domain, outcomes, now))
        told = False
        while True:
            try:
                return await self._spool.settle(lease, outcomes, now, due, notices)
            except SpoolFull as error:
                if not told:
                    log.trouble(f"settling {lease.message.id}", error)
                told = True
                await Alarm(self._timer).wait(FULL_PAUSE_S)

    async def set_aside(self, lease: Lease, error: MessageDamaged) -> None:
        """A message that cannot be read goes no further; one that an admin removed meanwhile is only gone."""
        if self._spool.get(lease.message.id) is not None:
            await self._spool.set_aside(lease.message.id, str(error), self._clock())
            log.damaged(lease.message.id, str(error))

    async def _fail(self, lease: Lease, reply: Reply) -> None:
        await self.close(lease, {address: Failed(reply, "") for address in lease.recipients})

    @staticmethod
    def _written(write: Callable[[], Sequence[Notice]]) -> Sequence[Notice]:
        """A fault in what we write must not undo what the primary said: then nothing is written, and an admin decides."""
        try:
            return write()
        except Exception as error:  # noqa: BLE001 - as above
            log.trouble("notification", error)
            return ()

    def _notified(self, message: Message, notices: Sequence[Notice]) -> None:
        for notice in notices:
            metrics.NOTICES.labels(notice.kind.value).inc()
            log.notified(message.id, notice.id, notice.kind.value, message.envelope.sender)
        if notices:
            self._wake()

    def _tell(self, lease: Lease, address: str, outcome: Outcome, now: datetime, due: datetime, *, returned: bool) -> None:
        id, reply = lease.message.id, str(outcome.reply)
        if lease.domain != NOTICES:
            self._count(lease, address, outcome, now)
        if isinstance(outcome, Delivered):
            log.delivered(id, address, outcome.host, reply, outcome.tls, now - lease.message.arrived)
        elif isinstance(outcome, Deferred):
            log.deferred(id, address, outcome.host, reply, due.isoformat(timespec="seconds"))
        elif returned:
            log.returned(id, address, outcome.host, reply)
        else:
            log.quarantined(id, address, outcome.host, reply)

    def _count(self, lease: Lease, address: str, outcome: Outcome, now: datetime) -> None:
        self._attempts(lease.domain, _NAMES[type(outcome)]).inc()
        # whoever gets the content exists; a no is worth a question, if it says so in so many words
        if self._learn and (isinstance(outcome, Delivered) or (outcome.host and judge.names_nobody(outcome.reply))):
            self._learn(lease.domain, address.rpartition("@")[0], outcome.reply)
        if isinstance(outcome, Delivered):
            wait = now - lease.message.arrived
            if self._chronicle is not None:
                self._chronicle.delivered(lease.domain, wait, now)
            metrics.DELAY_SECONDS.observe(wait.total_seconds())
            metrics.DELIVERY_SECONDS.observe((now - lease.until + LEASE).total_seconds())
            self._by_tls(self._policies[lease.domain], "tls" if outcome.tls else "plain").inc()


def _set_aside_at(message: Message) -> datetime:
    """When the last of its recipients was quarantined."""
    return max((each.at for each in message.progress.values() if each.fate is Fate.QUARANTINED), default=message.arrived)
