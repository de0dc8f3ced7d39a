"""What may be asked and done about recipients: what is known of them, an admin's verbs, lists that come in parts.

Knows: the roll's door, which domains are ours, how local parts are spelt in the roll.
Does not know: sockets, who asks, and how the primary is asked.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection

from backupmx.control.answers import AnyAnswer, Done, ListNumber, ListsAnswer, RecipientRow, Refused, Verified
from backupmx.control.handing import spelt
from backupmx.control.requests import (
    ApproveList,
    BeginList,
    CloseList,
    Enlist,
    ForgetRecipients,
    GetRecipient,
    ListRecipients,
    RollRequest,
    VerifyRecipient,
)
from backupmx.core import judge
from backupmx.core.outcome import Reply
from backupmx.core.path import mailbox
from backupmx.core.roll import MOST_LOST, Entry
from backupmx.ports import Roll
from backupmx.watch import log

PAGE = 200
"""Addresses read in one go: the loop is free again after each page."""
AT_ONCE = 1000
"""Local parts in one request."""
VERIFY_S = 45.0
"""How long the primary may take to answer: less than who asks us waits."""
BEHIND_EVERYBODY = "\0"
"""Behind the empty local part, and before all others."""
OTHER_LIST = "another list for this domain came meanwhile; this one does not count"

Verify = Callable[[str, str], Awaitable[Reply | None]]
"""Domain and local part → the primary's own word; None when it says nothing of it."""


class RollDesk:
    """An admin's view of the roll."""

    def __init__(self, roll: Roll, verify: Verify, domains: Collection[str]) -> None:
        self._roll = roll
        self._verify = verify
        self._domains = domains

    async def listing(self, request: ListRecipients) -> AsyncGenerator[AnyAnswer, None]:
        """Rows, page by page, then `Done` with where the next page begins; each page is a read of its own."""
        if request.domain not in self._domains:
            yield _no_domain(request.domain)
            return
        after, left = request.after, request.limit
        while True:
            wanted = min(PAGE, left) if request.limit else PAGE
            page = self._roll.page(request.domain, _behind(after), wanted)
            clock = self._roll.clock(request.domain)
            for entry in page:
                yield _row(request.domain, entry, clock)
            left -= len(page)
            after = page[-1].local if len(page) == wanted else None
            if after is None or (request.limit and left <= 0):
                yield Done(after=after)
                return
            await asyncio.sleep(0)

    async def answer(self, request: RollRequest) -> AnyAnswer:  # noqa: PLR0911 - one line a request
        """What is not a listing."""
        if request.domain not in self._domains:
            return _no_domain(request.domain)
        match request:
            case GetRecipient():
                return self._find(request)
            case VerifyRecipient():
                return await self._ask_primary(request)
            case ForgetRecipients():
                return await self._forget(request)
            case BeginList():
                return ListNumber(await self._roll.begin_list(request.domain))
            case Enlist():
                return await self._enlist(request)
            case CloseList():
                return await self._close(request)
            case ApproveList():
                return await self._approve(request)

    def _find(self, request: GetRecipient) -> AnyAnswer:
        local, roll = spelt(request.local), self._roll
        entry = Entry(local, roll.recall(request.domain, local), roll.listed(request.domain, local))
        known = entry.learned is not None or entry.listed
        return _row(request.domain, entry, roll.clock(request.domain)) if known else Done()

    async def _ask_primary(self, request: VerifyRecipient) -> AnyAnswer:
        # it goes out on a line of SMTP: nothing but an address may
        if mailbox(f"{request.local}@{request.domain}".encode(errors="surrogatepass")) is None:
            return Refused((f"{request.local}@{request.domain}: is no address",))
        try:
            async with asyncio.timeout(VERIFY_S):
                reply = await self._verify(request.domain, request.local)
        except TimeoutError:
            return Verified(None, "the primary does not answer in time")
        if reply is None:
            return Verified(None, "the primary says nothing of it now")
        return Verified(judge.teaches(reply), str(reply))

    async def _forget(self, request: ForgetRecipients) -> AnyAnswer:
        if problem := _unfit(request.locals) or _unsigned(request.by):
            return problem
        # as it is given too: another version, or another configuration, may have kept it so
        either = dict.fromkeys(name for local in request.locals for name in (local, spelt(local)))
        known = tuple(local for local in either if self._roll.recall(request.domain, local) is not None)
        if known:
            await self._roll.learn(request.domain, dict.fromkeys(known))
            log.recipients_changed("forget recipients", request.by, request.domain, len(known))
        return Done(known)

    async def _enlist(self, request: Enlist) -> AnyAnswer:
        if problem := _unfit(request.locals):
            return problem
        # a part of an older list would take its addresses out of the newer one
        if self._roll.lists(request.domain).last != request.number:
            return Refused((OTHER_LIST,))
        await self._roll.enlist(request.domain, request.number, [spelt(local) for local in request.locals])
        return Done()

    async def _close(self, request: CloseList) -> AnyAnswer:
        if problem := _unsigned(request.by):
            return problem
        lists = await self._roll.close_list(request.domain, request.number, MOST_LOST)
        if lists.last != request.number:
            return Refused((OTHER_LIST,))
        if lists.waiting:
            log.recipients_changed("recipients wait for approval", request.by, request.domain, lists.waiting.entries)
        elif lists.adopted:
            log.recipients_changed("list recipients", request.by, request.domain, lists.adopted.entries)
        return ListsAnswer(lists)

    async def _approve(self, request: ApproveList) -> AnyAnswer:
        if problem := _unsigned(request.by):
            return problem
        if self._roll.lists(request.domain).waiting is None:
            return Refused((f"{request.domain}: no list waits for approval",))
        lists = await self._roll.approve_list(request.domain)
        log.recipients_changed("approve recipients", request.by, request.domain, lists.adopted.entries if lists.adopted else 0)
        return ListsAnswer(lists)


def _behind(after: str | None) -> str:
    """As the roll takes it: there the empty local part is the beginning."""
    return "" if after is None else after or BEHIND_EVERYBODY


def _row(domain: str, entry: Entry, clock: int) -> RecipientRow:
    learned = entry.learned
    if learned is None:
        return RecipientRow(domain, entry.local, None, None, "", entry.listed)
    # the clock is kept now and then: what was learned since is news
    return RecipientRow(domain, entry.local, learned.word, max(0, clock - learned.at), learned.said, entry.listed)


def _no_domain(domain: str) -> Refused:
    return Refused((f"{domain}: is no domain of this server",), missing=True)


def _unfit(locals: tuple[str, ...]) -> Refused | None:
    return Refused((f"at most {AT_ONCE} recipients at once",)) if len(locals) > AT_ONCE else None


def _unsigned(by: str) -> Refused | None:
    return None if by else Refused(("who asks is not said",))
