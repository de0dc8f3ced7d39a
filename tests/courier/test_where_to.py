"""Where a domain's mail may go: never to ourselves, never to a worse MX, never nowhere because of DNS (I10)."""

from datetime import timedelta
from typing import Any

import dns.rcode
import pytest

from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import MOST_ADDRESSES, Nowhere, Route, Routes
from tests.courier.house import House, put, settings, until
from tests.courier.house import house as running
from tests.courier.nameserver import Nameserver
from tests.courier.papers import demanding
from tests.courier.primary import ScriptedPrimary

PRIMARY, SECOND, OURS = "192.0.2.1", "192.0.2.2", "192.0.2.99"


def zone() -> Nameserver:
    """A domain with a primary, a second one, and us."""
    return (
        Nameserver()
        .has("example.com", "MX", "10 mx1.example.com.", "20 mx2.example.net.", "30 mx3.example.org.")
        .has("mx1.example.com", "A", PRIMARY)
        .has("mx2.example.net", "A", OURS)
        .has("mx3.example.org", "A", SECOND)
    )


def routes(nameserver: Nameserver, *primary: str, **more: Any) -> Routes:
    return Routes(settings(primary), Resolver([nameserver.place]), **more)


def places(found: Route | Nowhere) -> list[tuple[str, int]]:
    assert isinstance(found, Route), found
    return [(address.ip, address.port) for address in found.addresses]


async def test_only_the_mx_hosts_that_are_better_than_we_are() -> None:
    """RFC 5321 section 5.1: we are listed by name; a worse one is never asked."""
    async with zone() as dns_:
        assert places(await routes(dns_).find("example.com")) == [(PRIMARY, 25)]


async def test_never_one_as_good_as_we_are() -> None:
    """Two secondaries of equal preference would hand mail to each other for ever."""
    async with zone().has("example.com", "MX", "10 mx1.example.com.", "20 mx2.example.net.", "20 mx3.example.org.") as dns_:
        assert places(await routes(dns_).find("example.com")) == [(PRIMARY, 25)]


async def test_we_know_ourselves_under_another_name() -> None:
    """A host with our address is us."""
    listed = zone().has("example.com", "MX", "10 mx1.example.com.", "20 backup.example.com.", "30 mx3.example.org.")
    async with listed.has("backup.example.com", "A", OURS) as dns_:
        assert places(await routes(dns_).find("example.com")) == [(PRIMARY, 25)]


async def test_mail_waits_when_we_are_the_best_or_the_only_mx() -> None:
    """There is nobody to give it to, yet."""
    async with zone().has("example.com", "MX", "20 mx2.example.net.") as dns_:
        assert isinstance(await routes(dns_).find("example.com"), Nowhere)
    async with zone().has("example.com", "MX", "5 mx2.example.net.", "10 mx1.example.com.") as dns_:
        assert isinstance(await routes(dns_).find("example.com"), Nowhere)


async def test_a_null_mx_is_no_route() -> None:
    """RFC 7505; what is held waits for a better record."""
    async with zone().has("example.com", "MX", "0 .") as dns_:
        assert isinstance(await routes(dns_).find("example.com"), Nowhere)


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("A", "127.0.0.1"),
        ("A", "127.8.9.1"),
        ("A", "0.0.0.0"),
        ("A", "224.0.0.1"),
        ("AAAA", "::1"),
        ("AAAA", "::"),
        ("AAAA", "::ffff:127.0.0.1"),
        ("AAAA", "ff02::1"),
    ],
)
async def test_no_address_of_this_host_from_dns(kind: str, address: str) -> None:
    """Neither by MX nor by a configured name: what DNS says cannot send mail back into this machine."""
    async with zone().has("mx1.example.com", kind, address) as dns_:
        if kind == "AAAA":
            del dns_.records["mx1.example.com", "A"]
        assert isinstance(await routes(dns_).find("example.com"), Nowhere)
        assert isinstance(await routes(dns_, "mx1.example.com").find("example.com"), Nowhere)


async def test_a_loopback_address_that_an_admin_wrote_is_meant() -> None:
    """Literal, or as localhost."""
    async with zone() as dns_:
        assert places(await routes(dns_, "127.0.0.1:2525").find("example.com")) == [("127.0.0.1", 2525)]
        assert ("127.0.0.1", 2526) in places(await routes(dns_, "localhost:2526").find("example.com"))


async def test_configured_hosts_in_their_order() -> None:
    """By name and by address; a name that does not resolve does not hide the next."""
    async with zone() as dns_:
        found = await routes(dns_, "mx3.example.org:2525", "gone.example.org", PRIMARY).find("example.com")
        assert places(found) == [(SECOND, 2525), (PRIMARY, 25)]


@pytest.mark.parametrize("trouble", [dns.rcode.SERVFAIL, dns.rcode.NXDOMAIN, dns.rcode.REFUSED])
async def test_dns_trouble_leaves_the_last_good_addresses(trouble: dns.rcode.Rcode) -> None:
    """I10: NXDOMAIN of a domain that we serve is trouble like any other."""
    async with zone() as dns_:
        finder = routes(dns_)
        good = await finder.find("example.com")
        dns_.failing = trouble
        again = await finder.find("example.com")
        assert places(again) == places(good)
        assert isinstance(again, Route)
        assert again.trouble
        assert isinstance(await routes(dns_).find("example.com"), Nowhere)


async def test_how_long_a_route_is_believed_has_bounds() -> None:
    """A TTL of 0 does not make a question for each message, one of a month does not outlive a move."""
    async with zone() as dns_:
        for ttl, believed in ((0, timedelta(seconds=30)), (300, timedelta(minutes=5)), (2_000_000, timedelta(hours=1))):
            dns_.ttl = ttl
            found = await routes(dns_).find("example.com")
            assert isinstance(found, Route)
            assert found.good_for == believed


async def test_equal_hosts_take_turns_and_not_all_addresses_are_tried() -> None:
    """RFC 5321 section 5.1: shuffled within a preference, never across; five addresses at most."""
    many = zone().has("example.com", "MX", "10 a.example.org.", "10 b.example.org.", "5 mx1.example.com.")
    many.has("a.example.org", "A", *(f"198.51.100.{n}" for n in range(1, 4)))
    many.has("b.example.org", "A", *(f"203.0.113.{n}" for n in range(1, 4)))
    async with many as dns_:
        asked = [places(await routes(dns_, shuffle=order).find("example.com")) for order in (list.sort, list.reverse)]
        assert [(found[0], len(found)) for found in asked] == [((PRIMARY, 25), MOST_ADDRESSES)] * 2, asked
        assert [found[1][0].rpartition(".")[0] for found in asked] == ["198.51.100", "203.0.113"]


@pytest.mark.parametrize("near", ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.1.2.3"])
async def test_a_private_address_from_mx_is_a_neighbour_s(near: str) -> None:
    """What a stranger's DNS says cannot send mail into our own network, unless the admin says so."""
    kind = "AAAA" if ":" in near else "A"
    async with zone().has("mx1.example.com", kind, near) as dns_:
        if kind == "AAAA":
            del dns_.records["mx1.example.com", "A"]
        assert isinstance(await routes(dns_).find("example.com"), Nowhere)
        allowed = Routes(demanding(allow_private=True), Resolver([dns_.place]))
        assert places(await allowed.find("example.com")) == [(near, 25)]


async def test_a_private_address_that_an_admin_named_is_meant() -> None:
    """By address always, by name unless that is forbidden."""
    async with zone().has("mx1.example.com", "A", "10.1.2.3") as dns_:
        assert places(await routes(dns_, "mx1.example.com").find("example.com")) == [("10.1.2.3", 25)]
        for primary, there in ((["10.1.2.3"], True), (["mx1.example.com"], False)):
            found = await Routes(demanding(primary, allow_private=False), Resolver([dns_.place])).find("example.com")
            assert isinstance(found, Route) == there


async def test_the_public_addresses_among_private_ones_are_used() -> None:
    """And domains for which that differs have two routes."""
    async with zone().has("mx1.example.com", "A", "10.1.2.3", PRIMARY) as dns_:
        found = await routes(dns_).find("example.com")
        allowed = await Routes(demanding(allow_private=True), Resolver([dns_.place])).find("example.com")
        assert places(found) == [(PRIMARY, 25)]
        assert len(places(allowed)) == 2
        assert isinstance(found, Route)
        assert isinstance(allowed, Route)
        assert found.key != allowed.key


async def test_without_mx_the_domain_is_its_own_host() -> None:
    """RFC 5321 section 5.1; unless that is us."""
    async with Nameserver().has("example.com", "A", PRIMARY) as dns_:
        assert places(await routes(dns_).find("example.com")) == [(PRIMARY, 25)]
    ours = Nameserver().has("example.com", "A", OURS).has("mx2.example.net", "A", OURS)
    async with ours as dns_:
        assert isinstance(await routes(dns_).find("example.com"), Nowhere)


async def test_mx_records_that_vanish_do_not_send_mail_to_a_web_server() -> None:
    """I10: what was good a while ago is likelier to be right."""
    async with zone().has("example.com", "A", SECOND) as dns_:
        finder = routes(dns_)
        good = places(await finder.find("example.com"))
        del dns_.records["example.com", "MX"]
        again = await finder.find("example.com")
        assert places(again) == good
        assert isinstance(again, Route)
        assert again.trouble


async def test_an_mx_that_is_an_alias_is_followed() -> None:
    """It should not be one (RFC 2181 section 10.3), and is in real life."""
    async with zone().has("mx1.example.com", "CNAME", "real.example.com.").has("real.example.com", "A", PRIMARY) as dns_:
        del dns_.records["mx1.example.com", "A"]
        assert places(await routes(dns_).find("example.com")) == [(PRIMARY, 25)]


async def test_localhost_in_an_mx_record_is_never_meant() -> None:
    """RFC 6761 section 6.3: an admin may write it, DNS may not."""
    listed = zone().has("example.com", "MX", "5 localhost.", "10 mx1.example.com.").has("localhost", "A", "127.0.0.1")
    async with listed as dns_:
        assert places(await routes(dns_).find("example.com")) == [(PRIMARY, 25)]


async def test_a_domain_without_a_route_waits_and_is_no_hindrance_to_others() -> None:
    """I1, I9: it shows as down, with the reason; nothing is quarantined for it."""
    async with Nameserver() as dns_, ScriptedPrimary() as primary:
        told = settings(domains=("lost.example", "example.com"))
        domain = told.domains["example.com"]
        known = domain.model_copy(update={"primary": settings([f"127.0.0.1:{primary.port}"]).domains["example.com"].primary})
        told = told.model_copy(
            update={
                "domains": {**told.domains, "example.com": known},
                "dns": told.dns.model_copy(update={"nameservers": (dns_.place,)}),
            }
        )
        async with running(told) as at:
            lost = await put(at.spool, "user@lost.example")
            await put(at.spool)
            at.courier.wake()
            await until(lambda: list(at.spool.messages) == [lost], "the other domain")
            await until(lambda: at.primary("lost.example") == "down", "it shows")
            assert_waiting(at)
            assert "does not exist" in str(at.courier.views()["lost.example"].primary.last_error)


def assert_waiting(at: House) -> None:
    """What is left is neither failed nor deferred."""
    (message,) = at.spool.messages.values()
    assert message.schedule["lost.example"].deferrals == 0
    assert not message.progress
