"""The certificate that senders see: renewed while the server runs, and sessions that go on where they were."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from backupmx.edge.certificate import Certificate
from backupmx.errors import ConfigurationError
from tests.edge.door import client, door

AUTHORITY = trustme.CA()


def issue(place: Path, name: str) -> tuple[Path, Path]:
    """A certificate and its key."""
    place.mkdir()
    issued = AUTHORITY.issue_cert(name)
    issued.private_key_pem.write_to_path(place / "privkey.pem")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(place / "fullchain.pem", append=True)
    return place / "fullchain.pem", place / "privkey.pem"


async def name_shown(port: int) -> str:
    """By the certificate that a new connection sees."""
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    trusting.check_hostname = False
    async with client(port) as talk:
        await talk.say("STARTTLS")
        await talk.writer.start_tls(trusting)
        return str(talk.writer.get_extra_info("peercert")["subjectAltName"][0][1])


async def test_a_renewed_certificate_is_seen_without_a_restart(tmp_path: Path) -> None:
    """As certbot renews them: links that lead to new files."""
    issue(tmp_path / "1", "one.test")
    issue(tmp_path / "2", "two.test")
    live = tmp_path / "live"
    live.symlink_to("1")
    certificate = Certificate.of(live / "fullchain.pem", live / "privkey.pem", tmp_path / "own", "mx2.test")
    async with door(tls=certificate.context) as at:
        assert await name_shown(at.port) == "one.test"
        assert not certificate.renew()
        live.unlink()
        live.symlink_to("2")
        assert certificate.renew()
        assert await name_shown(at.port) == "two.test"
        assert not certificate.renew()


async def test_half_a_renewal_changes_nothing(tmp_path: Path) -> None:
    """It is told once, the old one stays in use, and the whole renewal is taken when it is there."""
    certificate_file, key_file = issue(tmp_path / "live", "one.test")
    new_certificate, new_key = issue(tmp_path / "new", "two.test")
    certificate = Certificate.of(certificate_file, key_file, tmp_path / "own", "mx2.test")
    async with door(tls=certificate.context) as at:
        new_certificate.rename(certificate_file)
        with pytest.raises(ConfigurationError, match="tls_certificate"):
            certificate.renew()
        assert not certificate.renew()
        assert await name_shown(at.port) == "one.test"
        new_key.rename(key_file)
        assert certificate.renew()
        assert await name_shown(at.port) == "two.test"
        key_file.unlink()
        with pytest.raises(ConfigurationError, match="tls_certificate"):
            certificate.renew()
        assert await name_shown(at.port) == "two.test"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_is_resumed_by_another_worker(version: ssl.TLSVersion, tmp_path: Path) -> None:
    """RFC 5077, RFC 8446 section 2.2: the context was made before the workers were, and with it the keys of its tickets."""
    certificate = Certificate.of(None, None, tmp_path, "mx2.test")
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    trusting.minimum_version = trusting.maximum_version = version
    async with door(tls=certificate.context) as one, door(tls=certificate.context) as two:
        first, session = await asyncio.to_thread(talk_tls, trusting, one.port, None)
        assert not first
        again, _ = await asyncio.to_thread(talk_tls, trusting, two.port, session)
        assert again


def talk_tls(trusting: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
    """Whether the session was resumed, and the one to go on with."""
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        for line in (b"EHLO client.test\r\n", b"STARTTLS\r\n"):
            plain.recv(4096)
            plain.sendall(line)
        plain.recv(4096)
        with trusting.wrap_socket(plain, session=session) as tls:
            tls.sendall(b"EHLO client.test\r\n")
            assert b"REQUIRETLS" in tls.recv(4096)  # and with it come the tickets of TLS 1.3
            return bool(tls.session_reused), tls.session


def test_old_ways_are_not_offered(tmp_path: Path) -> None:
    """RFC 9325: nothing older than TLS 1.2, no key that lasts, no cipher without authentication."""
    context = Certificate.of(None, None, tmp_path, "mx2.test").context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert all(each["kea"] in ("kx-ecdhe", "kx-dhe", "kx-any") and each["auth"] != "auth-null" for each in context.get_ciphers())
