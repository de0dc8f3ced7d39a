"""The certificate that STARTTLS shows: the configured one, or one that we sign ourselves.

Knows: files, X.509.
Does not know: sessions.

A sender that uses TLS opportunistically (RFC 7435) is better off with any certificate than with plain text.
"""

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backupmx.errors import ConfigurationError

VALID = timedelta(days=3650)
LONGEST_COMMON_NAME = 64


def context(certificate: Path | None, key: Path | None, own: Path, hostname: str) -> ssl.SSLContext:
    """TLS 1.2 or newer. Raises ConfigurationError when the files do not fit together."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if certificate is not None and key is not None:
        _load(made, certificate, key)
        return made
    certificate, key = own / "cert.pem", own / "key.pem"
    try:
        _load(made, certificate, key)
    except ConfigurationError:
        # none yet, or what a crash left of it: nobody has been promised this one
        _sign_own(own, certificate, key, hostname)
        _load(made, certificate, key)
    return made


def _load(into: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        into.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError((f"smtp.tls_certificate: {certificate} with {key}: {error}",)) from None


def _sign_own(place: Path, certificate: Path, key: Path, hostname: str) -> None:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:LONGEST_COMMON_NAME])])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    _write(key, private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    _write(certificate, signed.public_bytes(pem))


def _write(path: Path, octets: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
