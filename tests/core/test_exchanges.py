"""Which MX hosts are better than ours, and which addresses can be a primary's."""

from ipaddress import IPv4Address, ip_address

from hypothesis import given
from hypothesis import strategies as st

from backupmx.core.exchanges import Exchange, better, private, reachable

EXCHANGES = st.lists(st.builds(Exchange, st.integers(0, 4), st.sampled_from(["us", "a", "b", "c", ""])), max_size=6)


@given(exchanges=EXCHANGES)
def test_never_ourselves_never_as_good_as_we_are_never_nowhere(exchanges: list[Exchange]) -> None:
    """RFC 5321 section 5.1: so that mail moves towards the primary with each hop."""
    found = better(exchanges, lambda host: host == "us")
    ours = [exchange.preference for exchange in exchanges if exchange.host == "us"]
    assert all(exchange.host not in ("us", "") for exchange in found)
    assert all(exchange.preference < min(ours, default=5) for exchange in found)
    assert list(found) == sorted(found)
    assert set(found) == {e for e in exchanges if e.host and e.preference < min(ours, default=5)}


@given(ip=st.ip_addresses())
def test_the_same_in_both_families(ip: IPv4Address) -> None:
    """I2: an IPv4 address in IPv6's clothes is judged as what it is."""
    never = ip.is_loopback or ip.is_multicast or ip.is_unspecified or ip.is_link_local
    assert reachable(str(ip)) == (not never) or ip.version == 6
    if ip.version == 4:
        assert reachable(f"::ffff:{ip}") == reachable(str(ip))


def test_private_networks_are_told_from_those_that_all_share() -> None:
    """Many primaries live in one; but only the admin can know which."""
    near = ["10.0.0.1", "172.31.0.1", "192.168.1.1", "fd00::1", "100.64.0.1", "::ffff:10.0.0.1"]
    assert all(map(reachable, near))
    assert all(map(private, near))
    assert not any(map(private, ["192.0.2.1", "172.32.0.1", "100.128.0.1", "2001:db8::1", "64:ff9b::1"]))
    assert not any(map(reachable, ["127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1"]))
    assert not reachable(str(ip_address("::ffff:127.0.0.1")))
