"""What the network says to answers before there is a server."""

from pathlib import Path
from typing import Any

import pytest

from backupmx.config import Settings
from backupmx.core.finding import Finding, Level
from backupmx.setup import look as looking
from backupmx.setup.look import look
from tests.checks.zone import DOMAIN, HOSTNAME, check_words
from tests.courier.nameserver import Nameserver


async def found(nameserver: Nameserver, **more: Any) -> dict[str, Finding]:
    async with nameserver:
        content = {
            "hostname": HOSTNAME,
            "spool": Path("/tmp"),
            "dns": {"nameservers": (str(nameserver.place),)},
            "domain": {DOMAIN: {"primary": ("127.0.0.1:9",)}},
        }
        findings = await look(Settings.model_validate(content | more))
    check_words(findings)
    return {finding.topic: finding for finding in findings}


async def test_the_records_to_set_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the domain and of this machine's name; what only a server can have is left out."""
    monkeypatch.setattr(looking, "source", lambda ip: None if ":" in ip else "10.0.0.7")
    told = await found(Nameserver())
    assert told["mx"].level is Level.BAD
    assert told["mx"].dns
    assert f"{DOMAIN}. IN MX 20 {HOSTNAME}." in told["mx"].dns.wanted
    assert told["addresses"].level is Level.BAD
    assert told["primary"].level is Level.BAD
    assert told["inward"].level is Level.UNKNOWN
    assert "forward TCP port 25 to 10.0.0.7" in told["inward"].mend
    assert told["alerts"].said == "nobody is told when something is wrong"
    assert not told.keys() & {"certificate", "recipients", "tlsa"}


async def test_a_way_to_be_told_that_leads_through_the_primary_is_seen() -> None:
    """For while it is down nothing arrives by it."""
    told = await found(Nameserver(), alerts={"urls": (f"mailto://user:secret@{DOMAIN}",)})
    assert told["alerts"].level is Level.ODD
    assert "secret" not in told["alerts"].said
    assert "alerts" not in await found(Nameserver(), alerts={"urls": ("ntfys://ntfy.example.net/topic",)})
