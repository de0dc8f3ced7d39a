"""Who may speak for others, and who asked lately.

Knows: the configured networks; when a domain's queue was asked for.
Does not know: how a client proves to be one of them: its address is all.
"""

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from backupmx.core.notation import Network

ETRN_EVERY_S = 30.0
"""Asking more often for one domain's queue brings nothing."""


class Guests:
    """Trusted peers, by address."""

    def __init__(self, proxies: Sequence[Network], xclients: Sequence[Network]) -> None:
        self._proxies = tuple(proxies)
        self._xclients = tuple(xclients)

    def proxies(self, address: str) -> bool:
        """Whether its connections begin with the header of a proxy."""
        return _among(address, self._proxies)

    def trusts(self, address: str) -> bool:
        """Whether it is believed when it says on whose behalf it speaks."""
        return _among(address, self._xclients)


def _among(address: str, networks: Sequence[Network]) -> bool:
    return bool(networks) and any(ip_address(address) in network for network in networks)


class Requests:
    """ETRN, seldom enough (RFC 1985 section 6 warns of its cost)."""

    def __init__(self, time: Callable[[], float], ask: Callable[[str], None]) -> None:
        self._time = time
        self._ask = ask
        self._asked: dict[str, float] = {}

    def __call__(self, domain: str) -> bool:
        """Ask for a domain's queue; False when that was asked a moment ago."""
        now = self._time()
        if now < self._asked.get(domain, -ETRN_EVERY_S) + ETRN_EVERY_S:
            return False
        self._asked[domain] = now
        self._ask(domain)
        return True
