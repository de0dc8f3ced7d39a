"""A primary: does it answer, is the connection what is demanded, does it take mail from this machine, and how much?

Knows: one session with it, without a message; what its words are is for `trust`.
Does not know: DNS, what is waiting, and how it was before, but for what it is told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backupmx.checks import trust
from backupmx.checks.names import in_command, public
from backupmx.config import Settings
from backupmx.core import words
from backupmx.core.finding import About, Finding
from backupmx.core.status import Primary, PrimaryState
from backupmx.courier.client import Connection, Dialler, Unreachable
from backupmx.courier.commands import Peer
from backupmx.courier.greeting import LIMIT
from backupmx.courier.routes import Nowhere, Route
from backupmx.courier.transaction import Patience

PATIENCE = Patience(connect=15, command=15)
MOST_DOMAINS = 50
"""Asked for in one session; the others of the same primary will fare no worse."""
NOT_HEARD_OF = Primary(PrimaryState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Visit:
    """What is said of a primary, and where it answered."""

    findings: tuple[Finding, ...]
    ip: str = ""
    """Empty: nowhere, or nobody asked."""
    port: int = 0


class Visitor:
    """Goes and sees."""

    def __init__(
        self,
        settings: Settings,
        dialler: Dialler,
        primaries: Mapping[str, Primary],
        some: Mapping[str, Sequence[str]],
    ) -> None:
        """By domain, as far as that is known: how its primary is, and some local parts that exist."""
        self._settings = settings
        self._dialler = dialler
        self._primaries = primaries
        self._some = some

    async def see(self, route: Route | Nowhere, domains: Sequence[str]) -> Visit:
        """One primary, for the domains whose mail goes there."""
        if isinstance(route, Nowhere):
            return Visit(tuple(_no_way(domain, route.why) for domain in domains))
        known = next((self._primaries[domain] for domain in domains if domain in self._primaries), NOT_HEARD_OF)
        if known.state is PrimaryState.UP and known.last_error:
            return Visit(tuple(_doubtful(domain, known.last_error) for domain in domains))
        if known.state is PrimaryState.DOWN:
            # it is asked all the time already, and need not be once more
            return Visit(tuple(self._away(domain, route, known.last_error or "it does not answer") for domain in domains))
        found = await self._dialler.dial(route.addresses)
        if isinstance(found, Connection):
            try:
                return await self._visit(found, domains)
            finally:
                await found.quit()
        if known.state is PrimaryState.UP:
            return Visit(tuple(_not_just_now(domain, found) for domain in domains))
        return Visit(tuple(self._away(domain, route, str(found)) for domain in domains))

    async def _visit(self, connection: Connection, domains: Sequence[str]) -> Visit:
        transport = connection.line.transport
        assert transport
        ip, port = transport.get_extra_info("peername")[:2]
        here = transport.get_extra_info("sockname")[0]
        most = int(self._settings.smtp.max_message_size)
        findings = [finding for domain in domains for finding in answers(domain, connection.peer, ip, most)]
        # a router may be in between
        our_ip = here if public(here) or not public(ip) else ""
        for domain in domains[:MOST_DOMAINS]:
            try:
                heard = await trust.ask(connection, domain, self._some.get(domain, ()), PATIENCE.command)
            except OSError as error:
                said = f"the session broke off over the question whom it takes mail for: {str(error) or 'no answer in time'}"
                findings.append(About("trust", domain).unknown(said, "Look again in a while. If it stays so, its log tells why."))
                break
            findings += trust.judged(heard, our_ip)
        return Visit(tuple(findings), ip, port)

    def _away(self, domain: str, route: Route, why: str) -> Finding:
        host, policy = route.hosts[0], self._settings.domains[domain]
        mend = (
            f"Is {host.host} on, and does its firewall let this machine in? Try: `nc -vz {in_command(host.host)} {host.port}`. "
            f"If it answers elsewhere and not here, port {host.port} outward is closed here: ask this machine's provider."
        )
        if policy.tls != "opportunistic" or policy.primary_user:
            mend += f" If it is about a certificate or a password: see tls and primary_user of {domain} in the configuration."
        return About("primary", domain).bad(f"cannot be reached: {why}", mend)


def answers(domain: str, peer: Peer, ip: str, most: int) -> Iterator[Finding]:
    """What follows from its greeting; `most` octets are what this machine takes of one message."""
    about = About("primary", domain)
    if peer.tls:
        yield about.good(f"{peer.host} answers, {peer.tls}")
    elif public(ip):
        yield about.good(f"{peer.host} answers, in plain text")
        yield About("tls", domain).odd(
            f"{peer.host} offers no TLS that works: mail goes there for everybody on the way to read",
            f"Give it a certificate, any will do. Then demand that it is used: `backupmx domain set {domain} tls=required`",
        )
    else:
        yield about.good(f"{peer.host} answers, in plain text, on a network of your own")
    limit = _limit(peer)
    if 0 < limit < most:
        yield About("size", domain).odd(
            f"takes {words.size(limit)} at most, this machine {words.size(most)}: what is larger could not be given back",
            f"Here in the configuration: `[smtp] max_message_size = {limit}`. "
            f"Or let it take more (with Postfix: `message_size_limit = {most}`).",
        )


def _limit(peer: Peer) -> int:
    """How many octets a message may have; 0: nobody says."""
    return next((int(offer.removeprefix(LIMIT)) for offer in peer.offers if offer.startswith(LIMIT)), 0)


def _no_way(domain: str, why: str) -> Finding:
    mend = f"Name the server that has the mailboxes: `backupmx domain set {domain} primary=mail.example.com` (or mend its DNS)."
    return About("primary", domain).bad(f"where mail is to be given back is not known: {why}", mend)


def _not_just_now(domain: str, found: Unreachable) -> Finding:
    mend = "If it stays so, this machine sees it within a minute, and holds the mail. Look again."
    return About("primary", domain).odd(f"did a moment ago, but just now it does not answer: {found}", mend)


def _doubtful(domain: str, why: str) -> Finding:
    mend = (
        "See on the primary whether its users and domains are all there; it is asked again and again. "
        f"If what it refuses is right: `backupmx domain resume {domain}`"
    )
    return About("primary", domain).bad(why, mend)
