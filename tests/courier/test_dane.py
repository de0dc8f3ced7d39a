"""DANE (RFC 7672): mail goes to a server whose certificate the DNS names, if DNSSEC vouches for that; else it waits."""

import hashlib
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from backupmx.core.dane import Tlsa, usable
from backupmx.core.security import Dane
from backupmx.courier.client import Connection, Unreachable
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Barred, Route, Routes
from tests.courier import papers
from tests.courier.house import house, put, until
from tests.courier.nameserver import Nameserver
from tests.courier.papers import HOST, LONG_AGO, demanding, dialled, server
from tests.courier.primary import ScriptedPrimary

ROOT = trustme.CA()
AUTHORITY = ROOT.create_child_ca()
SELECTED = {0: papers.der, 1: papers.key}
MATCHED = {0: bytes, 1: lambda what: hashlib.sha256(what).digest(), 2: lambda what: hashlib.sha512(what).digest()}


def record(usage: int, selector: int, matching: int, certificate: x509.Certificate) -> str:
    return f"{usage} {selector} {matching} {MATCHED[matching](SELECTED[selector](certificate)).hex()}"


def authority(ca: trustme.CA = AUTHORITY) -> x509.Certificate:
    return x509.load_pem_x509_certificate(ca.cert_pem.bytes())


def zone(port: int, *records: str, name: str = HOST) -> Nameserver:
    """The primary's name, and the records of its service, all of them authentic."""
    made = Nameserver().has(HOST, "A", "127.0.0.1").has(f"_{port}._tcp.{name}", "TLSA", *records)
    made.authentic = {"*"}
    return made


async def call(
    certificate: trustme.LeafCert, *records: str, scheme: str = "", authorities: Sequence[trustme.CA] = ()
) -> Connection | Unreachable:
    """What comes of a call to a primary with this certificate and these records."""
    async with ScriptedPrimary(tls=server(certificate, *authorities), implicit=bool(scheme)) as primary:
        async with zone(primary.port, *records) as dns_:
            found = await dialled(demanding([f"{scheme}{HOST}:{primary.port}"], tls="dane"), dns_)
        if isinstance(found, Connection):
            assert str(found.peer.tls).endswith(f" {found.peer.proof}")
            await found.quit()
        else:
            assert not primary.verbs["MAIL"]
    return found


def proven(found: Connection | Unreachable) -> None:
    assert isinstance(found, Connection), found
    assert found.peer.proof == "dane"


@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("usage", [2, 3])
async def test_the_certificate_that_the_records_name_is_good(usage: int, selector: int, matching: int) -> None:
    """RFC 7672 section 3.1: the server's own, or that of an authority in its chain; no other authority is asked."""
    leaf = AUTHORITY.issue_cert(HOST)
    named = papers.loaded(leaf) if usage == 3 else authority()
    proven(await call(leaf, record(usage, selector, matching, named)))


@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("usage", [2, 3])
async def test_any_other_is_not(usage: int, selector: int, matching: int) -> None:
    """However good it is in the eyes of others."""
    other = trustme.CA()
    named = papers.loaded(other.issue_cert(HOST)) if usage == 3 else authority(other)
    found = await call(AUTHORITY.issue_cert(HOST), record(usage, selector, matching, named))
    assert isinstance(found, Unreachable)
    assert "no TLSA record names its certificate" in str(found)


async def test_a_server_s_own_record_makes_names_and_dates_irrelevant() -> None:
    """RFC 7672 section 3.1.1; also within TLS from the first octet."""
    leaf = trustme.CA().issue_cert("other.test", not_before=LONG_AGO, not_after=LONG_AGO)
    for scheme in ("", "smtps://"):
        proven(await call(leaf, record(3, 1, 1, papers.loaded(leaf)), scheme=scheme))


@pytest.mark.parametrize("spoilt", ["name", "dates", "chain"])
async def test_an_authority_s_record_does_not(spoilt: str) -> None:
    """RFC 7672 section 3.1.2: what it has signed must be in the right name, in time, and signed by it."""
    authorities: tuple[trustme.CA, ...] = ()
    if spoilt == "name":
        leaf = AUTHORITY.issue_cert("other.test")
    elif spoilt == "dates":
        leaf = AUTHORITY.issue_cert(HOST, not_before=LONG_AGO, not_after=LONG_AGO)
    else:
        leaf = trustme.CA().issue_cert(HOST)
        authorities = (AUTHORITY,)
    found = await call(leaf, record(2, 0, 1, authority()), authorities=authorities)
    assert isinstance(found, Unreachable)
    assert "a TLSA record names an authority, and yet" in str(found)


async def test_an_authority_may_vouch_for_the_domain_itself() -> None:
    """RFC 7672 section 3.2.3: the name that mail is for is as good as that of the host; and the chain may be long."""
    leaf = AUTHORITY.issue_cert("example.com")
    proven(await call(leaf, record(2, 1, 2, authority())))
    leaf = AUTHORITY.issue_cert(HOST)
    proven(await call(leaf, record(2, 1, 1, authority(ROOT)), authorities=[ROOT]))


async def test_one_record_that_fits_is_enough() -> None:
    """As when a key is about to change; and records of other kinds are passed over."""
    leaf, next_ = AUTHORITY.issue_cert(HOST), AUTHORITY.issue_cert(HOST)
    good = record(3, 1, 1, papers.loaded(leaf))
    proven(await call(leaf, record(3, 1, 1, papers.loaded(next_)), good))
    proven(await call(leaf, "1 1 1 " + "00" * 32, "3 7 1 " + "00" * 32, "3 1 9 00", good))


async def test_of_two_digests_the_stronger_one_counts() -> None:
    """RFC 7671 section 9: who can forge the weaker gains nothing."""
    leaf, other = AUTHORITY.issue_cert(HOST), AUTHORITY.issue_cert(HOST)
    good, bad = papers.loaded(leaf), papers.loaded(other)
    proven(await call(leaf, record(3, 1, 2, good), record(3, 1, 1, bad)))
    assert isinstance(await call(leaf, record(3, 1, 2, bad), record(3, 1, 1, good)), Unreachable)
    weak, strong = Tlsa(3, 1, 1, bytes(32)), Tlsa(3, 1, 2, bytes(64))
    assert usable([weak, strong]) == (strong,)
    assert not usable([Tlsa(3, 1, 1, bytes(31)), Tlsa(3, 1, 0, b"")])
    assert usable([weak, Tlsa(3, 0, 2, bytes(64))]) == (weak, Tlsa(3, 0, 2, bytes(64)))


async def test_starttls_that_is_not_offered_is_no_excuse() -> None:
    """RFC 7672 section 2.2: that is what DANE is for."""
    leaf = AUTHORITY.issue_cert(HOST)
    async with ScriptedPrimary() as primary, zone(primary.port, record(3, 1, 1, papers.loaded(leaf))) as dns_:
        found = await dialled(demanding([f"{HOST}:{primary.port}"], tls="dane"), dns_)
        assert isinstance(found, Unreachable)
        assert "does not offer STARTTLS" in str(found)


# What DNS must say


GOOD = "3 1 1 " + "00" * 32


async def barred(nameserver: Nameserver, why: str, primary: Sequence[str] = ()) -> None:
    async with nameserver as dns_:
        found = await Routes(demanding(primary, tls="dane"), Resolver([dns_.place])).find("example.com")
        assert isinstance(found, Barred), found
        assert why in found.why


def published(*records: str) -> Nameserver:
    made = (
        Nameserver()
        .has("example.com", "MX", "10 mx1.example.com.", "20 mx2.example.net.")
        .has("mx1.example.com", "A", "192.0.2.1")
        .has("mx2.example.net", "A", "192.0.2.99")
        .has("_25._tcp.mx1.example.com", "TLSA", *records)
    )
    made.authentic = {"*"}
    return made


@pytest.mark.parametrize("lacking", ["MX", "A", "TLSA"])
async def test_every_step_needs_dnssec(lacking: str) -> None:
    """RFC 7672 section 2.2.1: who could forge one of them could forge all that follows from it."""
    zone = published(GOOD)
    zone.authentic = {"MX", "A", "AAAA", "TLSA"} - {lacking}
    await barred(zone, "DNSSEC")


async def test_with_it_the_route_stands() -> None:
    """For MX hosts as well as for configured ones."""
    async with published(GOOD) as dns_:
        for primary in ([], ["mx1.example.com"]):
            found = await Routes(demanding(primary, tls="dane"), Resolver([dns_.place])).find("example.com")
            assert isinstance(found, Route), found
            demand = found.addresses[0].demand
            assert isinstance(demand, Dane)
            assert demand.names == ("mx1.example.com", "example.com")


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ((), "has no TLSA record"),
        (("0 0 1 " + "00" * 32, "1 1 1 " + "00" * 32), "no TLSA record that can be used"),
        (("3 2 1 " + "00" * 32, "3 1 3 " + "00" * 32), "no TLSA record that can be used"),
    ],
)
async def test_without_a_record_that_can_be_used_mail_waits(records: tuple[str, ...], why: str) -> None:
    """The admin asked for DANE: less would be a downgrade."""
    await barred(published(*records), why)


async def test_trouble_with_dns_is_a_deferral_and_old_records_are_not_believed() -> None:
    """I9: SERVFAIL is also what a validating resolver says to a forgery."""
    import dns.rcode

    async with published(GOOD) as dns_:
        routes = Routes(demanding(tls="dane"), Resolver([dns_.place]))
        assert isinstance(await routes.find("example.com"), Route)
        dns_.failing = dns.rcode.SERVFAIL
        assert isinstance(await routes.find("example.com"), Barred)


async def test_records_are_looked_for_at_both_ends_of_an_alias() -> None:
    """RFC 7672 section 2.2.2: first where it leads to."""
    aliased = published(GOOD).has("mx1.example.com", "CNAME", "real.example.org.").has("real.example.org", "A", "192.0.2.1")
    del aliased.records["mx1.example.com", "A"]
    async with aliased as dns_:
        routes = Routes(demanding(tls="dane"), Resolver([dns_.place]))
        for data in ("00", "11"):
            found = await routes.find("example.com")
            assert isinstance(found, Route), found
            demand = found.addresses[0].demand
            assert isinstance(demand, Dane)
            assert demand.records == (Tlsa(3, 1, 1, bytes.fromhex(data) * 32),)
            assert demand.names == ("real.example.org", "mx1.example.com", "example.com")
            dns_.has("_25._tcp.real.example.org", "TLSA", "3 1 1 " + "11" * 32)


async def test_records_hold_no_longer_than_their_time() -> None:
    """A key that was changed is looked up again."""
    async with published(GOOD) as dns_:
        dns_.ttl = 120
        found = await Routes(demanding(tls="dane"), Resolver([dns_.place])).find("example.com")
        assert isinstance(found, Route)
        assert found.good_for.total_seconds() == 120


async def test_a_domain_that_loses_its_records_keeps_its_mail(tmp_path: Path) -> None:
    """I1: the status tells why; mail goes once they are back."""
    leaf = AUTHORITY.issue_cert(HOST)
    async with ScriptedPrimary(tls=server(leaf)) as primary, zone(primary.port, record(3, 1, 1, papers.loaded(leaf))) as dns_:
        dns_.ttl = 60
        told = demanding([f"{HOST}:{primary.port}"], tls="dane")
        told = told.model_copy(update={"dns": told.dns.model_copy(update={"nameservers": (dns_.place,)})})
        async with house(told) as at:
            await put(at.spool)
            at.courier.wake()
            await until(at.empty)
            dns_.authentic = set()
            await at.time.advance(61)
            await until(lambda: at.primary() == "down")
            assert "DNSSEC" in str(at.courier.views()["example.com"].primary.last_error)
            id = await put(at.spool)
            at.courier.wake()
            dns_.authentic = {"*"}
            await at.time.advance(31)
            await until(lambda: not at.spool.get(id))
            assert len(primary.received) == 2


def test_python_lets_us_see_the_chain() -> None:
    """Before 3.13 by a private name: a release that drops it must not go unnoticed."""
    assert hasattr(ssl.SSLObject, "get_unverified_chain") or hasattr(ssl._ssl._SSLSocket, "get_unverified_chain")  # type: ignore[attr-defined]
