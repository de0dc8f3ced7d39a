"""What became of mail, asked of a real server."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.serve.instance import Client, Instance, eventually, running

CONTENT = b"Subject: hello\r\n\r\nhello\r\n"


def lives(instance: Instance) -> list[dict[str, Any]]:
    return [json.loads(line) for line in instance.cli("track", "--json").stdout.splitlines()]


@pytest.mark.slow
def test_what_was_held_and_what_was_passed_on_are_both_tracked(tmp_path: Path) -> None:
    """The one from ACCEPT to SETTLE, the other in the session; also after a stop."""
    with running(tmp_path) as instance:
        assert instance.cli("track").returncode == 1
        with Client(instance.port) as client:
            held = client.mail(CONTENT).split()[-1]
        assert [(life["queue_id"], life["state"]) for life in lives(instance)] == [(held, "waiting")]
        instance.primary.start()
        eventually(lambda: lives(instance)[0]["state"] == "delivered", "the message is given back")
        with Client(instance.port) as client:
            assert client.mail(CONTENT).startswith("250 ")
        instance.stop()
        instance.start()
        passed, given_back = lives(instance)
        assert (passed["state"], given_back["queue_id"]) == ("relayed", held)
        for life in (passed, given_back):
            (fared,) = life["recipients"]
            assert fared["reply"].startswith("250 ")
            assert fared["host"] == f"127.0.0.1:{instance.primary.port}"
        assert f"id: {held}\n" in instance.cli("track", held[:25]).stdout
        assert instance.cli("spool", "verify").returncode == 0
