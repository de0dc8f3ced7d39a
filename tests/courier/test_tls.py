"""What a domain's policy demands of a connection is true of it, or no mail goes over it, in any form."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from backupmx.core.security import certain
from backupmx.courier.client import Connection, Unreachable
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Route, Routes
from tests.courier import papers
from tests.courier.house import house, put, until
from tests.courier.nameserver import Nameserver
from tests.courier.papers import HOST, LONG_AGO, demanding, dialled, server
from tests.courier.primary import EXTENSIONS, ScriptedPrimary
from tests.relay.house import house as edge
from tests.relay.house import sent


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def answering(certificate: trustme.LeafCert | None, **more: Any) -> AsyncIterator[ScriptedPrimary]:
    async with ScriptedPrimary(tls=server(certificate) if certificate else None, **more) as primary:
        yield primary


def refused(found: Connection | Unreachable, primary: ScriptedPrimary, why: str) -> None:
    """Nothing but the way to TLS was said, and the reason is told."""
    assert isinstance(found, Unreachable), found
    assert why in str(found)
    assert set(primary.verbs) <= {"EHLO", "STARTTLS"}
    assert primary.verbs["EHLO"] <= 1


# Anybody, in TLS


@pytest.mark.parametrize("scheme", ["", "smtps://"])
async def test_required_takes_any_certificate(ca: trustme.CA, scheme: str) -> None:
    """It keeps listeners out, and says so: nobody was proven to be anybody."""
    expired = ca.issue_cert("other.test", not_before=LONG_AGO, not_after=LONG_AGO)
    async with answering(expired, implicit=bool(scheme)) as primary:
        found = await dialled(demanding([f"{scheme}{HOST}:{primary.port}"], tls="required"))
        assert isinstance(found, Connection), found
        assert str(found.peer.tls).startswith("TLSv1.3 ")
        assert not found.peer.proof
        await found.quit()


@pytest.mark.parametrize("policy", ["required", "verify"])
async def test_no_offer_of_starttls_is_no_excuse(policy: str) -> None:
    """RFC 3207 section 6: somebody on the way may have taken it out."""
    async with answering(None) as primary:
        refused(await dialled(demanding([f"{HOST}:{primary.port}"], tls=policy)), primary, "does not offer STARTTLS")


@pytest.mark.parametrize("policy", ["required", "verify"])
@pytest.mark.parametrize("reply", ["454 4.7.0 not now", "501 5.5.4 no", "220 2.0.0 go on"])
async def test_nor_is_a_starttls_that_comes_to_nothing(policy: str, reply: str) -> None:
    """Refused, or broken: never plain text."""
    unusable = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with ScriptedPrimary(tls=unusable).on("STARTTLS", reply) as primary:
        refused(await dialled(demanding([f"{HOST}:{primary.port}"], tls=policy)), primary, "")
        assert primary.connections == 1


# Somebody whom an authority knows


@pytest.mark.parametrize("scheme", ["", "smtps://"])
async def test_verify_takes_the_right_name_from_the_right_authority(ca: trustme.CA, tmp_path: Path, scheme: str) -> None:
    """And the outcome says that it did."""
    async with answering(ca.issue_cert(HOST), implicit=bool(scheme)) as primary:
        file = papers.authority_file(ca, tmp_path)
        found = await dialled(demanding([f"{scheme}{HOST}:{primary.port}"], tls="verify", tls_ca_file=file))
        assert isinstance(found, Connection), found
        assert found.peer.proof == "verified"
        assert str(found.peer.tls).endswith(" verified")
        await found.quit()


@pytest.mark.parametrize("scheme", ["", "smtps://"])
@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ("self-signed", "its certificate is not good: "),
        ("other authority", "its certificate is not good: "),
        ("other name", "Hostname mismatch"),
        ("expired", "certificate has expired"),
    ],
)
async def test_and_nobody_else(ca: trustme.CA, tmp_path: Path, spoilt: str, why: str, scheme: str) -> None:
    """The reason stands where the admin looks."""
    certificate = {
        "self-signed": lambda: trustme.CA().issue_cert(HOST),
        "other authority": lambda: trustme.CA().issue_cert(HOST),
        "other name": lambda: ca.issue_cert("mx9.localhost"),
        "expired": lambda: ca.issue_cert(HOST, not_before=LONG_AGO, not_after=LONG_AGO),
    }[spoilt]()
    file = None if spoilt == "self-signed" else papers.authority_file(ca, tmp_path)
    async with answering(certificate, implicit=bool(scheme)) as primary:
        found = await dialled(demanding([f"{scheme}{HOST}:{primary.port}"], tls="verify", tls_ca_file=file))
        refused(found, primary, why)


async def test_the_next_host_has_the_mail_when_the_first_is_somebody_else(ca: trustme.CA, tmp_path: Path) -> None:
    """RFC 5321 section 5.1: as with any host that does not answer."""
    file = papers.authority_file(ca, tmp_path)
    async with answering(ca.issue_cert("mx9.localhost")) as wrong, answering(ca.issue_cert("mx2.localhost")) as right:
        told = demanding([f"{HOST}:{wrong.port}", f"mx2.localhost:{right.port}"], tls="verify", tls_ca_file=file)
        found = await dialled(told)
        assert isinstance(found, Connection), found
        assert right.connections == 1
        await found.quit()


# The owner of a key


@pytest.mark.parametrize("spelt", ["hex", "colons", "base64", "two"])
async def test_a_pinned_key_needs_no_authority(spelt: str) -> None:
    """Self-signed, under any name, out of date: its owner is who was meant."""
    certificate = trustme.CA().issue_cert("whatever.test", not_before=LONG_AGO, not_after=LONG_AGO)
    digits = papers.pin(certificate)
    pin: Any = {
        "hex": digits,
        "colons": ":".join(digits[n : n + 2] for n in range(0, 64, 2)).upper(),
        "base64": base64.b64encode(bytes.fromhex(digits)).decode(),
        "two": ("0" * 64, digits),
    }[spelt]
    async with answering(certificate) as primary:
        found = await dialled(demanding([f"127.0.0.1:{primary.port}"], tls="verify", tls_pin=pin))
        assert isinstance(found, Connection), found
        assert found.peer.proof == "pinned"
        await found.quit()


async def test_another_key_is_another_server(ca: trustme.CA) -> None:
    """Whoever vouches for it; the reason holds what an admin needs who changed the key on purpose."""
    old, new = ca.issue_cert(HOST), ca.issue_cert(HOST)
    async with answering(new) as primary:
        found = await dialled(demanding([f"{HOST}:{primary.port}"], tls="verify", tls_pin=papers.pin(old)))
        refused(found, primary, papers.pin(new))


# What all this means for mail


async def test_mail_waits_for_a_primary_that_is_who_it_should_be(ca: trustme.CA, tmp_path: Path) -> None:
    """I1, I9: nothing is sent, deferred or blamed; the status tells why; once it is right, all goes."""
    wrong, right = ca.issue_cert("mx9.localhost"), ca.issue_cert(HOST)
    async with answering(wrong) as primary:
        told = demanding([f"{HOST}:{primary.port}"], tls="verify", tls_ca_file=papers.authority_file(ca, tmp_path))
        async with house(told) as at:
            id = await put(at.spool)
            at.courier.wake()
            await until(lambda: at.primary() == "down")
            assert "Hostname mismatch" in str(at.courier.views()["example.com"].primary.last_error)
            assert at.spool.get(id).schedule["example.com"].deferrals == 0
            assert not primary.verbs["MAIL"]
            primary.tls = server(right)
            await at.time.advance(31)
            await until(at.empty)


async def test_domains_that_demand_something_else_of_the_same_host_share_no_connection(ca: trustme.CA) -> None:
    """One wants a key that the host does not have: the other's open connection is not for its mail."""
    async with answering(ca.issue_cert(HOST)) as primary:
        told = demanding([f"127.0.0.1:{primary.port}"], ("example.com", "example.org"))
        strict = demanding([f"127.0.0.1:{primary.port}"], ("example.org",), tls="verify", tls_pin="0" * 64)
        told = told.model_copy(update={"domains": {**told.domains, **strict.domains}})
        async with house(told) as at:
            kept = await put(at.spool, "user@example.org")
            await put(at.spool, "user@example.com")
            at.courier.wake()
            await until(lambda: len(primary.received) == 1)
            await until(lambda: at.primary("example.org") == "down")
            assert at.primary("example.com") == "up"
            await until(lambda: list(at.spool.messages) == [kept])


@pytest.mark.parametrize("way", ["plain", "anybody", "pinned"])
async def test_a_message_that_requires_tls_goes_to_a_proven_primary_alone(ca: trustme.CA, way: str) -> None:
    """RFC 8689 section 4.2.1: TLS with nobody in particular is not enough."""
    certificate = ca.issue_cert(HOST)
    keys = {"tls": "verify", "tls_pin": papers.pin(certificate)} if way == "pinned" else {}
    tls = None if way == "plain" else server(certificate)
    primary = ScriptedPrimary((*EXTENSIONS, "REQUIRETLS"), tls)
    async with primary, house(demanding([f"127.0.0.1:{primary.port}"], **keys)) as at:
        id = await put(at.spool, requires_tls=True)
        await put(at.spool)
        at.courier.wake()
        await until(lambda: len(primary.received) == (2 if way == "pinned" else 1))
        if way != "pinned":
            await until(lambda: at.said(id))
            assert "4.7.30" in at.said(id)


async def test_a_fall_back_to_plain_text_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Opportunistic mail goes on; the log knows that it went without what was offered."""
    async with ScriptedPrimary(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) as primary:
        found = await dialled(demanding([f"127.0.0.1:{primary.port}"]))
        assert isinstance(found, Connection), found
        assert found.peer.tls is None
        await found.quit()
        assert "tls given up" in capsys.readouterr().out


async def test_a_name_that_unsigned_dns_told_is_verified_and_yet_not_certain() -> None:
    """RFC 8689 section 4.2.1: who forged the MX record has a certificate in the name that it told."""
    zone = (
        Nameserver()
        .has("example.com", "MX", "10 mx1.example.com.", "20 mx2.example.net.")
        .has("mx1.example.com", "A", "192.0.2.1")
    )
    async with zone as dns_:
        routes = [Routes(demanding(to, tls="verify"), Resolver([dns_.place])) for to in ([], ["mx1.example.com"])]
        by_mx, named = [await each.find("example.com") for each in routes]
        dns_.authentic = {"MX"}
        signed = await routes[0].find("example.com")
        assert isinstance(by_mx, Route)
        assert isinstance(named, Route)
        assert isinstance(signed, Route)
        assert [certain(each.addresses[0].demand) for each in (by_mx, named, signed)] == [False, True, True]
        assert by_mx.key != signed.key == named.key


# In the session of a sender


async def test_what_is_demanded_holds_for_callouts_and_in_session_relay_as_well(ca: trustme.CA) -> None:
    """Every way to a primary is the same one: it hears no address and no content from us that is not for its ears."""
    certificate = ca.issue_cert("primary.test")
    for pin, relayed in ((papers.pin(certificate), True), ("0" * 64, False)):
        async with (
            ScriptedPrimary(tls=server(certificate)) as primary,
            edge(primary, tls="verify", tls_pin=pin) as at,
        ):
            assert (await at.relay.verify("example.com", ["a"]) is not None) == relayed
            await at.time.advance(10)
            told = await sent(at, "a@example.com")
            assert told.taken
            assert (len(primary.received), len(at.spooled())) == ((1, 0) if relayed else (0, 1))
            assert bool(primary.verbs["RCPT"]) == relayed


async def test_domains_with_other_demands_are_two_routes_in_a_session(ca: trustme.CA) -> None:
    """A transaction for both is not handed to the one's connection."""
    certificate = ca.issue_cert("primary.test")
    async with ScriptedPrimary(tls=server(certificate)) as primary:
        pins = {"example.com": papers.pin(certificate), "example.org": "0" * 64}
        async with edge({"example.com": primary, "example.org": primary}, tls="verify", tls_pin=pins) as at:
            assert await at.relay.route("example.com") != await at.relay.route("example.org")
            told = await sent(at, "a@example.com", "b@example.org")
            assert told.taken
            assert "RCPT TO:<b@example.org>" not in primary.commands


def test_all_of_it_on_the_other_event_loop_as_well(ca: trustme.CA, tmp_path: Path) -> None:
    """Certificates and reasons are the same there."""
    certificate = ca.issue_cert(HOST)
    file = papers.authority_file(ca, tmp_path)

    async def main() -> None:
        async with answering(certificate) as primary, answering(certificate, implicit=True) as implicit:
            for place in (f"{HOST}:{primary.port}", f"smtps://{HOST}:{implicit.port}"):
                for keys in ({"tls_ca_file": file}, {"tls_pin": papers.pin(certificate)}):
                    found = await dialled(demanding([place], tls="verify", **keys))
                    assert isinstance(found, Connection), found
                    assert found.peer.proof
                    await found.quit()
                refused = await dialled(demanding([place], tls="verify"))
                assert isinstance(refused, Unreachable)
                assert "its certificate is not good: " in str(refused)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
