"""What the checks find in real zones behind a real validating resolver. Needs nsd, unbound and ldns."""

import hashlib
from collections.abc import Iterator

import pytest
import trustme

from backupmx.checks import mx, names, policies
from backupmx.config import Domain, Endpoint
from backupmx.core.finding import Level
from backupmx.courier.resolver import Resolver
from tests.checks.zone import check_words
from tests.courier import papers
from tests.peer.laboratory import Zone, laboratory

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120), pytest.mark.xdist_group("dns")]

LEAF = trustme.CA().issue_cert("mx2.signed.test")
OURS, US = "mx2.signed.test", "198.18.0.9"
# unbound answers for the reverse zones of other addresses that are never used by itself
RECORDS = f"""\
mail A 198.51.100.1
mx2 A {US}
mx2 TXT "v=spf1 a -all"
_25._tcp.mx2 TLSA 3 1 1 {hashlib.sha256(papers.key(papers.loaded(LEAF))).hexdigest()}
alias CNAME mx2
loop CNAME loop2
loop2 CNAME loop
good MX 10 mail
good MX 20 mx2
viaalias MX 10 mail
viaalias MX 20 alias
vialoop MX 10 loop
vialoop MX 20 mx2
null MX 0 .
"""
ZONES = (
    Zone("signed.test", RECORDS),
    Zone("0.18.198.in-addr.arpa", f"9 PTR {OURS}.\n10 PTR other.signed.test."),
    Zone("expired.test", "good MX 10 mail.signed.test.\ngood MX 20 mx2.signed.test.", expired=True),
)


@pytest.fixture(scope="module")
def resolver() -> Iterator[Endpoint]:
    with laboratory(*ZONES) as found:
        yield found


@pytest.mark.parametrize(
    ("domain", "levels"),
    [
        ("good.signed.test", ["good"]),
        ("viaalias.signed.test", ["good", "odd"]),
        ("vialoop.signed.test", ["good", "unknown"]),
        ("null.signed.test", ["bad"]),
        ("nobody.signed.test", ["bad"]),
        ("good.expired.test", ["unknown"]),
    ],
)
async def test_the_order_of_the_hosts(resolver: Endpoint, domain: str, levels: list[str]) -> None:
    """What the resolver does not vouch for is not known."""
    seen = await mx.look(domain, Domain(), OURS, (US,), Resolver([resolver]), lambda _: None)
    check_words(seen.findings)
    assert [finding.level for finding in seen.findings] == levels


@pytest.mark.parametrize(("ip", "level"), [(US, Level.GOOD), ("198.18.0.10", Level.ODD), ("198.18.0.11", Level.ODD)])
async def test_addresses_lead_back(resolver: Endpoint, ip: str, level: Level) -> None:
    """To us, to another, to nobody."""
    assert (await names.back(OURS, ip, Resolver([resolver]))).level is level


@pytest.mark.parametrize(("leaf", "level"), [(LEAF, Level.GOOD), (trustme.CA().issue_cert("mx2.signed.test"), Level.BAD)])
async def test_tlsa_records_name_the_certificate(resolver: Endpoint, leaf: trustme.LeafCert, level: Level) -> None:
    """The one in use, or another one."""
    assert (await policies.tlsa(OURS, (papers.loaded(leaf),), Resolver([resolver]))).level is level
