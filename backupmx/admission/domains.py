"""Is this recipient's domain one of ours?

Knows: the configured domains.
Does not know: which addresses exist there.
"""

from collections.abc import Iterable

from backupmx.admission.verdict import Refuse, Take
from backupmx.core import notation
from backupmx.core.message import Recipient
from backupmx.core.path import Mailbox
from backupmx.core.replies import RELAYING_DENIED

RELAY_SIGNS = frozenset("%!@")
"""Old ways to say "and from there to": a primary that trusts us might go along with them."""


class Domains:
    """Takes mail for the configured domains and for nobody else (I2)."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(names)

    def judge(self, mailbox: Mailbox) -> Take | Refuse:
        """One recipient."""
        domain = mailbox.domain.lower()
        if domain not in self._names:
            try:
                domain = notation.domain(mailbox.domain)
            except ValueError:
                return Refuse(RELAYING_DENIED)
        if domain not in self._names or not RELAY_SIGNS.isdisjoint(mailbox.local):
            return Refuse(RELAYING_DENIED)
        return Take(Recipient(str(mailbox), domain))

    def configured(self, domain: str) -> str | None:
        """The domain itself, in A-labels, if it is one of ours."""
        return domain if domain in self._names else None

    def postmaster(self) -> Take:
        """`RCPT TO:<postmaster>` without a domain is the first domain's (RFC 5321 section 4.5.1)."""
        first = next(iter(self._names))
        return Take(Recipient(f"postmaster@{first}", first))
