"""A real server looks around by itself, and tells whoever asks."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from backupmx.control.answers import FindingsAnswer
from backupmx.control.client import ControlClient
from backupmx.control.requests import GetFindings
from backupmx.core.finding import Finding, Level
from tests.checks.zone import DOMAIN, check_words, levels, zone
from tests.serve.instance import eventually, running

pytestmark = pytest.mark.slow


async def test_a_server_looks_around_as_it_starts(tmp_path: Path) -> None:
    """The page, the command line and alerts get the same from it (I8); the primary that is down is not asked for it."""
    nameserver = zone().has("mail.example.com", "A", "10.0.0.1")

    def findings(place: Path) -> Sequence[Finding]:
        settings = f'[dns]\nnameservers = ["{nameserver.place}"]\n'
        with running(place, tables=settings) as instance:
            client = ControlClient(instance.place / "control.sock")

            def told() -> FindingsAnswer:
                answer = client.ask(GetFindings())
                assert isinstance(answer, FindingsAnswer)
                return answer

            eventually(lambda: told().at is not None, "the first look is over")
            for word in ("OK", "WARNING", "CRITICAL"):
                if (line := instance.cli("check", "--nagios", "--network")).stdout.startswith(word):
                    assert line.returncode == ["OK", "WARNING", "CRITICAL"].index(word)
                    break
            else:
                raise AssertionError(line.stdout)
            return told().findings

    async with nameserver:
        found = await asyncio.to_thread(findings, tmp_path)
    check_words(found)
    assert ("primary", "bad") in levels(found)
    assert ("mx", "bad") in levels(found)
    assert next(each for each in found if each.topic == "mx").said.startswith("this machine is not listed")
    assert next(each for each in found if each.topic == "certificate").level is Level.ODD
    assert [each.subject for each in found if each.topic == "recipients"] == [DOMAIN]
