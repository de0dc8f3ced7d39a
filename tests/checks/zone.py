"""A domain, its primary and us, as DNS has them when all is well; and what a check finds."""

from collections.abc import Iterable

from backupmx.core.finding import Finding, Level
from tests.courier.nameserver import Nameserver

US, PRIMARY, ELSEWHERE, INSIDE = "203.0.113.9", "198.51.100.1", "198.51.100.77", "10.0.0.5"
US6 = "2001:db8::9"
HOSTNAME, DOMAIN = "mx2.example.net", "example.com"
PTR, PTR6 = "9.113.0.203.in-addr.arpa", "9." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"


def zone() -> Nameserver:
    """Nothing is to be mended in it."""
    return (
        Nameserver()
        .has(DOMAIN, "MX", "10 mail.example.com.", "20 mx2.example.net.")
        .has("mail.example.com", "A", PRIMARY)
        .has(HOSTNAME, "A", US)
        .has(HOSTNAME, "TXT", '"some other text"', '"v=spf1 a -all"')
        .has(PTR, "PTR", "mx2.example.net.")
    )


def at_home(ip: str) -> str | None:
    """A machine whose one address is ours, as its routing tells."""
    return None if ":" in ip else US


def inside(ip: str) -> str | None:
    """A machine behind a router."""
    return None if ":" in ip else INSIDE


def levels(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Topics and levels alone."""
    return [(finding.topic, finding.level.value) for finding in findings]


def check_words(findings: Iterable[Finding]) -> None:
    """Each that is not good says how to mend it; and what is good says nothing of the kind."""
    for finding in findings:
        assert finding.said
        assert bool(finding.mend) == (finding.level is not Level.GOOD), finding
