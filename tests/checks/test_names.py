"""Our own name: where it leads, what leads back, what SPF says of it."""

import time
from typing import Any

import dns.message
import dns.rcode
import pytest

from backupmx.admission.records import Records
from backupmx.checks import names
from backupmx.checks.names import Source
from backupmx.core.finding import Finding, Level
from backupmx.courier.resolver import Resolver
from tests.checks.zone import HOSTNAME, PTR, US, US6, at_home, check_words, inside, zone
from tests.courier.nameserver import Nameserver

ODD, BAD, GOOD, UNKNOWN = Level.ODD, Level.BAD, Level.GOOD, Level.UNKNOWN


async def where(nameserver: Nameserver, source: Source = at_home) -> list[Finding]:
    async with nameserver:
        found = list(names.addresses(HOSTNAME, await Resolver([nameserver.place]).addresses(HOSTNAME), source))
    check_words(found)
    return found


@pytest.mark.parametrize(
    ("records", "source", "level", "said", "mend"),
    [
        ({"A": (US,)}, at_home, GOOD, f"leads here: {US}", ""),
        ({"A": ("198.51.100.77",)}, at_home, BAD, f"this machine is {US}", f"`mx2.example.net. IN A {US}` (instead of 198.51"),
        ({"A": (US,)}, inside, ODD, "a router is in between", "forward TCP port 25 to 10.0.0.5"),
        ({"A": ("10.0.0.5",)}, at_home, BAD, "another host in each network", f"Set instead: `mx2.example.net. IN A {US}`"),
        ({"A": ("127.0.0.1",)}, inside, BAD, "another host in each network", "under which the Internet reaches this machine"),
        ({"A": (US,), "AAAA": (US6,)}, at_home, BAD, f"leads to {US6}, and this machine has no IPv6", f"IN AAAA {US6}`"),
        ({}, at_home, BAD, "has no address", f"Set in DNS: `mx2.example.net. IN A {US}`"),
        ({}, inside, BAD, "has no address", "`mx2.example.net. IN A …`"),
    ],
)
async def test_it_must_lead_here(records: Any, source: Source, level: Level, said: str, mend: str) -> None:
    """To one of this machine's addresses; a router in between is nobody's fault."""
    nameserver = Nameserver()
    for kind, ips in records.items():
        nameserver.has(HOSTNAME, kind, *ips)
    (found,) = await where(nameserver, source)
    assert found.level is level
    assert said in found.said
    assert mend in found.mend


async def test_each_address_that_does_not_is_told() -> None:
    """A good one beside them helps only those who try it first."""
    found = await where(Nameserver().has(HOSTNAME, "A", US, "198.51.100.7", "10.1.1.1"))
    assert [finding.level for finding in found] == [BAD, BAD]


async def test_trouble_with_dns_is_no_finding_against_the_name() -> None:
    """It may be there."""
    nameserver = zone()
    nameserver.failing = dns.rcode.SERVFAIL
    (found,) = await where(nameserver)
    assert found.level is UNKNOWN
    assert "cannot tell" in found.said


@pytest.mark.parametrize(
    ("name", "level", "said"),
    [
        ("mx2.example.net.", GOOD, "leads back to mx2.example.net"),
        ("MX2.Example.NET.", GOOD, "leads back to mx2.example.net"),
        ("other.example.net.", ODD, "leads back to other.example.net, not to"),
        ("dyn-9.provider.test.", ODD, "which does not lead to it"),
        (None, ODD, "leads back to no name"),
    ],
)
async def test_the_address_leads_back(name: str | None, level: Level, said: str) -> None:
    """As receivers want it: to a name that leads to it, best to ours."""
    nameserver = Nameserver().has("other.example.net", "A", US).has("dyn-9.provider.test", "A", "203.0.113.10")
    if name:
        nameserver.has(PTR, "PTR", name)
    async with nameserver:
        found = await names.back(HOSTNAME, US, Resolver([nameserver.place]))
    check_words([found])
    assert found.level is level
    assert said in found.said
    assert level is GOOD or f"`{PTR}. IN PTR {HOSTNAME}.`" in found.mend


async def test_ipv6_leads_back_as_well() -> None:
    """By its nibbles."""
    nameserver = Nameserver()
    async with nameserver:
        found = await names.back(HOSTNAME, US6, Resolver([nameserver.place]))
        (asked,) = nameserver.asked
        nameserver.has(asked[0], "PTR", f"{HOSTNAME}.")
        assert asked[0].endswith(".8.b.d.0.1.0.0.2.ip6.arpa")
        assert f"`{asked[0]}. IN PTR {HOSTNAME}.`" in found.mend
        assert (await names.back(HOSTNAME, US6, Resolver([nameserver.place]))).level is GOOD
        nameserver.failing = dns.rcode.SERVFAIL
        assert (await names.back(HOSTNAME, US6, Resolver([nameserver.place]))).level is UNKNOWN


@pytest.mark.parametrize(
    ("texts", "level", "said"),
    [
        (('"v=spf1 a -all"',), GOOD, "lets it send"),
        (('"v=spf1 ip4:203.0.113.0/24 -all"', '"google-site-verification=x"'), GOOD, "lets it send"),
        (('"v=spf1 include:all.example.net -all"',), GOOD, "lets it send"),
        ((), ODD, "no SPF record"),
        (('"some other text"',), ODD, "no SPF record"),
        (('"v=spf1 -all"',), BAD, f"does not let {US} send"),
        (('"v=spf1 ip4:198.51.100.1 ~all"',), BAD, f"does not let {US} send"),
        (('"v=spf1 nonsense"',), BAD, f"does not let {US} send"),
        (('"v=spf1 a -all"', '"v=spf1 mx -all"'), BAD, f"does not let {US} send"),
    ],
)
async def test_spf_lets_us_speak_in_our_own_name(texts: tuple[str, ...], level: Level, said: str) -> None:
    """RFC 7208 section 2.3 and 2.4: with the null sender it is HELO's name that is asked for."""
    nameserver = Nameserver().has(HOSTNAME, "A", US).has("all.example.net", "TXT", '"v=spf1 ip4:203.0.113.9 -all"')
    nameserver.has(HOSTNAME, "TXT", *texts)
    async with nameserver:
        records = Records([nameserver.place], time.monotonic)
        found = await names.sender_policy(HOSTNAME, (US,), Resolver([nameserver.place]), records)
    check_words([found])
    assert found.level is level
    assert said in found.said
    assert level is GOOD or f'`{HOSTNAME}. IN TXT "v=spf1 a -all"`' in found.mend


async def test_what_dns_does_not_tell_for_spf_is_not_known() -> None:
    """Neither a pass nor a fail."""
    nameserver = Nameserver()
    nameserver.failing = dns.rcode.SERVFAIL
    async with nameserver:
        records = Records([nameserver.place], time.monotonic)
        found = await names.sender_policy(HOSTNAME, (US,), Resolver([nameserver.place]), records)
    assert found.level is UNKNOWN


class Partly(Nameserver):
    """Cannot tell of one name."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        unable = dns.message.from_wire(data).question[0].name.to_text() == "all.example.net."
        self.failing = dns.rcode.SERVFAIL if unable else None
        super().datagram_received(data, addr)


async def test_nor_is_what_it_does_not_tell_of_an_include() -> None:
    """RFC 7208 section 2.6.6: a temporary error is no fail."""
    nameserver = Partly().has(HOSTNAME, "TXT", '"v=spf1 include:all.example.net -all"')
    async with nameserver:
        records = Records([nameserver.place], time.monotonic)
        found = await names.sender_policy(HOSTNAME, (US,), Resolver([nameserver.place]), records)
    check_words([found])
    assert found.level is UNKNOWN


async def test_without_an_address_spf_can_let_nobody_send() -> None:
    """That none fails is no pass."""
    async with zone() as nameserver:
        records = Records([nameserver.place], time.monotonic)
        found = await names.sender_policy(HOSTNAME, (), Resolver([nameserver.place]), records)
    assert found.level is UNKNOWN


@pytest.mark.parametrize(("host", "shown"), [("mail.example.com", "mail.example.com"), ("2001:db8::1", "2001:db8::1")])
def test_a_host_stands_in_a_command_as_it_is(host: str, shown: str) -> None:
    """Names and addresses."""
    assert names.in_command(host) == shown


@pytest.mark.parametrize("host", ["`reboot`.example.com", "a;b.example", "$(x).example", "-oProxyCommand", "a b", "", "a\nb"])
def test_nothing_that_a_shell_would_obey_stands_in_a_command(host: str) -> None:
    """I7: an admin may paste it."""
    assert names.in_command(host) == "HOST"
