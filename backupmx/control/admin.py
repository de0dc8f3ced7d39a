"""What may be asked and done about messages: listing, counting, showing, reading, an admin's verbs.

Knows: the spool's door, abbreviated ids, holding windows, which messages a verb moves.
Does not know: sockets, and who asks.

A look through the queue is many short reads; the loop is free in between, and what has a time to look stops at its end.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from backupmx.control.answers import AnyAnswer, Counted, Done, Piece, Refused, Row
from backupmx.control.requests import (
    MOVES,
    Act,
    ActMatching,
    CountMatching,
    ListQueue,
    MessageRequest,
    ReadMessage,
    ShowMessage,
    Verb,
)
from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.core.message import Message, Notice, State
from backupmx.core.notice import head
from backupmx.core.queue import Filter
from backupmx.ports import Clock, Spool
from backupmx.watch import log

PAGE = 50
"""Messages read in one go: the loop is free again after each page."""
IDS_LIMIT = 1000
SEARCH_S = 5.0
"""How long one request looks for messages to act on: a client waits for the answer."""


WriteBack = Callable[[Message, tuple[str, ...], str, datetime], Notice | None]
"""The notification that these recipients of a message will not get it, for this reason; None when nobody may be told."""


class Admin:
    """An admin's view of the spool."""

    def __init__(
        self,
        spool: Spool,
        clock: Clock,
        wake: Callable[[], None],
        windows: Mapping[str, timedelta],
        write_back: WriteBack,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write_back = write_back
        self._spool = spool
        self._clock = clock
        self._wake = wake
        self._windows = windows
        self._seconds = seconds

    async def answer(self, request: MessageRequest) -> AnyAnswer:
        """Each of these has one answer."""
        match request:
            case ShowMessage():
                return self.show(request)
            case Act():
                return await self.act(request)
            case CountMatching():
                return await self.count(request)
            case ActMatching():
                return await self.act_matching(request)

    # Looking

    async def listing(self, request: ListQueue) -> AsyncGenerator[AnyAnswer, None]:
        """Rows, page by page, then `Done` with where the next page begins; each page is a read of its own."""
        after, left = None, request.limit
        if request.after is not None:
            after, problem = self._resolve(request.after)
            if problem:
                yield Refused((problem,))
                return
        if problem := _problem(request.filter):
            yield Refused((problem,))
            return
        end = self._end(request.seconds)
        while True:
            page = self._spool.page(request.filter, after, min(PAGE, left) if request.limit else PAGE)
            for message in page.messages:
                yield self._row(message)
            after = page.after
            left -= len(page.messages)
            if after is None or (request.limit and left <= 0) or self._seconds() >= end:
                yield Done(after=after)
                return
            await asyncio.sleep(0)

    async def count(self, request: CountMatching) -> AnyAnswer:
        """How many messages a verb would move; of domains and states alone the counters tell it at once."""
        if problem := _problem(request.filter):
            return Refused((problem,))
        now = self._clock()
        known = self._by_counters(request.verb, request.filter)
        if known is not None:
            return Counted(known, all=True, upto=now)
        end, counted = self._end(request.seconds), 0
        async for found, after in self._moved(request.verb, request.filter, None, PAGE):
            counted += len(found)
            if after is not None and self._seconds() >= end:
                return Counted(counted, all=False, upto=now)
        return Counted(counted, all=True, upto=now)

    def _by_counters(self, verb: Verb, wanted: Filter) -> int | None:
        """None where they cannot tell: they know no texts and no times, nor who of those that wait is leased."""
        asked = set(State) if wanted.state is None else {wanted.state}
        if State.WAITING in asked:
            asked.add(State.LEASED)
        moved = asked.intersection(MOVES[verb])
        if wanted != Filter(domain=wanted.domain, state=wanted.state) or (State.WAITING in moved) is not (State.LEASED in moved):
            return None
        census = self._spool.census()
        counts = census.total if wanted.domain is None else census.domains.get(wanted.domain, {})
        return sum(count.messages for state, count in counts.items() if state in moved)

    async def _moved(
        self, verb: Verb, wanted: Filter, after: MessageId | None, limit: int
    ) -> AsyncGenerator[tuple[Sequence[MessageId], MessageId | None], None]:
        """Page by page, what a verb moves of what is meant, and where the next page begins."""
        while True:
            page = self._spool.page(wanted, after, limit)
            after = page.after
            yield [message.id for message in page.messages if message.state(wanted.domain) in MOVES[verb]], after
            if after is None:
                return
            await asyncio.sleep(0)

    def _end(self, seconds: float) -> float:
        return self._seconds() + seconds if seconds else math.inf

    def show(self, request: ShowMessage) -> AnyAnswer:
        """One message by id or abbreviation."""
        id, problem = self._resolve(request.id)
        message = self._spool.get(id) if id else None
        return self._row(message) if message else Refused((problem or f"{request.id}: no such message",))

    async def content(self, request: ReadMessage) -> AsyncGenerator[AnyAnswer, None]:
        """What a message says, piece by piece. Who reads more than the header is in the log before the first of it is out."""
        id, problem = self._resolve(request.id)
        if not request.by:
            problem = "who asks is not said"
        if problem or id is None or self._spool.get(id) is None:
            yield Refused((problem or f"{request.id}: no such message",))
            return
        pieces = self._spool.content(id)
        if request.header_only:
            yield Piece(head(next(pieces, b"")))
        else:
            log.admin_read(request.by, id)
            for piece in pieces:
                yield Piece(piece)
        yield Done()

    # Acting

    async def act(self, request: Act) -> AnyAnswer:
        """Do it to all that are named, or to none when a name is not clear."""
        if not request.by:
            return Refused(("who asks is not said",))
        if len(request.ids) > IDS_LIMIT:
            return Refused((f"at most {IDS_LIMIT} messages at once",))
        found, problems = [], []
        for text in request.ids:
            id, problem = self._resolve(text)
            if id is None:
                problems.append(problem)
            else:
                found.append(id)
        if problems:
            return Refused(tuple(problems))
        return Done(await self._done(request, tuple(dict.fromkeys(found))))

    async def act_matching(self, request: ActMatching) -> AnyAnswer:
        """Do it to the next thousand that match, from the newest back: what was moved is behind us, so that this ends."""
        began, problem = self._resolve(request.after) if request.after is not None else (None, "")
        problem = problem or _problem(request.filter, request.upto) or ("" if request.by else "who asks is not said")
        if problem:
            return Refused((problem,))
        later = request.upto + timedelta.resolution
        wanted = replace(request.filter, before=min(request.filter.before or later, later))
        end = self._end(SEARCH_S)
        found: list[MessageId] = []
        after = began
        async for moved, after in self._moved(request.verb, wanted, began, PAGE):  # noqa: B007 - where it ended is answered
            found += moved
            # a whole page must have room
            if len(found) > IDS_LIMIT - PAGE or self._seconds() >= end:
                break
        return Done(await self._done(request, tuple(found)), after)

    async def _done(self, request: Act | ActMatching, found: tuple[MessageId, ...]) -> tuple[MessageId, ...]:
        changed = await self._apply(request, found) if found else ()
        log.admin_did(request.verb, request.by, changed, request.why)
        if changed:
            self._wake()
        return changed

    async def _apply(self, request: Act | ActMatching, found: tuple[MessageId, ...]) -> tuple[MessageId, ...]:
        now = self._clock()
        match request.verb:
            case Verb.RETRY:
                return await self._spool.retry(found, now)
            case Verb.HOLD:
                return await self._spool.hold(found, request.by, request.why, now)
            case Verb.RELEASE:
                return await self._spool.release(found, request.by, request.why, now)
            case Verb.BOUNCE:
                return await self._bounced(found, request, now)
            case Verb.DELETE:
                return await self._spool.remove(found, request.by, request.why, now)

    async def _bounced(self, found: Sequence[MessageId], request: Act | ActMatching, now: datetime) -> tuple[MessageId, ...]:
        """A few at a time: each takes a transaction of its own, and those that come together share one sync."""
        changed: list[MessageId] = []
        for start in range(0, len(found), PAGE):
            few = found[start : start + PAGE]
            done = await asyncio.gather(*(self._bounce(id, request, now) for id in few))
            changed += [id for id, gone in zip(few, done, strict=True) if gone]
        return tuple(changed)

    async def _bounce(self, id: MessageId, request: Act | ActMatching, now: datetime) -> bool:
        message = self._spool.get(id)
        notice = self._write_back(message, message.unfinished(), request.why, now) if message else None
        return notice is not None and await self._spool.bounce(notice, id, request.by, request.why, now)

    def _resolve(self, text: str) -> tuple[MessageId | None, str]:
        """The id that is meant, or None and what is wrong. A whole id is not looked for: its message may be gone by now."""
        try:
            first, last = ids.abbreviation_range(text)
            if first == last:
                return ids.encode(first), ""
        except ValueError:
            return None, f"{text}: is no message id"
        if not text:
            return None, "nothing: is no message id"
        found = self._spool.matching(text.upper())
        if len(found) > 1:
            return None, f"{text}: may be {found[0]} or {found[1]}; give more of it"
        return (found[0], "") if found else (None, f"{text}: no such message")

    def _row(self, message: Message) -> Row:
        """The window that ends first counts; none for a message that no domain waits for."""
        windows = [self._windows[domain] for domain in message.schedule if domain in self._windows]
        return Row(message, message.window_began + min(windows) if windows else None)


def _problem(wanted: Filter, *moments: datetime) -> str:
    return "a time must have a time zone" if any(at is not None and at.tzinfo is None for at in (wanted.before, *moments)) else ""
