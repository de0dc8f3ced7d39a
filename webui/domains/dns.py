"""The DNS records of a domain: what should be there, what is, and whether that is right.

Knows: what of a finding makes a row.
Does not know: DNS, HTML.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from backupmx.core.finding import Finding, InDns, Level

ORDER = ("mx", "addresses", "ptr", "spf", "tlsa", "mta-sts")


@dataclass(frozen=True, slots=True)
class Row:
    """What one look was about."""

    finding: Finding
    set: tuple[str, ...]
    """Lines to copy into DNS; none where nothing is to be set."""
    found: tuple[str, ...]
    """What is there instead, or beside."""
    kept: tuple[str, ...]
    """What is there and right."""
    optional: bool
    """Whether all is well without these lines."""


def rows(findings: Sequence[Finding]) -> list[Row]:
    """In the order in which one sets them."""
    order = sorted(findings, key=lambda finding: ORDER.index(finding.topic))
    return [_row(finding, finding.dns or InDns()) for finding in order]


def _row(finding: Finding, dns: InDns) -> Row:
    kept = tuple(line for line in dns.wanted if line in dns.found)
    return Row(
        finding,
        tuple(line for line in dns.wanted if line not in kept),
        tuple(line for line in dns.found if line not in kept),
        kept,
        finding.level is Level.GOOD,
    )
