"""What must be true of a connection before mail goes over it: a closed union.

Knows: the demands that a domain's policy can make of a host.
Does not know: where policies come from, and how a certificate is looked at.
"""

from dataclasses import dataclass
from typing import Literal

from backupmx.core.dane import Tlsa


@dataclass(frozen=True, slots=True)
class Opportunistic:
    """TLS with whoever offers it; plain text with whoever does not (RFC 7435)."""


@dataclass(frozen=True, slots=True)
class Encrypted:
    """TLS, whoever is at the other end."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """TLS with the owner of one of these keys, whatever else its certificate says."""

    keys: tuple[bytes, ...]
    """SHA-256 digests of public keys (SubjectPublicKeyInfo in DER)."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """TLS, and a certificate in this name from an authority that we believe."""

    name: str
    authorities: str = ""
    """A file with their certificates; empty: the system's."""
    policy: Literal["verify", "mta-sts"] = "verify"
    certain: bool = True
    """Whether the name is what somebody meant; else only what DNS says, unsigned."""


@dataclass(frozen=True, slots=True)
class Dane:
    """TLS, and a certificate that one of the host's own records names (RFC 7672)."""

    records: tuple[Tlsa, ...]
    names: tuple[str, ...]
    """Any of these, where the records name an authority (RFC 7672 section 3.2.3)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """As the demand, except that mail goes all the same when it is not met, and that this is told (RFC 8461 section 5)."""

    demand: Vouched


Demand = Opportunistic | Encrypted | Pinned | Vouched | Dane | Trial


def certain(demand: Demand | None) -> bool:
    """Whether what meets it is beyond doubt the domain's own host (RFC 8689 section 4.2.1)."""
    return isinstance(demand, Pinned | Dane) or (isinstance(demand, Vouched) and demand.certain)


class Unsatisfied(Exception):
    """A connection is not what is demanded of it, and why."""
