"""What may be asked and done about domains: what the file says of them, whether DNS is right, changes.

Knows: the doors of whoever has the file, looks around, and keeps lists.
Does not know: keys and values, sockets, who asks.
"""

import asyncio

from backupmx.control.answers import AmendedAnswer, AnyAnswer, DomainAnswer, DomainsAnswer, Done, Refused
from backupmx.control.requests import AmendDomain, DomainRequest, GetDomain, GetDomains, LookAgain
from backupmx.core import notation
from backupmx.core.amendment import Change
from backupmx.errors import ConfigurationError, ConfigurationUnchanged
from backupmx.ports import Amendments, Lookout, Roll
from backupmx.watch import log

LOOK_S = 8.0
"""How long who asks for a new look waits for its end; it goes on without them."""
LOOKS = 4
"""Domains that are looked at afresh at a time."""


class DomainsDesk:
    """An admin's view of the domains."""

    def __init__(self, amendments: Amendments, lookout: Lookout, roll: Roll) -> None:
        self._amendments = amendments
        self._lookout = lookout
        self._roll = roll
        self._looks: dict[str, asyncio.Task[None]] = {}

    async def answer(self, request: DomainRequest) -> AnyAnswer:
        """Each of these has one answer. The file is read and changed in a thread: mail is not to wait for it."""
        match request:
            case GetDomains():
                return DomainsAnswer(self._amendments.outlines())
            case GetDomain():
                return await self._domain(request.domain)
            case AmendDomain():
                return await self._amend(request)
            case LookAgain():
                return await self._look(request.domain)

    async def _domain(self, domain: str) -> AnyAnswer:
        sheet = await asyncio.to_thread(self._amendments.sheet, domain)
        report = self._lookout.report
        lists, looking = self._roll.lists(domain), domain in self._looks
        return DomainAnswer(sheet, lists, report.of(domain), report.seen(domain), looking)

    async def _amend(self, request: AmendDomain) -> AnyAnswer:
        domain = request.domain
        if not request.by:
            return Refused(("who asks is not said",))
        try:
            if notation.domain(domain) != domain:
                return Refused((f"{domain}: is not how this domain is written here",))
        except ValueError as error:
            return Refused((f"{domain}: {error}",))
        change = self._amendments.amend
        try:
            amended = await asyncio.to_thread(
                change, request.change, domain, request.wanted, request.made_from, dry_run=request.dry_run
            )
        except (ConfigurationUnchanged, ConfigurationError) as error:
            return Refused((str(error),))
        if amended.difference and not request.dry_run:
            log.configuration_changed(request.by, _told(request))
        return AmendedAnswer(amended)

    async def _look(self, domain: str) -> AnyAnswer:
        if domain not in {outline.domain for outline in self._amendments.outlines()}:
            return Refused((f"{domain}: is no domain of this server",), missing=True)
        look = self._looks.get(domain)
        if look is None:
            if len(self._looks) >= LOOKS:
                return Refused((f"{LOOKS} domains are being looked at already; try again in a moment",))
            look = self._looks[domain] = asyncio.create_task(self._lookout.look_again(domain))
            look.add_done_callback(lambda _task: self._looks.pop(domain))
        await asyncio.wait({look}, timeout=LOOK_S)
        return Done()


def _told(request: AmendDomain) -> str:
    """The command that would have done it."""
    # an empty value takes the key away, there as here
    wanted = "" if request.change is Change.REMOVE else "".join(f" {key}={text}" for key, text in request.wanted.items())
    return f"domain {request.change} {request.domain}{wanted}"
