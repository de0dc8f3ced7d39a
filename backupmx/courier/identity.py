"""Who is at the other end of a TLS line: its certificates, held against what is demanded of them.

Knows: Python's ssl, certificates, DANE's two usages (RFC 7672 section 3.1).
Does not know: SMTP, and what follows when a demand is not met.
"""

import hashlib
import ssl
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from backupmx.core import dane
from backupmx.core.security import Dane, Demand, Encrypted, Opportunistic, Pinned, Trial, Unsatisfied, Vouched


def believed(demand: Demand) -> str | None:
    """Whose word the handshake depends on: a file, or the system's authorities (empty), or nobody's."""
    return demand.authorities if isinstance(demand, Vouched) else None


def context(authorities: str | None) -> ssl.SSLContext:
    """How a handshake is to go. Raises OSError when the authorities' file cannot be read."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authorities is None:
        # any certificate will do for now: for keys and records there is `proof`
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif authorities:
        made.load_verify_locations(authorities)
    else:
        made.load_default_certs()
    return made


def server_name(demand: Demand, host: str) -> str:
    """The name to ask for (RFC 6066 section 3): with DANE the one that the records are at (RFC 7672 section 8.1)."""
    return demand.names[0] if isinstance(demand, Dane) else host


def proof(line: ssl.SSLObject, demand: Demand) -> str:
    """How it is known who this is, in a word; empty when nobody knows, and that will do. Raises Unsatisfied."""
    match demand:
        case Opportunistic() | Encrypted():
            return ""
        case Vouched():
            return "verified" if demand.policy == "verify" else demand.policy
        case Pinned():
            digest = hashlib.sha256(_key(_chain(line)[0])).digest()
            if digest not in demand.keys:
                raise Unsatisfied(f"the certificate's key is not the pinned one; its SHA-256 is {digest.hex()}")
            return "pinned"
        case Dane():
            return _by_records(_chain(line), demand)
        case Trial():
            return proof(line, demand.demand)


def _by_records(chain: Sequence[x509.Certificate], demand: Dane) -> str:
    def named(certificate: x509.Certificate, usage: int) -> bool:
        der, key = certificate.public_bytes(Encoding.DER), _key(certificate)
        return any(record.usage == usage and record.names(der, key) for record in demand.records)

    # its dates and its names are of no interest then (RFC 7672 section 3.1.1)
    if named(chain[0], dane.ITSELF):
        return "dane"
    # an authority that is not in the chain is none: servers have to send it (RFC 7672 section 3.1.2)
    authorities = [certificate for certificate in chain[1:] if named(certificate, dane.AUTHORITY)]
    why = "no TLSA record names its certificate"
    for name in demand.names if authorities else ():
        try:
            rules = PolicyBuilder().store(Store(authorities)).extension_policies(ca_policy=_AUTHORITY, ee_policy=_ITSELF)
            rules.build_server_verifier(x509.DNSName(name)).verify(chain[0], list(chain[1:]))
        except VerificationError as error:
            why = f"a TLSA record names an authority, and yet: {error}"
        else:
            return "dane"
    raise Unsatisfied(f"DANE: {why}")


def _may_sign(_policy: Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("it is no authority's")


def _is_for_signing(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("it is not for signing certificates")


# RFC 5280 alone: who runs an authority for its own hosts need not keep to what browsers want of the public ones
_AUTHORITY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _may_sign)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _is_for_signing)
)
_ITSELF = ExtensionPolicy.permit_all().require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)


def _chain(line: ssl.SSLObject) -> Sequence[x509.Certificate]:
    """The certificates as they came, the peer's own first."""
    # public from Python 3.13, and there in octets
    inner: Any = line if hasattr(line, "get_unverified_chain") else line._sslobj  # type: ignore[attr-defined]
    try:
        certificates = inner.get_unverified_chain() or ()
        octets = [each if isinstance(each, bytes) else ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in certificates]
        chain = [x509.load_der_x509_certificate(each) for each in octets]
    except ValueError as error:
        raise Unsatisfied(f"its certificate cannot be read: {error}") from error
    if not chain:
        raise Unsatisfied("it has no certificate")
    return chain


def _key(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError) as error:
        raise Unsatisfied(f"its key cannot be read: {error}") from error
