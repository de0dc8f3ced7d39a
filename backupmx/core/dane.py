"""TLSA records, and which certificates they name.

Knows: RFC 6698 section 2.1, RFC 7671 section 9 (the strongest digest alone counts), RFC 7672 section 3.1 (usages of SMTP).
Does not know: DNS, certificates beyond the octets that a record can name, and whether an authority has signed them.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

AUTHORITY, ITSELF = 2, 3
"""Usages: DANE-TA, DANE-EE. The two that ask public authorities as well are not for SMTP (RFC 7672 section 3.1.3)."""
CERTIFICATE, KEY = 0, 1
"""Selectors."""
WHOLE, SHA_256, SHA_512 = 0, 1, 2
"""Matching types."""
_LENGTHS = {SHA_256: 32, SHA_512: 64}


class Tlsa(NamedTuple):
    """One record."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def names(self, certificate: bytes, key: bytes) -> bool:
        """Whether it names a certificate, given it and its SubjectPublicKeyInfo, both in DER."""
        what = certificate if self.selector == CERTIFICATE else key
        if self.matching == SHA_256:
            what = hashlib.sha256(what).digest()
        elif self.matching == SHA_512:
            what = hashlib.sha512(what).digest()
        return what == self.data


def usable(records: Iterable[Tlsa]) -> tuple[Tlsa, ...]:
    """Those that can be satisfied at all; of two digests of the same kind of thing the stronger one."""
    found = [record for record in records if _makes_sense(record)]
    strong = {(record.usage, record.selector) for record in found if record.matching == SHA_512}
    return tuple(record for record in found if record.matching != SHA_256 or (record.usage, record.selector) not in strong)


def _makes_sense(record: Tlsa) -> bool:
    return (
        record.usage in (AUTHORITY, ITSELF)
        and record.selector in (CERTIFICATE, KEY)
        and record.matching in (WHOLE, SHA_256, SHA_512)
        and len(record.data) == _LENGTHS.get(record.matching, len(record.data))
        and bool(record.data)
    )
