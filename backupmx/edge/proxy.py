"""The header that a trusted proxy puts in front of a connection: PROXY protocol, version 1 and 2.

Knows: where the header ends; aiosmtpd's parser reads what it says.
Does not know: whom to trust, sessions.
"""

import asyncio
from ipaddress import IPv4Address, IPv6Address

from aiosmtpd.proxy_protocol import V2_SIGNATURE, ProxyData, get_proxy

_LONGEST_V1 = 107
_FIXED_V2 = 16
_LONGEST_V2 = 4096
"""Octets; the TLVs that proxies send take a few hundred."""


class NotProxy(ValueError):
    """What came first is no such header."""


def length(data: bytes) -> int | None:
    """Octets of the header at the front, or None while that cannot be known. Raises NotProxy."""
    if data.startswith(b"PROXY"[: len(data)]):
        end = data.find(b"\r\n")
        if end < 0 and len(data) < _LONGEST_V1:
            return None
        if 0 <= end <= _LONGEST_V1 - 2:
            return end + 2
    elif data.startswith(V2_SIGNATURE[: len(data)]):
        if len(data) < _FIXED_V2:
            return None
        whole = _FIXED_V2 + int.from_bytes(data[14:16], "big")
        if whole <= _LONGEST_V2:
            return whole if len(data) >= whole else None
    raise NotProxy


async def source(header: bytes) -> str | None:
    """The client's address; None when the proxy speaks for itself. Raises NotProxy."""
    reader = asyncio.StreamReader()
    reader.feed_data(header)
    reader.feed_eof()
    said: ProxyData = await get_proxy(reader)
    if not said.valid:
        raise NotProxy
    if not isinstance(said.src_addr, IPv4Address | IPv6Address):
        return None  # LOCAL, UNKNOWN, or a socket of the proxy's own machine
    return str(said.src_addr)
