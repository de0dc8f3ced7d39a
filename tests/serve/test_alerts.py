"""Alerts of a real server: a process that was killed, a message that arrives, a window that outlives a restart."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.house import web
from tests.serve.instance import Instance, eventually, running


def wrong(instance: Instance) -> dict[tuple[str, str], dict[str, Any]]:
    """By kind and subject."""
    done = instance.cli("alerts", "list", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {(each["kind"], each["subject"]): each for each in found}


@pytest.mark.slow
def test_a_killed_process_is_told_and_a_test_arrives(tmp_path: Path) -> None:
    """Whichever it was: the courier's own death is told by the one after it."""
    with web() as served, running(tmp_path, tables=f'[alerts]\nurls = ["json://{served.place}/"]') as instance:
        eventually(lambda: ("primary_down", "example.com") in wrong(instance), "the primary is known to be away")
        for name in ("edge0", "courier"):
            before = instance.children()[name]
            os.kill(before, signal.SIGKILL)
            eventually(lambda name=name: ("process", name) in wrong(instance), f"the death of {name} is known")
        done = instance.cli("alerts", "test")
        assert (done.returncode, done.stdout) == (0, "json://127.0.0.1: sent\n"), instance.log.read_text()
        assert served.got[-1]["title"] == "mx2.test: a test"
        assert instance.cli("alerts", "mute", "2h").returncode == 0
        instance.stop()
        instance.start()
        assert "nobody is told of anything until" in instance.cli("alerts", "list").stderr
