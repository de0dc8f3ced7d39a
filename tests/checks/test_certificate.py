"""The certificate that senders see: its dates, its names, its signature; and what is promised of it."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.rcode
import pytest
import trustme
from cryptography import x509

from backupmx.checks import certificate, policies
from backupmx.checks.certificate import Chain
from backupmx.config import Settings
from backupmx.core.finding import Finding, Level
from backupmx.core.sts import Policy
from backupmx.courier.resolver import Resolver
from backupmx.courier.sts import Kept, Shelf, Sts
from backupmx.edge.certificate import Certificate
from tests.checks.zone import DOMAIN, HOSTNAME, check_words
from tests.courier.nameserver import Nameserver
from tests.courier.papers import der, key, loaded

ODD, BAD, GOOD, UNKNOWN = Level.ODD, Level.BAD, Level.GOOD, Level.UNKNOWN
NOW = datetime.now(UTC)
CA = trustme.CA()
GOOD_ONE = CA.issue_cert(HOSTNAME)


def settings(place: Path, *, configured: bool = True) -> Settings:
    files = {"tls_certificate": place / "cert.pem", "tls_key": place / "cert.pem"} if configured else {}
    return Settings.model_validate({"hostname": HOSTNAME, "spool": place, "smtp": files, "domain": {DOMAIN: {}}})


def chain(leaf: trustme.LeafCert, *authorities: trustme.CA) -> Chain:
    return (loaded(leaf), *(x509.load_pem_x509_certificate(each.cert_pem.bytes()) for each in authorities))


def own(place: Path) -> Chain:
    """The one that we make ourselves."""
    Certificate.of(None, None, place / "tls", HOSTNAME)
    found = certificate.load(settings(place, configured=False))
    assert not isinstance(found, Finding)
    return found


def look(what: Chain, now: datetime = NOW) -> Sequence[Finding]:
    found = list(certificate.look(what, HOSTNAME, now))
    check_words(found)
    return found


@pytest.mark.parametrize(
    ("left", "level", "said"),
    [
        (timedelta(days=60), GOOD, "good for 59 d 23 h more"),
        (timedelta(days=20), ODD, "expires in 19 d"),
        (timedelta(days=2), BAD, "expires in 1 d"),
        (timedelta(hours=-2), BAD, "expired 2 h ago"),
    ],
)
def test_its_dates(left: timedelta, level: Level, said: str) -> None:
    """Renewal is due long before the end."""
    leaf = CA.issue_cert(HOSTNAME, not_before=NOW - timedelta(days=90), not_after=NOW + left)
    (found,) = look(chain(leaf, CA))
    assert found.level is level
    assert said in found.said
    assert level is GOOD or "`certbot renew`" in found.mend


def test_one_that_is_not_good_yet() -> None:
    """Or the clock is wrong."""
    leaf = CA.issue_cert(HOSTNAME, not_before=NOW + timedelta(hours=1), not_after=NOW + timedelta(days=90))
    (found,) = look(chain(leaf, CA))
    assert found.level is BAD
    assert "clock" in found.mend


@pytest.mark.parametrize(
    ("names", "good"),
    [
        (("mx2.example.net",), True),
        (("*.example.net",), True),
        (("MX2.example.net",), True),
        (("a.test", "b.test"), False),
        (("*.net",), False),
    ],
)
def test_its_names(names: tuple[str, ...], good: bool) -> None:
    """A star is for one label."""
    (found,) = look(chain(CA.issue_cert(*names), CA))
    assert found.level is (GOOD if good else ODD)
    assert good or f"is for {', '.join(names)}, not for" in found.said


def test_signed_by_itself_or_without_its_issuer(tmp_path: Path) -> None:
    """Opportunistic senders do not mind."""
    (found,) = look(own(tmp_path))
    assert found.level is ODD
    assert "signed by nobody but itself" in found.said
    (found,) = look(chain(GOOD_ONE))
    assert found.level is ODD
    assert "fullchain.pem" in found.mend


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Not one thing after the other."""
    leaf = CA.issue_cert("a.test", not_before=NOW - timedelta(days=90), not_after=NOW - timedelta(days=1))
    assert [finding.level for finding in look(chain(leaf))] == [BAD, ODD, ODD]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """None made yet; then a file that is something else, that is gone, that nobody can read."""

    def trouble(told: Settings) -> Level:
        found = certificate.load(told)
        assert isinstance(found, Finding)
        check_words([found])
        return found.level

    assert trouble(settings(tmp_path, configured=False)) is UNKNOWN
    file = tmp_path / "cert.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    told = settings(tmp_path)
    assert trouble(told) is BAD
    file.unlink()
    assert trouble(told) is BAD
    file.mkdir()
    assert trouble(told) is UNKNOWN


# TLSA


def record(leaf: trustme.LeafCert, usage: int = 3, selector: int = 1, matching: int = 1) -> str:
    what = key(loaded(leaf)) if selector else der(loaded(leaf))
    digest = {0: what, 1: hashlib.sha256(what).digest(), 2: hashlib.sha512(what).digest()}[matching]
    return f"{usage} {selector} {matching} {digest.hex()}"


AUTHORITY = f"2 0 1 {hashlib.sha256(der(x509.load_pem_x509_certificate(CA.cert_pem.bytes()))).hexdigest()}"


@pytest.mark.parametrize(
    ("records", "level", "said"),
    [
        ((), GOOD, "none is needed"),
        ((record(GOOD_ONE),), GOOD, "names the certificate in use"),
        ((record(GOOD_ONE, 3, 0, 2),), GOOD, "names the certificate in use"),
        ((record(CA.issue_cert("next.test")), record(GOOD_ONE)), GOOD, "names the certificate in use"),
        ((AUTHORITY,), GOOD, "names the certificate in use"),
        ((record(CA.issue_cert("old.test")),), BAD, "no TLSA record names"),
        ((record(GOOD_ONE, usage=1),), ODD, "no TLSA record that senders could use"),
    ],
)
async def test_tlsa_records_must_name_it(records: tuple[str, ...], level: Level, said: str) -> None:
    """RFC 7672: whoever goes by them gives nothing to another certificate."""
    nameserver = Nameserver()
    if records:
        nameserver.has(f"_25._tcp.{HOSTNAME}", "TLSA", *records)
    async with nameserver:
        found = await policies.tlsa(HOSTNAME, chain(GOOD_ONE, CA), Resolver([nameserver.place]))
    check_words([found])
    assert found.level is level
    assert said in found.said
    assert level is GOOD or f"`_25._tcp.{HOSTNAME}. IN TLSA {record(GOOD_ONE)}`" in found.mend


async def test_tlsa_with_trouble_or_without_a_certificate() -> None:
    """Not known."""
    nameserver = Nameserver().has(f"_25._tcp.{HOSTNAME}", "TLSA", record(GOOD_ONE))
    missing = Finding("certificate", HOSTNAME, UNKNOWN, "x", "y")
    async with nameserver:
        assert (await policies.tlsa(HOSTNAME, missing, Resolver([nameserver.place]))).level is UNKNOWN
        nameserver.failing = dns.rcode.SERVFAIL
        assert (await policies.tlsa(HOSTNAME, chain(GOOD_ONE, CA), Resolver([nameserver.place]))).level is UNKNOWN


# MTA-STS


@pytest.mark.parametrize(
    ("mode", "mx", "leaf", "level", "said"),
    [
        ("enforce", ("mail.example.com", HOSTNAME), GOOD_ONE, GOOD, f"admits {HOSTNAME}"),
        ("enforce", ("*.example.net",), GOOD_ONE, GOOD, f"admits {HOSTNAME}"),
        ("enforce", ("mail.example.com",), GOOD_ONE, BAD, f"does not admit {HOSTNAME}"),
        ("testing", ("mail.example.com",), GOOD_ONE, ODD, f"does not admit {HOSTNAME}"),
        ("none", (), GOOD_ONE, GOOD, "asks nothing"),
        ("enforce", (HOSTNAME,), CA.issue_cert("other.test"), BAD, "wants a certificate for"),
        ("enforce", (HOSTNAME,), None, BAD, "wants a certificate for"),
        ("testing", (HOSTNAME,), None, ODD, "wants a certificate for"),
    ],
)
async def test_an_mta_sts_policy_must_admit_us(
    mode: str, mx: tuple[str, ...], leaf: trustme.LeafCert | None, level: Level, said: str, tmp_path: Path
) -> None:
    """RFC 8461: else senders who go by it do not come here."""
    Shelf(tmp_path).put(DOMAIN, Kept("1", Policy(mode, mx, 86_400), NOW))  # type: ignore[arg-type]
    ours = chain(leaf, CA) if leaf else own(tmp_path)
    async with Nameserver().has(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=1;"') as nameserver:
        resolver = Resolver([nameserver.place])
        found = await policies.sts(DOMAIN, (HOSTNAME,), ours, resolver, Sts(resolver, tmp_path, clock=lambda: NOW))
    check_words([found])
    assert found.level is level
    assert said in found.said


async def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    """Announced and not to be had; not announced; nobody knows; not about us."""
    nameserver = Nameserver()
    async with nameserver:
        resolver = Resolver([nameserver.place])

        async def look(*ours: str) -> Finding:
            found = await policies.sts(DOMAIN, ours, chain(GOOD_ONE, CA), resolver, Sts(resolver, tmp_path, clock=lambda: NOW))
            check_words([found])
            return found

        assert (await look(HOSTNAME)).level is GOOD
        nameserver.has(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=1;"')
        found = await look(HOSTNAME)
        assert found.level is ODD
        assert "cannot be fetched" in found.said
        Shelf(tmp_path).put(DOMAIN, Kept("1", Policy("enforce", (HOSTNAME,), 86_400), NOW))
        assert (await look()).level is UNKNOWN
        assert (await look(HOSTNAME)).level is GOOD
        nameserver.failing = dns.rcode.SERVFAIL
        assert (await look(HOSTNAME)).level is UNKNOWN
