"""The certificate that STARTTLS shows: the configured one, or one that we sign ourselves.

Knows: files, X.509.
Does not know: sessions.

A sender that uses TLS opportunistically (RFC 7435) is better off with any certificate than with plain text.
"""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backupmx import durable
from backupmx.errors import ConfigurationError

VALID = timedelta(days=3650)
LONGEST_COMMON_NAME = 64
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES"
"""Of TLS 1.2; the last ones are for old senders, who would come in plain text otherwise."""


class Certificate:
    """The context that sessions use. It stays the same, and with it the keys of its session tickets, when the files change."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises ConfigurationError when the files do not fit together."""
        self._files = certificate, key
        self.context = _context()
        self._marks = self._look()
        self.expires = _load(self.context, *self._files)

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None, own: Path, hostname: str) -> "Certificate":
        """The configured one, or our own, which is made when there is none. Raises ConfigurationError."""
        if certificate is not None and key is not None:
            return cls(certificate, key)
        certificate, key = own / "cert.pem", own / "key.pem"
        try:
            return cls(certificate, key)
        except ConfigurationError:
            # none yet, or what a crash left of it: nobody has been promised this one
            _sign_own(own, certificate, key, hostname)
            return cls(certificate, key)

    def renew(self) -> bool:
        """Take files that changed since they were looked at last; returns whether they did.

        Raises ConfigurationError when they do not fit together, once for each change: what was loaded stays in use. A renewal
        that was met in the middle is a change again when it is complete.
        """
        marks = self._look()
        if marks == self._marks:
            return False
        self._marks = marks
        _load(_context(), *self._files)
        self.expires = _load(self.context, *self._files)
        return True

    def _look(self) -> tuple[tuple[int, ...] | None, ...]:
        return tuple(map(_mark, self._files))


def _mark(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()  # of what a link leads to: renewals change links
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _context() -> ssl.SSLContext:
    """TLS 1.2 or newer, with keys that are made anew for each session (RFC 9325 sections 3.1 and 4.2)."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(CIPHERS)
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return made


def _load(into: ssl.SSLContext, certificate: Path, key: Path) -> datetime:
    """Returns when it expires."""
    try:
        into.load_cert_chain(certificate, key)
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ssl.SSLError, ValueError) as error:
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
    durable.replace(key, private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    durable.replace(certificate, signed.public_bytes(pem))
