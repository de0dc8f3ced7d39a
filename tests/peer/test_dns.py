"""Routes by a real validating resolver in front of real zones, signed, unsigned and forged. Needs nsd, unbound and ldns."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import trustme

from backupmx.config import Endpoint
from backupmx.core.dane import Tlsa
from backupmx.core.security import Dane
from backupmx.courier.client import Connection
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Barred, Nowhere, Route, Routes
from tests.courier import papers
from tests.courier.nameserver import Nameserver
from tests.courier.papers import demanding, dialled
from tests.courier.primary import ScriptedPrimary
from tests.peer.laboratory import Zone, laboratory
from tests.serve.instance import free_port

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120), pytest.mark.xdist_group("dns")]

LEAF = trustme.CA().issue_cert("mx1.localhost")
DIGEST = hashlib.sha256(papers.key(papers.loaded(LEAF))).hexdigest()
TLSA = f"TLSA 3 1 1 {'ab' * 32}"
OURS = "mx2.signed.test"
RECORDS = f"""\
mx1 A 192.0.2.1
_25._tcp.mx1 {TLSA}
mx2 A 192.0.2.99
mx3 A 192.0.2.3
mx3 AAAA 2001:db8::3
notlsa A 192.0.2.4
oldtlsa A 192.0.2.5
_25._tcp.oldtlsa TLSA 0 0 1 {"ab" * 32}
_25._tcp.oldtlsa TLSA 1 1 1 {"ab" * 32}
mixed A 192.0.2.6
_25._tcp.mixed TLSA 1 1 1 {"ab" * 32}
_25._tcp.mixed {TLSA}
alias CNAME mx1
away CNAME mx1.plain.test.
chain CNAME chain2
chain2 CNAME chain3
chain3 CNAME mx1
loop CNAME loop2
loop2 CNAME loop
dead CNAME nothing
private A 10.0.0.1
cgnat A 100.64.0.1
ula AAAA fd00::1
loopback A 127.0.0.1
loopback6 AAAA ::1
mapped AAAA ::ffff:127.0.0.1
zero A 0.0.0.0
group A 224.0.0.1
both A 10.0.0.1
both A 192.0.2.7
simple MX 10 mx1
simple MX 20 mx2
better MX 10 mx1
better MX 20 mx2
better MX 20 mx3
better MX 30 mixed
only MX 10 mx2
null MX 0 .
viaalias MX 10 alias
viaaway MX 10 away
viachain MX 10 chain
vialoop MX 10 loop
viadead MX 10 dead
vianothing MX 10 nothing
viamixture MX 10 nothing
viamixture MX 15 mx3
viaprivate MX 10 private
viacgnat MX 10 cgnat
viaula MX 10 ula
vialoopback MX 10 loopback
vialoopback6 MX 10 loopback6
viamapped MX 10 mapped
viazero MX 10 zero
viagroup MX 10 group
viaboth MX 10 both
viadual MX 10 mx3
vianotlsa MX 10 notlsa
viaoldtlsa MX 10 oldtlsa
viamixed MX 10 mixed
vialocal MX 10 localhost.
itself A 192.0.2.8
itself6 AAAA 2001:db8::8
renamed CNAME simple
nomail TXT "no mail here"
"""
ZONES = (
    Zone("signed.test", RECORDS),
    Zone(
        "plain.test", f"mx1 A 192.0.2.11\n_25._tcp.mx1 {TLSA}\nsimple MX 10 mx1\nviasigned MX 10 mx1.signed.test.", signed=False
    ),
    Zone(
        "bogus.test",
        f"mx1 A 192.0.2.21\n_25._tcp.mx1 {TLSA}\nmx2 A 192.0.2.22\nsimple MX 10 mx1\nforged MX 10 mx2\n_25._tcp.mx2 {TLSA}",
        forged=((r"mx2\.bogus\.test\.\s+300\s+IN\s+A\s+192\.0\.2\.22", "mx2.bogus.test. 300 IN A 203.0.113.66"),),
    ),
    Zone("expired.test", f"mx1 A 192.0.2.31\n_25._tcp.mx1 {TLSA}\nsimple MX 10 mx1", expired=True),
)


@dataclass(frozen=True, slots=True)
class Lab:
    resolver: Endpoint
    primary_port: int


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    port = free_port()
    local = Zone(
        "localhost",
        f"mx1 A 127.0.0.1\n_{port}._tcp.mx1 TLSA 3 1 1 {DIGEST}\nmx9 A 127.0.0.1\n_{port}._tcp.mx9 {TLSA}",
    )
    with laboratory(*ZONES, local) as resolver:
        yield Lab(resolver, port)


async def route(lab: Lab, domain: str, tls: str = "opportunistic") -> Route | Nowhere:
    told = demanding(domains=(domain,), tls=tls).model_copy(update={"hostname": OURS})
    return await Routes(told, Resolver([lab.resolver])).find(domain)


@pytest.mark.parametrize(
    ("domain", "ips"),
    [
        ("simple.signed.test", ["192.0.2.1"]),
        ("better.signed.test", ["192.0.2.1"]),
        ("viaalias.signed.test", ["192.0.2.1"]),
        ("viaaway.signed.test", ["192.0.2.11"]),
        ("viachain.signed.test", ["192.0.2.1"]),
        ("viamixture.signed.test", ["192.0.2.3", "2001:db8::3"]),
        ("viadual.signed.test", ["192.0.2.3", "2001:db8::3"]),
        ("viaboth.signed.test", ["192.0.2.7"]),
        ("renamed.signed.test", ["192.0.2.1"]),
        ("itself.signed.test", ["192.0.2.8"]),
        ("itself6.signed.test", ["2001:db8::8"]),
        ("simple.plain.test", ["192.0.2.11"]),
        ("viasigned.plain.test", ["192.0.2.1"]),
        ("simple.bogus.test", ["192.0.2.21"]),
    ],
)
async def test_mail_goes_where_dns_says(lab: Lab, domain: str, ips: list[str]) -> None:
    """RFC 5321 section 5.1: aliases, both families, no MX at all."""
    found = await route(lab, domain)
    assert isinstance(found, Route), found
    assert [address.ip for address in found.addresses] == ips


@pytest.mark.parametrize(
    ("domain", "why"),
    [
        ("only.signed.test", "no MX of only.signed.test is better"),
        ("null.signed.test", "null MX"),
        ("vialoop.signed.test", "DNS: "),
        ("viadead.signed.test", "does not exist"),
        ("vianothing.signed.test", "does not exist"),
        ("viaprivate.signed.test", "no address of"),
        ("viacgnat.signed.test", "no address of"),
        ("viaula.signed.test", "no address of"),
        ("vialoopback.signed.test", "no address of"),
        ("vialoopback6.signed.test", "no address of"),
        ("viamapped.signed.test", "no address of"),
        ("viazero.signed.test", "no address of"),
        ("viagroup.signed.test", "no address of"),
        ("vialocal.signed.test", "DNS: no MX"),
        ("nomail.signed.test", "has no MX record"),
        ("nobody.signed.test", "does not exist"),
        ("forged.bogus.test", "cannot tell"),
        ("simple.expired.test", "cannot tell"),
    ],
)
async def test_or_it_waits_and_the_reason_is_told(lab: Lab, domain: str, why: str) -> None:
    """I9, I10: forged answers and answers out of date are trouble with DNS, whatever the policy."""
    found = await route(lab, domain)
    assert isinstance(found, Nowhere), found
    assert why in found.why


@pytest.mark.parametrize(
    ("domain", "names"),
    [
        ("simple.signed.test", ("mx1.signed.test", "simple.signed.test")),
        ("viaalias.signed.test", ("mx1.signed.test", "alias.signed.test", "viaalias.signed.test")),
        ("viachain.signed.test", ("mx1.signed.test", "chain.signed.test", "viachain.signed.test")),
        ("viamixed.signed.test", ("mixed.signed.test", "viamixed.signed.test")),
        ("simple.bogus.test", ("mx1.bogus.test", "simple.bogus.test")),
    ],
)
async def test_dane_where_all_of_it_is_authentic(lab: Lab, domain: str, names: tuple[str, ...]) -> None:
    """RFC 7672 section 2.2: the records that can be used, and the names that a certificate may be in."""
    found = await route(lab, domain, "dane")
    assert isinstance(found, Route), found
    assert found.addresses[0].demand == Dane((Tlsa(3, 1, 1, bytes.fromhex("ab" * 32)),), names)


@pytest.mark.parametrize(
    ("domain", "why"),
    [
        ("vianotlsa.signed.test", "does not exist"),
        ("viaoldtlsa.signed.test", "no TLSA record that can be used"),
        ("viaaway.signed.test", "no DNSSEC for the addresses"),
        ("simple.plain.test", "no DNSSEC for the MX record"),
        ("viasigned.plain.test", "no DNSSEC for the MX record"),
        ("forged.bogus.test", "cannot tell"),
        ("simple.expired.test", "cannot tell"),
        ("null.signed.test", "null MX"),
    ],
)
async def test_and_no_mail_where_it_is_not(lab: Lab, domain: str, why: str) -> None:
    """The admin asked for DANE."""
    found = await route(lab, domain, "dane")
    assert isinstance(found, Barred), found
    assert why in found.why


async def test_a_resolver_that_does_not_validate_is_no_help(lab: Lab) -> None:
    """The same records from one that never sets AD."""
    zone = Nameserver().has("simple.signed.test", "MX", "10 mx1.signed.test.").has("mx1.signed.test", "A", "192.0.2.1")
    async with zone.has("_25._tcp.mx1.signed.test", "TLSA", TLSA.removeprefix("TLSA ")) as dns_:
        assert isinstance(await route(Lab(dns_.place, 0), "simple.signed.test", "dane"), Barred)


@pytest.mark.parametrize(("host", "good"), [("mx1.localhost", True), ("mx9.localhost", False)])
async def test_from_the_zone_to_the_certificate(lab: Lab, host: str, good: bool) -> None:
    """All of it at once: a signed record names the key that the primary shows; another one does not."""
    primary = ScriptedPrimary(tls=papers.server(LEAF))
    primary.port = lab.primary_port
    async with primary:
        told = demanding([f"{host}:{lab.primary_port}"], tls="dane")
        found = await Routes(told, Resolver([lab.resolver])).find("example.com")
        assert isinstance(found, Route), found
        there = Nameserver()
        there.place = lab.resolver
        call = await dialled(told, there)
        assert isinstance(call, Connection) == good
        if isinstance(call, Connection):
            assert call.peer.proof == "dane"
            await call.quit()
