"""One look at everything, and who keeps what it found."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import dns.rcode
import trustme
from structlog.testing import capture_logs

from backupmx.checks.names import Source
from backupmx.checks.port25 import Came
from backupmx.checks.round import Round, Told
from backupmx.checks.watchman import Watchman
from backupmx.config import Settings
from backupmx.core.belief import Acquaintance
from backupmx.core.finding import Finding, Level, Report
from backupmx.core.status import Primary, PrimaryState
from backupmx.courier.client import Dialler
from tests.checks import zone as usual
from tests.checks.zone import DOMAIN, HOSTNAME, US, at_home, check_words
from tests.courier.house import HASTE
from tests.courier.nameserver import Nameserver
from tests.courier.primary import ScriptedPrimary

GOOD, BAD, UNKNOWN = Level.GOOD, Level.BAD, Level.UNKNOWN
NOW = datetime.now(UTC)
CA = trustme.CA()


def zone() -> Nameserver:
    """Whose primary has a private address: nothing leaves this machine."""
    return usual.zone().has("mail.example.com", "A", "10.0.0.1")


class Site:
    """An instance, as far as a look at it goes."""

    def __init__(
        self, place: Path, nameserver: Nameserver, primary: ScriptedPrimary | str, domains: Sequence[str] = (DOMAIN,)
    ) -> None:
        (place / "spool").mkdir(mode=0o700)
        way = primary if isinstance(primary, str) else f"localhost:{primary.port}"
        leaf = CA.issue_cert(HOSTNAME)
        (place / "key.pem").write_bytes(leaf.private_key_pem.bytes())
        (place / "cert.pem").write_bytes(leaf.cert_chain_pems[0].bytes() + CA.cert_pem.bytes())
        self.settings = Settings.model_validate(
            {
                "hostname": HOSTNAME,
                "spool": place / "spool",
                "reserve": 0,
                "smtp": {"tls_certificate": place / "cert.pem", "tls_key": place / "key.pem"},
                "dns": {"nameservers": (nameserver.place,)},
                "domain": {name: {"primary": (way,)} for name in domains},
            }
        )
        self.dialler = Dialler(HOSTNAME, HASTE)
        self.told = Told(
            acquaintances=dict.fromkeys(domains, Acquaintance(known=3)),
            some={DOMAIN: ("anna",)},
            came=Came("198.51.100.7", NOW),
        )
        self.looked: list[str] = []
        self.source: Source = at_home

    def round(self) -> Round:
        place = self.settings.spool / "mta-sts"
        return Round(self.settings, self.dialler, lambda: NOW, self.told, place, self.looked.append, self.source)

    async def look(self) -> tuple[Finding, ...]:
        found = await self.round().look()
        check_words(found)
        return found


def of(found: Sequence[Finding], topic: str, subject: str | None = None) -> Finding:
    return next(each for each in found if each.topic == topic and subject in (None, each.subject))


async def test_when_all_is_well_all_is_good(tmp_path: Path) -> None:
    """What is not good depends on the machine that tests: its disk and clock, and that port 25 cannot be tried here."""
    async with zone() as nameserver, ScriptedPrimary() as primary:
        site = Site(tmp_path, nameserver, primary)
        found = await site.look()
    topics = [finding.topic for finding in found]
    machine = ["clock", "disk", "room", "spool", "certificate", "addresses", "ptr", "spf", "tlsa", "port25", "inward"]
    assert topics == [*machine, "mx", "mta-sts", "primary", "trust", "recipients"]
    assert {finding.topic for finding in found if finding.level is not GOOD} <= {"clock", "disk", "port25"}
    assert site.looked[0] == f"mx {DOMAIN}"
    assert "clock" in site.looked


async def test_each_question_is_asked_once(tmp_path: Path) -> None:
    """However many domains have the same hosts."""
    domains = [f"d{n}.example" for n in range(20)]
    nameserver = zone()
    for domain in domains:
        nameserver.has(domain, "MX", "10 mail.example.com.", "20 mx2.example.net.")
    async with nameserver, ScriptedPrimary() as primary:
        found = await Site(tmp_path, nameserver, primary, domains).look()
        # side by side the first few may ask for the same host; SPF is asked for in its own way
        assert Counter(nameserver.asked)["mail.example.com", "A"] <= 8
        assert primary.connections == 1
    assert [finding.subject for finding in found if finding.topic == "mx"] == domains
    assert [finding.subject for finding in found][-5:] == ["d19.example"] * 5


async def test_trouble_with_dns_hides_nothing_else(tmp_path: Path) -> None:
    """What it does not tell is not known; the primary is configured, and answers."""
    async with zone() as nameserver, ScriptedPrimary() as primary:
        nameserver.failing = dns.rcode.SERVFAIL
        found = await Site(tmp_path, nameserver, primary).look()
    assert {of(found, topic).level for topic in ("mx", "addresses", "spf", "tlsa", "mta-sts")} == {UNKNOWN}
    assert of(found, "primary").level is GOOD


async def test_a_name_of_ours_in_the_mx_is_looked_at_like_our_own(tmp_path: Path) -> None:
    """Its addresses, and its TLSA records."""
    nameserver = zone().has(DOMAIN, "MX", "10 mail.example.com.", "20 backup.example.com.")
    nameserver.has("backup.example.com", "A", US, "198.51.100.99")
    nameserver.has("_25._tcp.backup.example.com", "TLSA", f"3 1 1 {'ab' * 32}")
    async with nameserver, ScriptedPrimary() as primary:
        found = await Site(tmp_path, nameserver, primary).look()
    assert of(found, "addresses", HOSTNAME).level is GOOD
    assert of(found, "addresses", "backup.example.com").level is BAD
    assert of(found, "tlsa", "backup.example.com").level is BAD


async def test_a_primary_that_is_away_says_nothing_of_the_way_out(tmp_path: Path) -> None:
    """Whether the provider closes port 25 or the primary is off: nobody can tell, and no alarm is given for it."""
    async with zone().has(DOMAIN, "MX", "20 mx2.example.net.") as nameserver:
        site = Site(tmp_path, nameserver, "198.51.100.1")
        site.told = Told({DOMAIN: Primary(PrimaryState.DOWN, NOW, "no answer in time at the connection")})
        found = await site.look()
    assert of(found, "primary").level is BAD
    assert of(found, "port25").level is UNKNOWN


async def test_a_fault_of_ours_is_a_finding_too(tmp_path: Path) -> None:
    """I9: it hides nothing of the rest, and the log has it."""

    def faulty(ip: str) -> str:
        if ip != US:
            raise ZeroDivisionError
        return US

    nameserver = zone().has(DOMAIN, "MX", "10 mail.example.com.", "20 mx2.example.net.", "30 other.example.net.")
    async with nameserver.has("other.example.net", "A", "198.51.100.9") as nameserver, ScriptedPrimary() as primary:
        site = Site(tmp_path, nameserver, primary)
        site.source = faulty
        with capture_logs() as logged:
            found = await site.look()
    assert of(found, "mx") == Finding("mx", DOMAIN, UNKNOWN, "trouble of our own", "The log tells more; please report it.")
    assert {of(found, topic).level for topic in ("addresses", "trust")} == {GOOD}
    assert [(line["event"], line["where"]) for line in logged] == [("trouble", f"check of mx {DOMAIN}")]


# The watchman


async def test_the_watchman_keeps_what_was_found_last(tmp_path: Path) -> None:
    """And tells the log what became bad, and what is so no more, each once."""
    async with zone() as nameserver, ScriptedPrimary() as primary:
        site = Site(tmp_path, nameserver, primary)
        watchman = Watchman(site.round, lambda: NOW)
        assert watchman.report == Report()

        async def told() -> list[tuple[str, str]]:
            with capture_logs() as logged:
                await watchman.look()
            return [(line["event"], line["topic"]) for line in logged if line["topic"] != "disk"]

        assert await told() == []
        assert watchman.report.at == NOW
        assert of(watchman.report.findings, "mx").level is GOOD
        nameserver.has(DOMAIN, "MX", "10 mail.example.com.")
        assert await told() == [("found bad", "mx")]
        assert await told() == []
        nameserver.failing = dns.rcode.SERVFAIL
        assert await told() == []
        nameserver.failing = None
        assert await told() == []
        nameserver.has(DOMAIN, "MX", "10 mail.example.com.", "20 mx2.example.net.")
        assert await told() == [("found better", "mx")]
        assert await told() == []


async def test_the_watchman_goes_round_again_after_a_fault(tmp_path: Path) -> None:
    """What was found before stays."""
    async with zone() as nameserver, ScriptedPrimary() as primary:
        site = Site(tmp_path, nameserver, primary)
        watchman = Watchman(lambda: site.round(), lambda: NOW)  # noqa: PLW0108 - it is another one later
        await watchman.look()
        before = watchman.report
        del site.dialler
        with capture_logs() as logged:
            await watchman.look()
        assert watchman.report is before
        assert [line["event"] for line in logged] == ["trouble"]
