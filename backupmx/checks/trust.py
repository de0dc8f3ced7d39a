"""Does a primary take mail from this machine? Asked with a transaction that never gets to a message.

Knows: what its words to MAIL and RCPT mean for the mail that is to be given back.
Does not know: connections, and who is known to exist, but for whom it is told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from backupmx.core import judge
from backupmx.core.belief import Word
from backupmx.core.finding import About, Finding
from backupmx.core.outcome import Reply
from backupmx.courier.client import Connection

MOST_KNOWN = 3
"""Recipients of a domain that are asked for until one is taken."""
POSTMASTER = "postmaster"


@dataclass(slots=True)
class Heard:
    """What it said, for one domain."""

    domain: str
    mail: Reply
    known: dict[str, Reply] = field(default_factory=dict)
    """To those whom it is known to have."""
    postmaster: Reply | None = None
    xclient: bool = False
    """Whether it offers to be told who the client is."""


async def ask(connection: Connection, domain: str, known: Sequence[str], within: float) -> Heard:
    """`known` are local parts. Raises OSError when the line breaks, or nothing is said in time."""

    async def said(command: str) -> Reply:
        connection.line.send(f"{command}\r\n".encode("ascii"))
        reply = await connection.line.reply(within)
        if reply.code == 421:
            raise ConnectionError(str(reply))
        return reply

    heard = Heard(domain, await said("MAIL FROM:<>"), xclient="xclient" in connection.peer.offers)
    if heard.mail.positive:
        for local in [local for local in known if local.isascii() and local != POSTMASTER][:MOST_KNOWN]:
            heard.known[local] = await said(f"RCPT TO:<{local}@{domain}>")
            if heard.known[local].positive:
                break
        heard.postmaster = await said(f"RCPT TO:<{POSTMASTER}@{domain}>")
    await connection.reset()
    return heard


def judged(heard: Heard, our_ip: str) -> Iterator[Finding]:
    """What follows; `our_ip` is what the primary sees of us, or nothing where that cannot be told from here."""
    about = About("trust", heard.domain)
    let_in = _let_in(our_ip)
    if not heard.mail.positive:
        tell = about.bad if heard.mail.permanent else about.odd
        yield tell(f"it does not take the sender of notifications, MAIL FROM:<>, from this machine: {heard.mail}", let_in)
    elif heard.known:
        yield _of_known(about, heard.known, xclient=heard.xclient, let_in=let_in)
        if heard.postmaster and heard.postmaster.permanent:
            said = f"there is no {POSTMASTER}@{heard.domain}, whom every domain must have (RFC 5321): {heard.postmaster}"
            yield About("postmaster", heard.domain).odd(said, _alias(heard.domain))
    elif heard.postmaster:
        yield _of_postmaster(about, heard.postmaster, xclient=heard.xclient, let_in=let_in)


def _of_known(about: About, known: Mapping[str, Reply], *, xclient: bool, let_in: str) -> Finding:
    taken = next((local for local, reply in known.items() if reply.positive), None)
    if taken is not None:
        return about.good(f"takes mail for {taken}@{about.subject} from this machine{_and_xclient(xclient)}")
    put_off = next((reply for reply in known.values() if not reply.permanent), None)
    if put_off is not None:
        return _put_off(about, put_off, let_in)
    local, reply = next(iter(known.items()))
    if all(map(judge.names_nobody, known.values())):
        return about.bad(
            f"says that nobody is there any more whom it used to have, {local}@{about.subject} to begin with: {reply}",
            "See on the primary whether its users and aliases are all there. Until then mail for them is kept here.",
        )
    return about.bad(f"refuses {local}@{about.subject}, whom it used to have, from this machine: {reply}", let_in)


def _of_postmaster(about: About, reply: Reply, *, xclient: bool, let_in: str) -> Finding:
    address = f"{POSTMASTER}@{about.subject}"
    if reply.positive:
        return about.good(f"takes mail for {address} from this machine{_and_xclient(xclient)}")
    if not reply.permanent:
        return _put_off(about, reply, let_in)
    if judge.teaches(reply) is Word.GONE:
        return about.odd(f"refuses {address}, and nobody else is known who could be asked for: {reply}", _alias(about.subject))
    return about.bad(f"refuses {address} from this machine: {reply}", let_in)


def _put_off(about: About, reply: Reply, let_in: str) -> Finding:
    return about.odd(f"puts mail from this machine off, so that it would come late: {reply}", let_in)


def _and_xclient(offered: bool) -> str:
    return ", and wants to be told of its client (XCLIENT)" if offered else ""


def _let_in(ip: str) -> str:
    who, key = (f"this machine ({ip})", ip) if ip else ("this machine", "ADDRESS")
    return (
        f"On the primary let {who} in ahead of greylisting, blocklists, SPF and rate limits: they would judge this machine, "
        "and not whoever sent the mail. With Postfix, as the first of smtpd_recipient_restrictions: "
        f"`check_client_access inline:{{ {key}=OK }}`"
    )


def _alias(domain: str) -> str:
    return f"Make {POSTMASTER}@{domain} an alias of somebody who reads it (with Postfix: in /etc/aliases, then `newaliases`)."
