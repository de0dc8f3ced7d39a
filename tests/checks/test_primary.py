"""A primary is visited: what it says of itself, and whether it takes mail from this machine."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme

from backupmx.checks.primary import MOST_DOMAINS, Visit, Visitor, answers
from backupmx.config import Settings
from backupmx.core.finding import Finding, Level
from backupmx.core.status import Primary, PrimaryState
from backupmx.courier.client import Dialler
from backupmx.courier.commands import Peer
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Nowhere, Routes
from tests.checks.zone import check_words, levels
from tests.courier import papers
from tests.courier.house import HASTE
from tests.courier.papers import HOST, demanding
from tests.courier.primary import DROP, ScriptedPrimary

ODD, BAD, GOOD, UNKNOWN = Level.ODD, Level.BAD, Level.GOOD, Level.UNKNOWN
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CA = trustme.CA()
KNOWN = {"example.com": ("anna", "bo", "cy", "dee")}


def visitor(
    settings: Settings, primaries: Mapping[str, Primary] | None = None, some: Mapping[str, Sequence[str]] = KNOWN
) -> Visitor:
    return Visitor(settings, Dialler(settings.hostname, HASTE), primaries or {}, some)


async def visit(
    primary: ScriptedPrimary | str,
    told: Mapping[str, Primary] | None = None,
    some: Mapping[str, Sequence[str]] = KNOWN,
    domains: Sequence[str] = ("example.com",),
    **keys: Any,
) -> Visit:
    place = primary if isinstance(primary, str) else f"{HOST}:{primary.port}"
    settings = demanding([place], domains, **keys)
    route = await Routes(settings, Resolver(())).find(domains[0])
    found = await visitor(settings, told, some).see(route, domains)
    check_words(found.findings)
    return found


def of(found: Visit, topic: str) -> Finding:
    (finding,) = [each for each in found.findings if each.topic == topic]
    return finding


async def test_one_that_answers_and_takes_mail() -> None:
    """Nothing is to be mended; no message is begun, and leave is taken."""
    async with ScriptedPrimary() as primary:
        found = await visit(primary)
        assert levels(found.findings) == [("primary", "good"), ("trust", "good")]
        assert of(found, "trust").said == "takes mail for anna@example.com from this machine"
        assert (found.ip, found.port) == ("127.0.0.1", primary.port)
        assert primary.commands == [
            "EHLO mx2.example.net",
            "MAIL FROM:<>",
            "RCPT TO:<anna@example.com>",
            "RCPT TO:<postmaster@example.com>",
            "RSET",
            "QUIT",
        ]


async def test_what_there_is_of_tls_is_told() -> None:
    """As it stands with each delivery."""
    async with ScriptedPrimary(tls=papers.server(CA.issue_cert(HOST))) as primary:
        assert "TLSv1.3" in of(await visit(primary), "primary").said


async def test_xclient_is_told() -> None:
    """Then its own checks see the client."""
    async with ScriptedPrimary(extensions=("XCLIENT NAME ADDR",)) as primary:
        assert of(await visit(primary), "trust").said.endswith("(XCLIENT)")


@pytest.mark.parametrize(
    ("limit", "odd"),
    [("SIZE 10240000", True), ("SIZE 52428800", False), ("SIZE 0", False), ("SIZE", False), ("SIZE " + "9" * 5000, False)],
)
async def test_a_smaller_limit_than_ours(limit: str, odd: bool) -> None:
    """RFC 1870: 0 and nothing mean that none is known."""
    async with ScriptedPrimary(extensions=(limit,)) as primary:
        found = await visit(primary)
    assert [finding.topic for finding in found.findings if finding.topic == "size"] == (["size"] if odd else [])
    if odd:
        assert "max_message_size = 10240000" in of(found, "size").mend
        assert "message_size_limit = 52428800" in of(found, "size").mend


@pytest.mark.parametrize(
    ("rules", "some", "level", "said"),
    [
        ([("MAIL", "550 5.7.1 no null sender")], KNOWN, BAD, "does not take the sender of notifications"),
        ([("MAIL", "451 4.7.1 later")], KNOWN, ODD, "does not take the sender of notifications"),
        ([("RCPT", "451 4.7.1 greylisted")], KNOWN, ODD, "puts mail from this machine off, so that it would come late: 451"),
        ([("RCPT", "554 5.7.1 blocked by a list")], KNOWN, BAD, "refuses anna@example.com, whom it used to have"),
        ([("RCPT", "550 5.1.1 nobody")], KNOWN, BAD, "says that nobody is there any more whom it used to have"),
        (
            [("RCPT", "550 5.1.1 nobody", "anna"), ("RCPT", "550 5.1.1 nobody", "bo@")],
            KNOWN,
            GOOD,
            "takes mail for cy@example.com",
        ),
        ([], {}, GOOD, "takes mail for postmaster@example.com"),
        ([("RCPT", "451 4.7.1 greylisted")], {}, ODD, "puts mail from this machine off"),
        ([("RCPT", "554 5.7.1 blocked by a list")], {}, BAD, "refuses postmaster@example.com from this machine"),
        ([("RCPT", "550 5.1.1 nobody")], {}, ODD, "nobody else is known who could be asked for"),
        ([("RCPT", "550 no such user")], {}, ODD, "nobody else is known who could be asked for"),
        ([("RCPT", DROP)], KNOWN, UNKNOWN, "broke off"),
        ([("RCPT", "421 4.3.2 closing")], KNOWN, UNKNOWN, "421 4.3.2 closing"),
        ([("RCPT", "rubbish")], KNOWN, UNKNOWN, "broke off"),
    ],
)
async def test_whether_it_takes_mail_from_this_machine(
    rules: Sequence[tuple[str, ...]], some: Mapping[str, Sequence[str]], level: Level, said: str
) -> None:
    """Its words to MAIL and RCPT, and what they mean."""
    primary = ScriptedPrimary()
    for rule in rules:
        primary.on(*rule)
    async with primary:
        found = of(await visit(primary, some=some), "trust")
    assert (found.level, said in found.said) == (level, True), found
    if level in (ODD, BAD) and "5.1.1" not in found.said and "no such" not in found.said:
        assert "`check_client_access inline:{ 127.0.0.1=OK }`" in found.mend


async def test_a_domain_must_have_a_postmaster() -> None:
    """RFC 5321 section 4.5.1."""
    async with ScriptedPrimary().on("RCPT", "550 5.1.1 nobody", "postmaster") as primary:
        found = await visit(primary)
    assert levels(found.findings) == [("primary", "good"), ("trust", "good"), ("postmaster", "odd")]


async def test_no_more_is_asked_than_has_to_be() -> None:
    """Of a domain three recipients, and only such as any command can carry; of a primary so many domains."""
    async with ScriptedPrimary().on("RCPT", "451 4.7.1 greylisted") as primary:
        await visit(primary, some={"example.com": ("postmaster", "ä", "anna", "bo", "cy", "dee")})
        assert [line for line in primary.commands if line.startswith("RCPT")] == [
            f"RCPT TO:<{local}@example.com>" for local in ("anna", "bo", "cy", "postmaster")
        ]
    domains = tuple(f"d{n}.example" for n in range(MOST_DOMAINS + 10))
    async with ScriptedPrimary() as primary:
        found = await visit(primary, domains=domains)
        assert (primary.connections, primary.verbs["MAIL"]) == (1, MOST_DOMAINS)
    assert [finding.subject for finding in found.findings if finding.topic == "primary"] == list(domains)


async def test_one_that_does_not_answer() -> None:
    """With what to try; where TLS or a password is demanded, that too."""
    found = of(await visit("127.0.0.1:9"), "primary")
    assert found.level is BAD
    assert found.said == "cannot be reached: 127.0.0.1:9: connection refused"
    assert "`nc -vz 127.0.0.1 9`" in found.mend
    assert "tls" not in found.mend
    assert "see tls and primary_user" in of(await visit("127.0.0.1:9", tls="required"), "primary").mend


async def test_one_that_is_not_what_is_demanded() -> None:
    """No TLS, the wrong certificate."""
    async with ScriptedPrimary() as primary:
        assert "TLS is demanded" in of(await visit(primary, tls="required"), "primary").said
    async with ScriptedPrimary(tls=papers.server(CA.issue_cert("other.test"))) as primary:
        found = of(await visit(primary, tls="verify"), "primary")
        assert found.level is BAD
        assert "certificate" in found.said


async def test_plain_text_over_the_internet_is_odd() -> None:
    """In a network of one's own it may be as it is."""
    peer = Peer("mail.example.com[198.51.100.1]:25", None, frozenset({"8bitmime"}))
    found = list(answers("example.com", peer, "198.51.100.1", 1))
    check_words(found)
    assert levels(found) == [("primary", "good"), ("tls", "odd")]
    assert levels(answers("example.com", peer, "10.0.0.1", 1)) == [("primary", "good")]


async def test_what_is_known_already_is_not_asked_again() -> None:
    """I5: one probe an interval is all that is spent on a primary that is down."""
    async with ScriptedPrimary() as primary:
        down = await visit(primary, {"example.com": Primary(PrimaryState.DOWN, NOW, "no answer in time at the connection")})
        assert of(down, "primary").said == "cannot be reached: no answer in time at the connection"
        doubtful = Primary(PrimaryState.UP, NOW, "it refuses mail that it used to accept: 550 5.1.1 nobody")
        found = of(await visit(primary, {"example.com": doubtful}), "primary")
        assert found.level is BAD
        assert "`backupmx domain resume example.com`" in found.mend
        assert primary.connections == 0
        await visit(primary, {"example.com": Primary(PrimaryState.UP, NOW)})
        assert primary.connections == 1


async def test_one_lost_connection_is_no_outage() -> None:
    """Of one that was up a moment ago; whoever counts outages sees for itself."""
    found = await visit("127.0.0.1:9", {"example.com": Primary(PrimaryState.UP, NOW)})
    assert of(found, "primary").level is ODD


async def test_no_way_to_any() -> None:
    """Each domain is told why."""
    domains = ("example.com", "example.org")
    found = await visitor(demanding((), domains)).see(Nowhere("DNS: no MX"), domains)
    check_words(found.findings)
    assert [(finding.subject, finding.level) for finding in found.findings] == [(domain, BAD) for domain in domains]
