"""What DNS should have, as lines to copy: whoever sets just these has it right; and a look at one domain alone."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import dns.rcode
import pytest

from backupmx.checks.watchman import Watchman
from backupmx.core.finding import NAMES, Finding, Level
from tests.checks.test_round import NOW, Site, of, zone
from tests.checks.zone import DOMAIN, HOSTNAME, PTR, US
from tests.courier.nameserver import Nameserver
from tests.courier.primary import ScriptedPrimary

DNS = {"mx", "mta-sts", *NAMES}


def put(nameserver: Nameserver, findings: Iterable[Finding]) -> None:
    """Set all that is to be set, and nothing else under these names."""
    lines = defaultdict(list)
    for finding in findings:
        assert finding.dns
        for line in finding.dns.wanted:
            name, _, kind, data = line.split(" ", 3)
            lines[name.rstrip("."), kind].append(data)
    for (name, kind), data in lines.items():
        nameserver.has(name, kind, *data)


@pytest.mark.parametrize(
    "wrong",
    [
        {(DOMAIN, "MX"): ()},
        {(DOMAIN, "MX"): ("0 .",)},
        {(DOMAIN, "MX"): ("10 mail.example.com.",)},
        {(DOMAIN, "MX"): ("20 mx2.example.net.",)},
        {(DOMAIN, "MX"): ("10 mail.example.com.", "5 mx2.example.net.")},
        {(HOSTNAME, "A"): (), (PTR, "PTR"): ("other.example.",)},
        {(HOSTNAME, "A"): ("198.51.100.99",)},
        {(PTR, "PTR"): ()},
        {(PTR, "PTR"): ("other.example.",)},
        {(HOSTNAME, "TXT"): ()},
        {(HOSTNAME, "TXT"): ('"v=spf1 -all"',)},
        {(f"_25._tcp.{HOSTNAME}", "TLSA"): (f"3 1 1 {'ab' * 32}",)},
    ],
)
async def test_who_sets_what_is_wanted_has_it_right(tmp_path: Path, wrong: dict[tuple[str, str], tuple[str, ...]]) -> None:
    """At most two looks: an address that was missing has to lead back, too."""
    # the primary's name, as it is configured here
    async with zone().has("localhost", "A", "10.0.0.1") as nameserver, ScriptedPrimary() as primary:
        site = Site(tmp_path, nameserver, primary)
        for (name, kind), data in wrong.items():
            nameserver.records.pop((name, kind), None)
            if data:
                nameserver.has(name, kind, *data)
        found = [finding for finding in await site.look() if finding.topic in DNS]
        assert {finding.level for finding in found} != {Level.GOOD}
        for _ in range(2):
            put(nameserver, [finding for finding in found if finding.dns])
            found = [finding for finding in await site.look() if finding.topic in DNS]
    assert {finding.level for finding in found} == {Level.GOOD}, found
    assert all(finding.dns and finding.dns.wanted == finding.dns.found for finding in found if finding.topic != "mta-sts")


async def test_what_is_there_is_told_beside(tmp_path: Path) -> None:
    """Also where it is right, and where it is a stranger's text."""
    async with zone().has(HOSTNAME, "TXT", '"v=spf1 include:\\"x\\" -all"') as nameserver, ScriptedPrimary() as primary:
        found = await Site(tmp_path, nameserver, primary).look()
    mx, spf = of(found, "mx").dns, of(found, "spf").dns
    assert mx and mx.found == mx.wanted == (f"{DOMAIN}. IN MX 10 mail.{DOMAIN}.", f"{DOMAIN}. IN MX 20 {HOSTNAME}.")
    assert spf and spf.found == (f'{HOSTNAME}. IN TXT "v=spf1 include:\\"x\\" -all"',)
    assert of(found, "clock").dns is None


async def test_one_domain_is_looked_at_alone(tmp_path: Path) -> None:
    """With the names that it needs; what was found of others stays, and the time of each is known."""
    other = "other.example"
    nameserver = zone().has(other, "MX", "10 mail.example.com.", "20 mx2.example.net.")
    async with nameserver, ScriptedPrimary() as primary:
        site = Site(tmp_path, nameserver, primary, (DOMAIN, other))
        times = iter((NOW, NOW.replace(year=NOW.year + 1)))
        watchman = Watchman(site.round, lambda: next(times))
        await watchman.look()
        before = watchman.report
        for name in (DOMAIN, other):
            nameserver.has(name, "MX", "10 mail.example.com.")
        nameserver.has(PTR, "PTR", "wrong.example.")
        site.looked.clear()
        await watchman.look_again(DOMAIN)
        report = watchman.report
        assert "clock" not in site.looked and f"mx {other}" not in site.looked
    assert of(report.findings, "mx", DOMAIN).level is Level.BAD
    assert of(report.findings, "mx", other).level is Level.GOOD
    assert of(report.findings, "ptr", US).level is Level.ODD
    assert sorted((each.topic, each.subject) for each in report.findings) == sorted(
        (each.topic, each.subject) for each in before.findings
    )
    assert (report.seen(DOMAIN), report.seen(other)) == (NOW.replace(year=NOW.year + 1), NOW)
    assert {finding.topic for finding in report.of(other)} == {*DNS, "primary", "trust", "recipients"}


async def test_a_look_that_fails_leaves_what_was_found(tmp_path: Path) -> None:
    """As of DNS that does not answer: not known, and no better."""
    async with zone() as nameserver, ScriptedPrimary() as primary:
        site = Site(tmp_path, nameserver, primary)
        watchman = Watchman(site.round, lambda: NOW)
        await watchman.look()
        nameserver.failing = dns.rcode.SERVFAIL
        await watchman.look_again(DOMAIN)
        assert of(watchman.report.findings, "mx").level is Level.UNKNOWN
        before = watchman.report
        del site.dialler
        await watchman.look_again(DOMAIN)
        assert watchman.report is before
