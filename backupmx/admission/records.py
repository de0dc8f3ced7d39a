"""Records in DNS, for checks that run in threads of their own.

Knows: dnspython's blocking resolver, and how long a check may take.
Does not know: what is asked, and why.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from backupmx.config import Endpoint

TRY_S = 1.0
"""For one try at one nameserver; then the next is asked, or the same one again."""
QUESTION_S = 3.0
"""For one question, all nameservers and tries included."""
MOST_QUESTIONS = 50
"""In one check: a stranger says what is asked, and of whom. RFC 7208 section 4.6.4 would let it be a hundred and more."""
KEPT = 512
"""Answers; with `LARGEST_KEPT` a few megabytes at the worst."""
LARGEST_KEPT = 2048
"""Octets on the wire of an answer that is kept."""
LONGEST_KEPT_S = 300.0
"""Whatever its time to live."""


class _Answers(dns.resolver.LRUCache):
    """dnspython's own cache, which believes every time to live, and counts answers only, however large."""

    def put(self, key: dns.resolver.CacheKey, value: dns.resolver.Answer) -> None:
        """Keep an answer that is small enough, and not for ever."""
        if len(value.response.wire or b"") <= LARGEST_KEPT:
            value.expiration = min(value.expiration, time.time() + LONGEST_KEPT_S)
            super().put(key, value)


class Records:
    """Asks the configured nameservers, or else the system's; keeps answers for a while, for all checks of a worker."""

    def __init__(self, nameservers: Sequence[Endpoint], seconds: Callable[[], float]) -> None:
        self._nameservers = [dns.nameserver.Do53Nameserver(server.host, server.port) for server in nameservers]
        self._answers = _Answers(KEPT)
        self._seconds = seconds

    def inquiry(self, deadline: float) -> "Inquiry":
        """The questions of one check, which must have its answers by then."""
        return Inquiry(self._resolver, lambda: deadline - self._seconds())

    def _resolver(self) -> dns.resolver.Resolver:
        # made anew for each check: the system's nameservers change with the network it is in
        resolver = dns.resolver.Resolver(configure=not self._nameservers)
        if self._nameservers:
            resolver.nameservers = self._nameservers
        resolver.cache = self._answers
        resolver.timeout = TRY_S
        return resolver


class Inquiry:
    """What one check asks, one question after the other. An answer of None: DNS does not tell, or not in time."""

    def __init__(self, resolver: Callable[[], dns.resolver.Resolver], left: Callable[[], float]) -> None:
        self._make = resolver
        self._resolver: dns.resolver.Resolver | None = None
        self._left = left
        self._asked = 0
        self._told = self._timed_out = False

    @property
    def heard(self) -> bool | None:
        """Whether anybody in DNS said anything; None when nobody had the time to."""
        return True if self._told else False if self._timed_out else None

    def texts(self, name: str) -> Sequence[bytes] | None:
        """TXT records, each in one piece."""
        found = self._ask(name, "TXT")
        return found and [b"".join(record.strings) for record in found]

    def addresses(self, name: str, kind: str) -> Sequence[str] | None:
        """A or AAAA records."""
        found = self._ask(name, kind)
        return found and [record.address for record in found]

    def exchanges(self, name: str) -> Sequence[tuple[int, str]] | None:
        """MX records."""
        found = self._ask(name, "MX")
        return found and [(record.preference, record.exchange.to_text(omit_final_dot=True)) for record in found]

    def names(self, name: str) -> Sequence[str] | None:
        """PTR records."""
        found = self._ask(name, "PTR")
        return found and [record.target.to_text(omit_final_dot=True) for record in found]

    def _ask(self, name: str, kind: str) -> Sequence[Any] | None:
        left = self._left()
        if left <= 0 or self._asked >= MOST_QUESTIONS:
            return None
        self._asked += 1
        try:
            if self._resolver is None:
                self._resolver = self._make()
            asked = dns.name.from_text(name)
            answer = self._resolver.resolve(asked, kind, raise_on_no_answer=False, lifetime=min(left, QUESTION_S))
        except dns.resolver.NXDOMAIN:
            self._told = True
            return ()
        except dns.exception.Timeout:
            self._timed_out = True
            return None
        except dns.resolver.NoNameservers:
            self._told = True  # they do not know, but they answer; or there is no way to them, which takes no time
            return None
        except (dns.exception.DNSException, OSError):
            return None  # no such name can be, or no nameserver is known
        self._told = True
        return tuple(answer)
