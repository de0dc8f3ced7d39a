"""MTA-STS (RFC 8461): a domain's policy is found, fetched from the right server alone, kept, and followed."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from backupmx.core import sts
from backupmx.core.security import Opportunistic, Trial, Vouched
from backupmx.courier.client import Connection, Unreachable
from backupmx.courier.resolver import Resolver
from backupmx.courier.routes import Barred, Nowhere, Route, Routes
from backupmx.courier.sts import Sts, Web
from tests.courier import papers
from tests.courier.house import START, Time
from tests.courier.nameserver import Nameserver
from tests.courier.papers import HOST, demanding, dialled, server
from tests.courier.primary import ScriptedPrimary

CA = trustme.CA()
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"


def text(mode: str = "enforce", *mx: str, max_age: object = 86_400) -> str:
    hosts = "".join(f"mx: {host}\r\n" for host in mx or ("mx1.example.com", HOST))
    return f"version: STSv1\r\nmode: {mode}\r\n{hosts}max_age: {max_age}\r\n"


class PolicyHost:
    """`mta-sts.example.com`, over HTTPS on a loopback port."""

    def __init__(self, body: str = "", certificate: trustme.LeafCert | None = None) -> None:
        self.answer = ""
        self.says(body or text())
        self.asked: list[str] = []
        self._tls = server(certificate or CA.issue_cert("mta-sts.example.com"))

    def says(self, body: str) -> None:
        self.answer = f"{HEAD}Content-Length: {len(body)}\r\n\r\n{body}"

    async def __aenter__(self) -> "PolicyHost":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(self.answer.encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()


class Laboratory:
    """A domain with a record, a policy, and a clock."""

    def __init__(self, dns_: Nameserver, web: PolicyHost, place: Path) -> None:
        self.dns = dns_
        self.web = web
        self.place = place
        self.time = Time()
        self.sts = self.anew()

    def anew(self) -> Sts:
        """As after a restart."""
        context = ssl.create_default_context()
        CA.configure_trust(context)
        web = Web(self.web.port, context, loopback=True)
        self.sts = Sts(Resolver([self.dns.place]), self.place, web, self.time.clock)
        return self.sts

    async def mode(self) -> str:
        """The mode of the policy in force, or why there is none."""
        found = await self.sts.policy("example.com")
        return found if isinstance(found, str) else found.mode

    async def route(self, primary: str = "", **keys: Any) -> Route | Nowhere:
        told = demanding([primary] if primary else [], tls="mta-sts", **keys)
        return await Routes(told, Resolver([self.dns.place]), sts=self.sts).find("example.com")


@asynccontextmanager
async def laboratory(place: Path, body: str = "", **more: Any) -> AsyncIterator[Laboratory]:
    zone = (
        Nameserver()
        .has("example.com", "MX", "10 mx1.example.com.", "15 mx3.example.org.", "20 mx2.example.net.")
        .has("mx1.example.com", "A", "192.0.2.1")
        .has("mx3.example.org", "A", "192.0.2.3")
        .has("mx2.example.net", "A", "192.0.2.99")
        .has("mta-sts.example.com", "A", "127.0.0.1")
        .has("_mta-sts.example.com", "TXT", '"v=STSv1; " "id=1;"')
    )
    async with zone as dns_, PolicyHost(body, **more) as web:
        yield Laboratory(dns_, web, place / "mta-sts")


# What it means for mail


async def test_enforce_admits_the_hosts_of_the_policy_alone_each_with_its_certificate(tmp_path: Path) -> None:
    """RFC 8461 section 4.1: one that DNS adds is not asked."""
    async with laboratory(tmp_path) as at:
        found = await at.route()
        assert isinstance(found, Route), found
        assert [(each.host, each.demand) for each in found.addresses] == [
            ("mx1.example.com", Vouched("mx1.example.com", "", "mta-sts"))
        ]
        assert at.web.asked[0].startswith("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.com\r\n")


async def test_no_host_that_the_policy_admits_is_no_route(tmp_path: Path) -> None:
    """Mail waits; also after the route was good a while ago."""
    async with laboratory(tmp_path) as at:
        routes = Routes(demanding(tls="mta-sts"), Resolver([at.dns.place]), sts=at.sts)
        assert isinstance(await routes.find("example.com"), Route)
        at.web.says(text("enforce", "other.example.com"))
        at.dns.has("_mta-sts.example.com", "TXT", '"v=STSv1; id=2"')
        found = await routes.find("example.com")
        assert isinstance(found, Barred)
        assert "does not admit mx1.example.com" in found.why


async def test_testing_tries_and_tells_and_none_asks_for_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """RFC 8461 section 5: and domains for which that differs share no connection."""
    async with laboratory(tmp_path, text("testing", "mx1.example.com")) as at:
        trying = await at.route()
        assert isinstance(trying, Route), trying
        assert [type(each.demand) for each in trying.addresses] == [Trial, Opportunistic]
        assert "does not admit it" in capsys.readouterr().out
        at.web.says(text("none"))
        at.dns.has("_mta-sts.example.com", "TXT", '"v=STSv1; id=2"')
        nothing = await at.route()
        assert isinstance(nothing, Route), nothing
        assert {type(each.demand) for each in nothing.addresses} == {Opportunistic}
        assert trying.key != nothing.key


@pytest.mark.parametrize("mode", ["enforce", "testing"])
@pytest.mark.parametrize("right", [True, False])
async def test_a_certificate_that_is_not_good(tmp_path: Path, mode: str, right: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Enforced: no mail. Tested: mail goes, and the log tells."""
    certificate = CA.issue_cert(HOST if right else "other.test")
    async with laboratory(tmp_path, text(mode)) as at, ScriptedPrimary(tls=server(certificate)) as primary:
        told = demanding([f"{HOST}:{primary.port}"], tls="mta-sts", tls_ca_file=papers.authority_file(CA, tmp_path))
        found = await dialled(told, at.dns, sts=at.sts)
        told_of = "tls policy not met" in capsys.readouterr().out
        assert isinstance(found, Unreachable) == (mode == "enforce" and not right)
        assert told_of == (mode == "testing" and not right)
        if isinstance(found, Connection):
            assert found.peer.proof == ("mta-sts" if right else "")
            assert found.peer.tls
            await found.quit()


# How a policy is found and kept


async def test_a_policy_is_fetched_when_its_id_changes_and_once_a_day(tmp_path: Path) -> None:
    """RFC 8461 section 3.3: so that it does not run out while all is well."""
    async with laboratory(tmp_path) as at:
        for _ in range(3):
            assert await at.mode() == "enforce"
        assert len(at.web.asked) == 1
        at.web.says(text("testing"))
        assert await at.mode() == "enforce"
        at.dns.has("_mta-sts.example.com", "TXT", '"v=STSv1; id=2"')
        assert await at.mode() == "testing"
        at.web.says(text("enforce"))
        at.time.now = START + timedelta(hours=23)
        assert await at.mode() == "testing"
        at.time.now = START + timedelta(hours=25)
        assert await at.mode() == "enforce"
        assert len(at.web.asked) == 3


@pytest.mark.parametrize("trouble", ["fetch", "record", "dns"])
async def test_trouble_leaves_the_policy_in_force_until_its_time_is_over(tmp_path: Path, trouble: str) -> None:
    """RFC 8461 section 5.1: who can suppress the record or the server cannot undo the policy; also not over a restart."""
    import dns.rcode

    async with laboratory(tmp_path, text(max_age=3 * 86_400)) as at:
        assert await at.mode() == "enforce"
        if trouble == "fetch":
            at.web.answer = "HTTP/1.1 500 no\r\n\r\n"
            at.dns.has("_mta-sts.example.com", "TXT", '"v=STSv1; id=2"')
        elif trouble == "record":
            del at.dns.records["_mta-sts.example.com", "TXT"]
        else:
            at.dns.failing = dns.rcode.SERVFAIL
        at.time.now = START + timedelta(days=2, hours=23)
        assert await at.mode() == "enforce"
        at.anew()
        assert await at.mode() == "enforce"
        at.time.now = START + timedelta(days=3, minutes=1)
        assert await at.mode() not in ("enforce", "testing", "none")


async def test_a_server_that_fails_is_left_in_peace_for_a_while(tmp_path: Path) -> None:
    """RFC 8461 section 3.3: five minutes."""
    async with laboratory(tmp_path) as at:
        at.web.answer = "HTTP/1.1 404 no\r\nContent-Length: 0\r\n\r\n"
        assert "answers 404" in await at.mode()
        at.web.says(text())
        at.time.now = START + timedelta(minutes=4)
        assert "a moment ago" in await at.mode()
        at.time.now = START + timedelta(minutes=6)
        assert await at.mode() == "enforce"
        assert len(at.web.asked) == 2


async def test_no_policy_is_none_that_could_be_satisfied(tmp_path: Path) -> None:
    """The admin asked for MTA-STS: mail waits, and the status tells why."""
    async with laboratory(tmp_path) as at:
        del at.dns.records["_mta-sts.example.com", "TXT"]
        found = await at.route()
        assert isinstance(found, Barred)
        assert found.why.startswith("MTA-STS: ")


@pytest.mark.parametrize("name", ["other.example.com", "example.com"])
async def test_the_policy_host_must_be_who_it_should_be(tmp_path: Path, name: str) -> None:
    """RFC 8461 section 3.3: its certificate is what the policy rests on."""
    async with laboratory(tmp_path, certificate=CA.issue_cert(name)) as at:
        assert "cannot be fetched" in await at.mode()
        assert not at.web.asked
    async with laboratory(tmp_path, certificate=trustme.CA().issue_cert("mta-sts.example.com")) as at:
        assert "cannot be fetched" in await at.mode()
        assert not at.web.asked


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("HTTP/1.1 301 over there\r\nLocation: https://mta-sts.example.com/\r\n\r\n", "answers 301"),
        (HEAD.replace("plain", "html") + "\r\n" + text(), "no plain text"),
        (HEAD + "\r\n" + text() + "x" * 70_000, "too large"),
        (HEAD + "\r\n" + "x" * 300_000, "too large"),
        (HEAD + "Content-Length: 9999\r\n\r\n" + text(), "IncompleteRead"),
        (HEAD + "\r\n" + text("perhaps"), "no mode"),
        (HEAD + "\r\nversion: STSv2\r\n" + text(), "version"),
        (HEAD + "\r\n" + text(max_age="long"), "no max_age"),
        (HEAD + "\r\nversion: STSv1\nmode: enforce\nmax_age: 5\n", "admits no host"),
        ("what?", "BadStatusLine"),
        ("", "RemoteDisconnected"),
    ],
)
async def test_what_is_no_policy_is_not_taken_for_one(tmp_path: Path, answer: str, why: str) -> None:
    """RFC 8461 section 3.3: no redirects, nothing but plain text, at most 64 KiB, and whole."""
    async with laboratory(tmp_path) as at:
        at.web.answer = answer
        assert why in await at.mode()


async def test_a_policy_that_comes_in_pieces_is_put_together(tmp_path: Path) -> None:
    """As servers with chunked encoding send it."""
    async with laboratory(tmp_path) as at:
        body = text("testing")
        at.web.answer = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}\r\n0\r\n\r\n"
        assert await at.mode() == "testing"


async def test_a_policy_host_on_this_machine_or_in_our_network_is_not_asked(tmp_path: Path) -> None:
    """What a stranger's DNS says sends no requests to our neighbours."""
    async with laboratory(tmp_path) as at:
        for ip in ("127.0.0.1", "10.0.0.1"):
            at.dns.has("mta-sts.example.com", "A", ip)
            found = await Sts(Resolver([at.dns.place]), tmp_path, Web(at.web.port), at.time.clock).policy("example.com")
            assert "on the public network" in str(found)
        assert not at.web.asked


@pytest.mark.parametrize(
    ("texts", "id"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=a", "v=spf1 -all"], "a"),
        (["v=STSv1; more=b; id=a"], "a"),
        (["v=STSv1; id=a", "v=STSv1; id=b"], None),
        (["v=STSv1"], None),
        (["v=STSv1; id="], None),
        (["v=STSv1; id=a-b"], None),
        (["v=STSv10; id=a"], None),
        (["id=a; v=STSv1"], None),
        ([], None),
    ],
)
def test_the_record(texts: list[str], id: str | None) -> None:
    """RFC 8461 section 3.1: exactly one, and the version first."""
    assert sts.record_id(texts) == id


@pytest.mark.parametrize(
    ("host", "admitted"),
    [("mail.example.com", True), ("a.example.net", True), ("b.a.example.net", False), ("example.net", False), ("com", False)],
)
def test_an_asterisk_stands_for_one_label(host: str, admitted: bool) -> None:
    """RFC 8461 section 4.1."""
    assert sts.policy(text("enforce", "Mail.Example.com", "*.example.net")).admits(host) == admitted


@given(st.text(max_size=300) | st.text(max_size=60).map(lambda more: text() + more))
def test_no_text_is_trouble(what: str) -> None:
    """I9: it is a policy, or it is not."""
    sts.record_id([what])
    try:
        found = sts.policy(what)
    except ValueError:
        return
    assert found.mode in ("enforce", "testing", "none")
    assert 0 <= found.max_age <= sts.LONGEST_S
