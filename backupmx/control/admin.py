"""What may be asked and done about messages: listing, showing, an admin's verbs.

Knows: the spool's door, abbreviated ids, holding windows.
Does not know: sockets, and who asks.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import timedelta

from backupmx.control.protocol import Act, AnyAnswer, Done, ListQueue, Refused, Row, ShowMessage, Verb
from backupmx.core import ids
from backupmx.core.ids import MessageId
from backupmx.core.message import Message
from backupmx.ports import Clock, Spool
from backupmx.watch import log

PAGE = 50
"""Messages read in one go: the loop is free again after each page."""
IDS_LIMIT = 1000


class Admin:
    """An admin's view of the spool."""

    def __init__(self, spool: Spool, clock: Clock, wake: Callable[[], None], windows: Mapping[str, timedelta]) -> None:
        self._spool = spool
        self._clock = clock
        self._wake = wake
        self._windows = windows

    async def listing(self, request: ListQueue) -> AsyncGenerator[AnyAnswer, None]:
        """Rows, page by page, then `Done` with where the next page begins; each page is a read of its own."""
        after, left = None, request.limit
        if request.after is not None:
            after, problem = self._resolve(request.after)
            if problem:
                yield Refused((problem,))
                return
        while True:
            page = self._spool.page(request.filter, after, min(PAGE, left) if request.limit else PAGE)
            for message in page.messages:
                yield self._row(message)
            after = page.after
            left -= len(page.messages)
            if after is None or (request.limit and left <= 0):
                yield Done(after=after)
                return
            await asyncio.sleep(0)

    def show(self, request: ShowMessage) -> AnyAnswer:
        """One message by id or abbreviation."""
        id, problem = self._resolve(request.id)
        message = self._spool.get(id) if id else None
        return self._row(message) if message else Refused((problem or f"{request.id}: no such message",))

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
        changed = await self._apply(request, tuple(dict.fromkeys(found)))
        log.admin_did(request.verb, request.by, changed, request.why)
        if changed:
            self._wake()
        return Done(changed)

    async def _apply(self, request: Act, found: tuple[MessageId, ...]) -> tuple[MessageId, ...]:
        now = self._clock()
        match request.verb:
            case Verb.RETRY:
                return await self._spool.retry(found, now)
            case Verb.HOLD:
                return await self._spool.hold(found, request.by, request.why, now)
            case Verb.RELEASE:
                return await self._spool.release(found, request.by, request.why, now)
            case Verb.DELETE:
                return await self._spool.remove(found, request.by, request.why, now)

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
        return Row(message, message.arrived + min(windows) if windows else None)
