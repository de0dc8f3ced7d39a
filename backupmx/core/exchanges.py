"""Which mail exchangers a secondary may send to, and which addresses.

Knows: RFC 5321 section 5.1, RFC 7505 (the null MX).
Does not know: how names are looked up.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
"""RFC 1918, RFC 6598, RFC 4193."""


class Exchange(NamedTuple):
    """One MX record: lower is better; the host in lower case, without a final dot; empty for the null MX."""

    preference: int
    host: str


def better(exchanges: Iterable[Exchange], is_ours: Callable[[str], bool]) -> tuple[Exchange, ...]:
    """Those that are better than we are, best first; all of them when we are not listed.

    Never one as good as we are: two secondaries of equal preference would hand mail to each other for ever.
    """
    ordered = sorted(exchange for exchange in exchanges if exchange.host)
    ours = min((exchange.preference for exchange in ordered if is_ours(exchange.host)), default=None)
    return tuple(exchange for exchange in ordered if ours is None or exchange.preference < ours)


def reachable(address: str) -> bool:
    """Whether an address that came from DNS can be a primary: not this host itself, not a group of hosts, nothing of one link."""
    ip = _undressed(address)
    return not (ip.is_loopback or ip.is_unspecified or ip.is_multicast or ip.is_link_local)


def private(address: str) -> bool:
    """Whether it means another host in each network: a stranger's DNS could send mail to a neighbour of ours with it."""
    ip = _undressed(address)
    return any(ip in network for network in _PRIVATE)


def _undressed(address: str) -> IPv4Address | IPv6Address:
    """An IPv4 address in IPv6's clothes is what it is."""
    ip = ip_address(address)
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip
