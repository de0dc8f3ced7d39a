"""Which mail exchangers a secondary may send to, and which addresses.

Knows: RFC 5321 section 5.1, RFC 7505 (the null MX).
Does not know: how names are looked up.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple


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
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return not (ip.is_loopback or ip.is_unspecified or ip.is_multicast or ip.is_link_local)
