"""STARTTLS, on both event loops (RFC 3207)."""

import asyncio
import ssl
import stat
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from cryptography import x509

from backupmx.edge.certificate import Certificate
from backupmx.edge.tally import Tally
from backupmx.errors import ConfigurationError
from tests.edge.door import Client, client, door, until

TRUSTING = ssl.create_default_context()
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a scenario to its end on one of the loops."""

    def run_it(scenario: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(scenario)

    return run_it


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """The certificate that we sign ourselves."""
    return Certificate.of(None, None, tmp_path_factory.mktemp("tls"), "mx2.test").context


async def secured(talk: Client) -> Client:
    """Past STARTTLS and a second EHLO."""
    assert (await talk.say("STARTTLS")).startswith("220 ")
    await talk.writer.start_tls(TRUSTING)
    assert "STARTTLS" not in await talk.say("EHLO client.test")
    return talk


def test_large_mail_comes_through_tls(run: Run, ours: ssl.SSLContext) -> None:
    """And the field in front says so."""
    content = b"x" * 98 + b"\r\n"

    async def scenario() -> None:
        async with door(tls=ours) as at, client(at.port) as talk:
            await secured(talk)
            assert (await talk.mail(content * 20_000 + b".\r\n")).startswith("250 ")
            assert (await talk.mail(b"two\r\n.\r\n")).startswith("250 ")
            assert at.held() == [content * 20_000, b"two\r\n"]
            (first, _) = at.spool.contents.values()
            assert b"\t(using TLSv1.3 with cipher " in first
            assert b" with ESMTPS id " in first
            assert (await talk.say("QUIT")).startswith("221 ")
            assert await talk.reply() == ""

    run(scenario())


def test_what_was_said_in_plain_text_is_forgotten(run: Run, ours: ssl.SSLContext) -> None:
    """I6: also what came in one packet with STARTTLS; and STARTTLS inside TLS is 503."""

    async def scenario() -> None:
        async with door(tls=ours) as at, client(at.port) as talk:
            await talk.say("MAIL FROM:<a@sender.test>")
            assert (await talk.say("STARTTLS")).startswith("220 ")
            await talk.writer.start_tls(TRUSTING)
            assert (await talk.say("RCPT TO:<user@example.com>")).startswith("503 5.5.1 Say EHLO")
            assert (await talk.say("STARTTLS")).startswith("503 ")
            assert "STARTTLS" not in await talk.say("EHLO client.test")
            assert (await talk.say("RCPT TO:<user@example.com>")).startswith("503 5.5.1 Bad sequence")

    run(scenario())


@pytest.mark.parametrize("way", ["garbage", "goes", "half-closes"])
def test_a_handshake_that_fails_gives_its_place_back(run: Run, ours: ssl.SSLContext, way: str) -> None:
    """I4: the TLS layer does not tell us of it."""

    async def scenario() -> None:
        tally = Tally.make(1)
        async with door(tls=ours, tally=tally) as at:
            async with client(at.port) as talk:
                assert (await talk.say("STARTTLS")).startswith("220 ")
                if way == "garbage":
                    talk.send(b"this is no handshake\r\n" * 20)
                elif way == "goes":
                    talk.writer.transport.abort()
                else:
                    talk.writer.write_eof()
                await until(lambda: not at.edge._sessions, "the session is gone")
            assert tally.sum(0) == 0

    run(scenario())


def test_a_handshake_that_does_not_end_is_ended(run: Run, ours: ssl.SSLContext) -> None:
    """Its deadline is that of a command."""

    async def scenario() -> None:
        async with door(tls=ours) as at, client(at.port) as talk:
            assert (await talk.say("STARTTLS")).startswith("220 ")
            (session,) = at.edge._sessions
            session.expire()
            assert await talk.reply() == ""
            await until(lambda: not at.edge._sessions, "the session is gone")

    run(scenario())


def test_the_first_command_may_come_with_the_end_of_the_handshake(run: Run, ours: ssl.SSLContext) -> None:
    """One packet, as TLS 1.3 allows it."""

    async def scenario() -> None:
        async with door(tls=ours) as at, client(at.port) as talk:
            await talk.say("STARTTLS")
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = TRUSTING.wrap_bio(incoming, outgoing)
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    talk.send(outgoing.read())
                    incoming.write(await talk.reader.read(65536))
            tls.write(b"EHLO client.test\r\n")
            talk.send(outgoing.read())  # the end of the handshake, and the command
            heard = b""
            while b"\r\n250 " not in heard:
                incoming.write(await talk.reader.read(65536))
                try:
                    heard += tls.read()
                except ssl.SSLWantReadError:
                    continue
            assert heard.startswith(b"250-mx2.test\r\n")

    run(scenario())


def test_a_connection_within_tls_costs_little_memory(run: Run, ours: ssl.SSLContext) -> None:
    """I4: five thousand of them must not fill a board of one gigabyte."""

    async def scenario() -> None:
        async with door(tls=ours) as at, client(at.port) as talk:
            await secured(talk)
            (session,) = at.edge._sessions
            assert len(session._tls_protocol._ssl_buffer) <= 32 * 1024  # type: ignore[attr-defined]

    run(scenario())


def test_an_ambiguous_end_is_refused_in_tls_too(run: Run, ours: ssl.SSLContext) -> None:
    """I6: the client sees why, and nothing of what it sends on is done."""

    async def scenario() -> None:
        async with door(tls=ours) as at, client(at.port) as talk:
            await secured(talk)
            await talk.begin()
            talk.send(b"x\n.\r\nMAIL FROM:<smuggled@sender.test>\r\n" + b"NOOP\r\n" * 10_000)
            assert (await talk.reply()).startswith("550 5.5.2 ")
            assert not at.spool.messages

    run(scenario())


def test_sessions_in_tls_hear_that_the_server_stops(run: Run, ours: ssl.SSLContext) -> None:
    """421, and nothing of them is left."""

    async def scenario() -> None:
        async with door(tls=ours) as at, client(at.port) as talk:
            await secured(talk)
            stopping = asyncio.create_task(at.edge.stop(timedelta(seconds=5)))
            assert (await talk.reply()).startswith("421 4.3.2 ")
            talk.writer.close()
            await stopping
            assert not at.edge._sessions

    run(scenario())


async def test_without_a_certificate_tls_is_neither_offered_nor_begun() -> None:
    """454, and the session goes on."""
    async with door() as at, client(at.port) as talk:
        assert "STARTTLS" not in await talk.say("EHLO client.test")
        assert (await talk.say("STARTTLS")).startswith("454 4.7.0 ")


def test_the_configured_certificate_is_shown(run: Run, tmp_path: Path) -> None:
    """To a client that verifies it."""
    authority = trustme.CA()
    issued = authority.issue_cert("mx2.test")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    verifying = ssl.create_default_context()
    authority.configure_trust(verifying)

    configured = Certificate.of(certificate, key, tmp_path / "own", "mx2.test")

    async def scenario() -> None:
        async with door(tls=configured.context) as at, client(at.port) as talk:
            await talk.say("STARTTLS")
            await talk.writer.start_tls(verifying, server_hostname="mx2.test")
            assert (await talk.say("EHLO client.test")).startswith("250-")

    run(scenario())
    assert not (tmp_path / "own").exists()


def test_our_own_certificate_is_made_once_and_kept_to_ourselves(tmp_path: Path) -> None:
    """Mode 0600, the host's name in it."""
    Certificate.of(None, None, tmp_path / "tls", "mx2.test")
    first = (tmp_path / "tls" / "cert.pem").read_bytes()
    Certificate.of(None, None, tmp_path / "tls", "mx2.test")
    assert (tmp_path / "tls" / "cert.pem").read_bytes() == first
    parsed = x509.load_pem_x509_certificate(first)
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mx2.test"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()} == {0o600}


def test_what_a_crash_left_of_our_own_certificate_is_made_anew(tmp_path: Path) -> None:
    """Nobody has been promised this one."""
    Certificate.of(None, None, tmp_path, "mx2.test")
    (tmp_path / "cert.pem").write_bytes(b"-----BEGIN")
    made = Certificate.of(None, None, tmp_path, "mx2.test").context
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2


def test_configured_files_that_do_not_fit_are_a_configuration_error(tmp_path: Path) -> None:
    """And are never replaced by ours."""
    Certificate.of(None, None, tmp_path / "one", "mx2.test")
    Certificate.of(None, None, tmp_path / "two", "mx2.test")
    with pytest.raises(ConfigurationError, match="tls_certificate"):
        Certificate.of(tmp_path / "one" / "cert.pem", tmp_path / "two" / "key.pem", tmp_path / "own", "mx2.test")
