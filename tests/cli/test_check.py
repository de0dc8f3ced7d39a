"""`backupmx check`: the configuration, and what mail depends on around it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from control.house import LONG_AGO, House

from backupmx.cli.main import root
from backupmx.core.belief import Acquaintance, Learned, Word
from backupmx.core.status import Primary, PrimaryState
from cli.conftest import Run
from tests.checks.zone import zone
from tests.courier.nameserver import Nameserver
from tests.courier.primary import DROP, ScriptedPrimary


def check(path: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as it sets up its own log."""
    command = [sys.executable, "-m", "backupmx", "check", "--config", str(path), *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=os.environ | environment)


class Site:
    """A configuration, with a nameserver and a primary beside it in the house's own loop."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.zone: Nameserver = zone().has("mail.example.com", "A", "10.0.0.1")
        self.primary = ScriptedPrimary()
        self.path = house.path / "site.toml"

    def open(self) -> None:
        self.house.do(self.zone.__aenter__())
        self.house.do(self.primary.start())
        self.path.write_text(
            f'hostname = "mx2.example.net"\nspool = "{self.house.path}/spool"\nreserve = 0\n'
            f'[control]\nsocket = "{self.house.path}/c.sock"\n[dns]\nnameservers = ["{self.zone.place}"]\n'
            f'[domain."example.com"]\nprimary = ["localhost:{self.primary.port}"]\n'
            f'[domain."one.example"]\nprimary = ["localhost:{self.primary.port}"]\n'
        )

    def close(self) -> None:
        self.house.do(self.primary.stop())
        self.house.do(self.zone.__aexit__(None, None, None))

    def found(self, *options: str) -> dict[tuple[str, str], dict[str, Any]]:
        """By topic and subject."""
        done = check(self.path, "--network", "--json", *options)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return {(row["topic"], row["subject"]): row for row in rows}


@pytest.fixture
def site(house: House) -> Iterator[Site]:
    made = Site(house)
    made.open()
    yield made
    made.close()


def test_the_configuration_alone(house: House, run: Run) -> None:
    """What is configured; or all that is wrong, and exit 78."""
    done = run("check")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == f"{house.path}/b.toml: no problems"
    assert "one.example: primary by its MX records; holding window 14d" in done.stdout
    (house.path / "bad.toml").write_text('colour = "red"\n')
    assert CliRunner().invoke(root, ["check", "--network", "--config", str(house.path / "bad.toml")]).exit_code == 78


@pytest.mark.parametrize("options", [("--json",), ("--json", "--nagios"), ("--json", "--nagios", "--network")])
def test_what_does_not_go_together(run: Run, options: tuple[str, ...]) -> None:
    """Exit 2, and nothing is asked."""
    assert run("check", *options).exit_code == 2


def test_the_network_for_people(site: Site) -> None:
    """A table, then for each that is not good how to mend it; the gravest first; exit 1 when something is bad."""
    done = check(site.path, "--network")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["LEVEL", "WHAT", "WHOSE", "FOUND"]
    assert any(line.split()[:3] == ["good", "mx", "example.com"] for line in lines)
    assert any(line.split()[:3] == ["bad", "mx", "one.example"] for line in lines)
    assert done.returncode == 1
    assert any(line.split()[:3] == ["unknown", "recipients", "one.example"] for line in lines)
    assert any(line.split()[:3] == ["unknown", "inward", "mx2.example.net"] for line in lines)
    blocks = [line.partition(":")[0] for line in lines[lines.index("") :] if line.startswith(("bad:", "odd:", "unknown:"))]
    assert blocks == sorted(blocks, key=["bad", "odd", "unknown"].index)
    told = lines.index(next(line for line in lines if line.startswith("bad: mx one.example:")))
    assert lines[told + 1].startswith("  Set in DNS: `one.example. IN MX 10 ")
    assert done.stderr.splitlines()[0] == f"backupmx: {site.path}: no problems"
    assert " bad, " in done.stderr.splitlines()[-1]


def test_the_network_for_programs(site: Site) -> None:
    """One finding a line, and nothing else on standard output, whatever happens on the way; exit 0 when nothing is bad.

    Nothing is written into the spool: it may be another user's, and the server is to find its own copies there alone.
    """
    before = sorted((site.house.path / "spool").iterdir())
    site.zone.has("_mta-sts.example.com", "TXT", '"v=STSv1; id=1;"')
    site.zone.has("one.example", "MX", "10 mail.example.com.", "20 mx2.example.net.")
    site.zone.has("mx2.example.net", "A", "203.0.113.9")
    site.primary.extensions = ("STARTTLS",)
    site.primary.on("STARTTLS", DROP)
    done = check(site.path, "--network", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(row) == ["topic", "subject", "level", "said", "mend", "dns"] for row in rows)
    assert "tls given up" in done.stderr
    assert next(row["level"] for row in rows if row["topic"] == "mta-sts") == "odd"
    assert sorted((site.house.path / "spool").iterdir()) == before
    # this machine has not the address that the zone gives us
    assert {row["topic"] for row in rows if row["level"] == "bad"} <= {"addresses"}
    assert done.returncode == any(row["level"] == "bad" for row in rows)


def test_what_the_running_server_knows_is_taken_from_it(site: Site) -> None:
    """Who exists, whom it does not believe, what came in."""
    house = site.house
    house.take(1, arrived=datetime.now(UTC))
    house.acquaintance = Acquaintance(known=2)
    house.learn("one.example", anna=Learned(Word.KNOWN, 0), bo=Learned(Word.GONE, 0, "550"), **{"": Learned(Word.KNOWN, 0)})
    found = site.found()
    assert found["recipients", "one.example"]["level"] == "good"
    assert found["inward", "mx2.example.net"]["said"].startswith("mail came in from 192.0.2.1")
    assert found["trust", "one.example"]["said"] == "takes mail for anna@one.example from this machine"
    house.primary = Primary(PrimaryState.UP, LONG_AGO, "it refuses mail that it used to accept: 550 5.1.1")
    found = site.found()
    assert (found["primary", "one.example"]["level"], found["primary", "example.com"]["level"]) == ("bad", "bad")


def test_without_a_server_the_rest_is_looked_at(site: Site) -> None:
    """And it is said what cannot be seen."""
    site.path.write_text(site.path.read_text().replace("c.sock", "nobody.sock"))
    done = check(site.path, "--network")
    assert "is not seen who is known to exist" in done.stderr
    assert any(line.split()[:3] == ["good", "trust", "example.com"] for line in done.stdout.splitlines())


@pytest.mark.slow
def test_no_word_of_others_is_obeyed(site: Site) -> None:
    """I7: on a terminal, in a pipe, for programs."""
    site.primary.on("RCPT", "451 4.7.1 \x1b[2J\u202e later")
    for options in ((), ("--json",)):
        out = check(site.path, "--network", *options).stdout
        assert "later" in out
        assert all(char == "\n" or char.isprintable() for char in out)
