"""A domain's MX records: every way in which they can be wrong, and what is said of it."""

import dns.rcode
import pytest

from backupmx.checks import mx
from backupmx.checks.mx import Seen
from backupmx.config import Domain
from backupmx.core import notation
from backupmx.core.finding import Level
from backupmx.courier.resolver import Resolver
from tests.checks.zone import DOMAIN, ELSEWHERE, HOSTNAME, PRIMARY, US, at_home, check_words, inside, zone
from tests.courier.nameserver import Nameserver

ODD, BAD, GOOD, UNKNOWN = Level.ODD, Level.BAD, Level.GOOD, Level.UNKNOWN
BY_MX = ()
OURS = f"`{DOMAIN}. IN MX 20 {HOSTNAME}.`"


async def look(nameserver: Nameserver, *primary: str) -> Seen:
    policy = Domain(primary=tuple(map(notation.mailhost, primary)))
    async with nameserver:
        seen = await mx.look(DOMAIN, policy, HOSTNAME, (US,), Resolver([nameserver.place]), at_home)
    check_words(seen.findings)
    assert {(finding.topic, finding.subject) for finding in seen.findings} == {("mx", DOMAIN)}
    return seen


@pytest.mark.parametrize(
    ("records", "primary", "level", "said", "mend"),
    [
        (("10 mail.example.com.", "20 mx2.example.net."), BY_MX, GOOD, "mail.example.com (10), then this machine (20 mx2", ""),
        (("10 mail.example.com.", "20 mx2.example.net."), ("mail.example.com",), GOOD, "mail.example.com (10), then", ""),
        (("10 mail.example.com.", "20 mx2.example.net."), (PRIMARY,), GOOD, "mail.example.com (10), then", ""),
        (("10 mail.example.com.", "20 mx2.example.net."), ("10.0.0.3",), GOOD, "mail.example.com (10), then", ""),
        (("10 mail.example.com.", "20 backup.example.com."), BY_MX, GOOD, "this machine (20 backup.example.com)", ""),
        (("10 mail.example.com.",), BY_MX, BAD, "not listed: senders do not come here while mail.example.com (10)", OURS),
        (("10 mail.example.com.", "30 other.example."), BY_MX, BAD, "not listed", f"`{DOMAIN}. IN MX 40 {HOSTNAME}.`"),
        (("65535 mail.example.com.",), BY_MX, BAD, "not listed", f"`{DOMAIN}. IN MX 65535 {HOSTNAME}.`"),
        (("20 mx2.example.net.",), BY_MX, BAD, "this machine alone is listed", f"`{DOMAIN}. IN MX 10 mail.{DOMAIN}.` (with your"),
        (("20 mx2.example.net.",), ("m.example.com",), ODD, "this machine alone is listed", f"`{DOMAIN}. IN MX 10 m.{DOMAIN}.`"),
        (("10 mail.example.com.", "5 mx2.example.net."), BY_MX, BAD, "not behind mail.example.com (10)", OURS),
        (("10 mail.example.com.", "10 mx2.example.net."), BY_MX, BAD, "not behind mail.example.com (10)", OURS),
        (("10 mail.example.com.", "10 mx2.example.net."), (PRIMARY,), ODD, "not behind mail.example.com (10)", OURS),
        (
            ("10 filter.example.", "30 mail.example.com.", "20 mx2.example.net."),
            (PRIMARY,),
            ODD,
            "the primary, mail.example.com (30), is not before this machine",
            f"`{DOMAIN}. IN MX 40 {HOSTNAME}.` (instead of 20",
        ),
        (
            ("10 mail.example.com.", "20 mx2.example.net."),
            ("192.0.2.200",),
            ODD,
            "is not the configured primary",
            f"`backupmx domain set {DOMAIN} primary=mail.example.com`",
        ),
        (("0 .",), BY_MX, BAD, "null MX", f"Take the record away: `{DOMAIN}. IN MX 0 .`"),
        (None, BY_MX, BAD, "has no MX record", OURS),
        ("nothing", BY_MX, BAD, "does not exist", OURS),
    ],
)
async def test_the_order_of_the_hosts(
    records: tuple[str, ...] | str | None, primary: tuple[str, ...], level: Level, said: str, mend: str
) -> None:
    """Senders try the primary first, and this machine when it is away."""
    nameserver = zone().has("filter.example", "A", ELSEWHERE).has("other.example", "A", ELSEWHERE)
    nameserver.has("backup.example.com", "A", US)
    del nameserver.records[DOMAIN, "MX"]
    if isinstance(records, tuple):
        nameserver.has(DOMAIN, "MX", *records)
    elif records is None:
        nameserver.has(DOMAIN, "TXT", '"no mail"')
    (found,) = (await look(nameserver, *primary)).findings
    assert (found.level, said in found.said) == (level, True), found
    assert mend in found.mend


async def test_trouble_with_dns_is_not_known() -> None:
    """Not a word against the records."""
    nameserver = zone()
    nameserver.failing = dns.rcode.SERVFAIL
    (found,) = (await look(nameserver)).findings
    assert found.level is UNKNOWN


async def test_names_that_are_aliases_or_lead_nowhere() -> None:
    """RFC 2181 section 10.3; a host that is gone."""
    nameserver = zone().has(DOMAIN, "MX", "10 mail.example.com.", "15 gone.example.com.", "20 alias.example.net.")
    nameserver.has("alias.example.net", "CNAME", f"{HOSTNAME}.")
    seen = await look(nameserver)
    assert [finding.level for finding in seen.findings] == [GOOD, ODD, ODD]
    gone, alias = seen.findings[1:]
    assert gone.said == "gone.example.com is listed, and has no address"
    assert alias.said.startswith(f"alias.example.net is an alias of {HOSTNAME} (CNAME)")
    assert seen.ours == ("alias.example.net",)
    assert seen.others == (PRIMARY,)


async def test_a_name_of_ours_that_is_nowhere_is_told_where_names_are() -> None:
    """Not twice."""
    nameserver = zone()
    del nameserver.records[HOSTNAME, "A"], nameserver.records[HOSTNAME, "TXT"]
    (found,) = (await look(nameserver)).findings
    assert found.level is GOOD


async def test_behind_a_router_we_are_known_by_name() -> None:
    """And by the addresses that DNS has for it."""
    nameserver = zone().has(DOMAIN, "MX", "10 mail.example.com.", "20 backup.example.com.").has("backup.example.com", "A", US)
    async with nameserver:
        seen = await mx.look(DOMAIN, Domain(), HOSTNAME, (US,), Resolver([nameserver.place]), inside)
    assert seen.findings[0].level is GOOD
    assert seen.ours == ("backup.example.com",)


async def test_no_name_from_dns_is_a_command() -> None:
    """I7: what an admin may paste holds nothing that a shell obeys."""
    nameserver = zone().has(DOMAIN, "MX", "10 `reboot`.example.com.", "20 mx2.example.net.")
    nameserver.has("`reboot`.example.com", "A", PRIMARY)
    (found,) = (await look(nameserver, "192.0.2.200")).findings
    assert "primary=HOST`" in found.mend
    assert "reboot" not in found.mend
