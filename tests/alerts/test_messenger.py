"""Messages that really go out, through Apprise, in a process of its own."""

import email
import email.policy
import os
import sys
from pathlib import Path

import pytest

from alerts.house import web
from backupmx.alerts import messenger
from backupmx.core.alert_text import Letter, Tone
from backupmx.demo.primary import Primary

LETTER = Letter(Tone.FAILURE, "mx2.example.net: primary is down", "It <b>has</b> been down: \\n *x* ${HOME} :smile:\n\nÅäö")
SECRET = "s3cr3t"


@pytest.mark.slow
async def test_each_url_gets_it_or_it_is_known_why_not() -> None:
    """By HTTP and by mail; one that refuses, one that is away, and one that nobody knows do not keep it from the others."""
    mail: list[tuple[str, tuple[str, ...], bytes]] = []
    primary = Primary(lambda *message: mail.append(message))
    primary.come()
    with web() as good, web() as refusing:
        refusing.status = 500
        said = await messenger.send(
            LETTER,
            [
                f"json://{good.place}/{SECRET}",
                f"json://user:{SECRET}@{refusing.place}/{SECRET}?x={SECRET}",
                f"mailto://127.0.0.1:{primary.port}?from=mx2@example.net&to=admin@example.net&mode=insecure&format=text",
                f"json://127.0.0.1:1/{SECRET}",
                f"nosuch://{SECRET}",
                f"tgram://{SECRET}",
            ],
        )
        primary.close()
        assert [why is None for why in said] == [True, False, True, False, False, False]
        assert all(said[3:])
        assert not any(SECRET in (why or "") for why in said)
        assert "500" in (said[1] or "")
        ((message,), (told,)) = mail, good.got
        assert (told["title"], told["message"], told["type"]) == (LETTER.title, LETTER.body, "failure")
    assert message[:2] == ("mx2@example.net", ("admin@example.net",))
    found = email.message_from_bytes(message[2], policy=email.policy.default)
    assert found["Subject"] == LETTER.title
    assert found.get_content().splitlines() == LETTER.body.splitlines()
    assert "apprise" not in sys.modules


async def test_what_cannot_be_sent_at_all_is_told_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the process that sends not begin, or end at once."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert (
        await messenger.send(LETTER, ["json://a.example", "json://b.example"])
        == ["the process that sends ended with status 1"] * 2
    )
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    (why,) = await messenger.send(LETTER, ["json://a.example"])
    assert "No such file" in (why or "")


async def test_a_process_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """At the deadline."""
    hanging, pid = tmp_path / "python", tmp_path / "pid"
    hanging.write_text(f"#!/bin/sh\necho $$ >{pid}\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    monkeypatch.setattr(messenger, "DEADLINE_S", 1.0)
    assert await messenger.send(LETTER, ["json://a.example"]) == ["not done within 1 s"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
