"""The certificate that senders see: its dates, its names, who signed it.

Knows: where it is, X.509, what senders make of it.
Does not know: sessions, and when it is renewed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtensionOID

from backupmx.config import Settings
from backupmx.core import words
from backupmx.core.finding import About, Finding

SOON, VERY_SOON = timedelta(days=21), timedelta(days=3)
"""Before its end: who renews by a program has done it long before the first."""
Chain = tuple[x509.Certificate, ...]
"""The certificate, and those that go with it."""
RENEW = "Renew it (with certbot: `certbot renew`). A new file is taken within a minute, without a restart."


def place(settings: Settings) -> Path:
    """The file: the configured one, or that of the one which we make ourselves."""
    return settings.smtp.tls_certificate or settings.spool / "tls" / "cert.pem"


def load(settings: Settings) -> Chain | Finding:
    """The certificates in it; or why they cannot be looked at."""
    path = place(settings)
    about = About("certificate", settings.hostname)
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except FileNotFoundError:
        if settings.smtp.tls_certificate is None:
            return about.unknown("none is made yet", "It is made when the server starts for the first time: `backupmx serve`")
        return about.bad(f"{path} is not there", "Put it there, or correct tls_certificate in the configuration.")
    except OSError as error:
        return about.unknown(f"{path} cannot be read: {error.strerror}", "Look again as root, or as the server's user.")
    except ValueError as error:
        return about.bad(f"{path} holds no certificate: {error}", "Put a certificate in PEM form there.")


def look(chain: Chain, hostname: str, now: datetime) -> Iterator[Finding]:
    """What is to be said of it."""
    own = chain[0]
    troubles = [*_dates(own, hostname, now), *_names(own, hostname), *_signature(chain, hostname)]
    if troubles:
        yield from troubles
    else:
        yield About("certificate", hostname).good(f"in this name, good for {words.span(own.not_valid_after_utc - now)} more")


def covers(certificate: x509.Certificate, host: str) -> bool:
    """Whether it is in a host's name (RFC 6125 section 6.4): a star stands for one label."""
    names = _alternative_names(certificate)
    _, _, parent = host.partition(".")
    return host in names or f"*.{parent}" in names


def self_signed(certificate: x509.Certificate) -> bool:
    """Whether no authority vouches for it."""
    if certificate.issuer != certificate.subject:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _dates(certificate: x509.Certificate, hostname: str, now: datetime) -> Iterator[Finding]:
    about = About("certificate", hostname)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        said = f"is good from {begins:%Y-%m-%d %H:%M} UTC on, and that is to come"
        yield about.bad(said, "Is this machine's clock right? Else wait, or put the old certificate back.")
    elif ends <= now:
        yield about.bad(f"expired {words.age(ends, now)} ago: senders who look at it give no mail to this machine", RENEW)
    elif ends - now < SOON:
        tell = about.bad if ends - now < VERY_SOON else about.odd
        yield tell(f"expires in {words.span(ends - now)}", RENEW)


def _names(certificate: x509.Certificate, hostname: str) -> Iterator[Finding]:
    if not covers(certificate, hostname):
        names = ", ".join(sorted(_alternative_names(certificate))) or "no name"
        yield About("certificate", hostname).odd(
            f"is for {names}, not for {hostname}: senders who demand the right name do not come",
            f"Get one for {hostname} (`certbot certonly --standalone -d {hostname}`), or set `hostname` to one of its names.",
        )


def _signature(chain: Sequence[x509.Certificate], hostname: str) -> Iterator[Finding]:
    about, own = About("certificate", hostname), chain[0]
    if self_signed(own):
        yield about.odd(
            "is signed by nobody but itself: most senders do not mind, those who go by an MTA-STS policy do not come",
            f"Get one from a public authority (`certbot certonly --standalone -d {hostname}`), and name its files in the "
            "configuration: [smtp] tls_certificate and tls_key. To be found by DANE, this one will do.",
        )
    elif len(chain) == 1:
        yield about.odd(
            "comes without its issuer's certificate: senders who demand proof cannot follow it to an authority",
            "Name the file with the whole chain (with certbot: fullchain.pem, not cert.pem) as tls_certificate.",
        )


def _alternative_names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    assert isinstance(extension.value, x509.SubjectAlternativeName)
    return frozenset(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))
