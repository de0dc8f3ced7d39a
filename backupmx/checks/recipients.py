"""Is it known who exists? During an outage nobody can be asked.

Knows: what each domain's policy needs to know.
Does not know: recipients themselves.
"""

from backupmx.config import Domain
from backupmx.core import words
from backupmx.core.belief import Acquaintance
from backupmx.core.finding import About, Finding


def look(domain: str, policy: Domain, known: Acquaintance | None) -> Finding:
    """`known` is None where no server tells."""
    about = About("recipients", domain)
    if policy.recipients == "any":
        return about.good("everybody is taken, as it is configured")
    if known is None:
        return about.unknown("only a running server that has the domain knows them", "Start it, and look again: `backupmx serve`")
    if known.waiting is not None:
        said = f"a new list of {words.addresses(known.waiting)} waits, for it lacks {known.lost:,} of today's"
        return about.odd(said, f"If the new one is right: `backupmx recipients approve {domain}`")
    if known.listed or (known.known and policy.recipients != "list"):
        return about.good(words.acquaintance(known))
    return _nobody(about, policy)


def _nobody(about: About, policy: Domain) -> Finding:
    bring = (
        "Bring a list of your server's users and aliases: `backupmx recipients import FILE` (one address a line, "
        f"*@{about.subject} for all; or ldaps://…). Or have addresses asked for now: `backupmx recipients verify FILE`"
    )
    if policy.recipients == "list":
        return about.bad("only those on its list get mail, and the list is empty: nobody does", bring)
    if policy.when_unknown == "defer":
        return about.bad("nobody is known yet: if the primary went away now, all mail would be put off", bring)
    said = "nobody is known yet: if the primary went away now, mail for people who do not exist would be taken, too"
    return about.odd(said, f"They are learned by the way while the primary is up. {bring}")
