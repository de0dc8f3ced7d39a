"""Certificates of primaries, good and bad, and domains that demand something of them."""

import hashlib
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from backupmx.config import Settings
from backupmx.courier.client import Connection, Dialler, Unreachable
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Route, Routes
from tests.courier.house import HASTE
from tests.courier.nameserver import Nameserver

HOST = "mx1.localhost"
"""The system, and we, know it without any nameserver."""
LONG_AGO = datetime.now(UTC) - timedelta(days=400)


def server(certificate: trustme.LeafCert, *authorities: trustme.CA) -> ssl.SSLContext:
    """What a primary with this certificate answers with; these authorities stand at the end of its chain."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pems = (certificate.private_key_pem, *certificate.cert_chain_pems, *(each.cert_pem for each in authorities))
    with trustme.Blob(b"".join(pem.bytes() for pem in pems)).tempfile() as path:
        context.load_cert_chain(path)
    return context


def loaded(certificate: trustme.LeafCert) -> x509.Certificate:
    """The certificate itself."""
    return x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def key(certificate: x509.Certificate) -> bytes:
    """Its public key (SubjectPublicKeyInfo), in DER."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pin(certificate: trustme.LeafCert) -> str:
    return hashlib.sha256(key(loaded(certificate))).hexdigest()


def authority_file(ca: trustme.CA, place: Path) -> Path:
    path = place / f"ca-{id(ca)}.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


def demanding(primary: Sequence[str] = (), domains: Sequence[str] = ("example.com",), **keys: Any) -> Settings:
    """Domains with these keys."""
    tables = {name: {"primary": tuple(primary), **keys} for name in domains}
    return Settings.model_validate({"hostname": "mx2.example.net", "domain": tables})


async def dialled(settings: Settings, nameserver: Nameserver | None = None, **more: Any) -> Connection | Unreachable:
    """What comes of a call to the domain's primary."""
    found = await Routes(settings, Resolver([nameserver.place] if nameserver else ()), **more).find("example.com")
    assert isinstance(found, Route), found
    return await Dialler("mx2.example.net", HASTE).dial(found.addresses)
