"""With others' programs on both sides: swaks and smtp-source as clients, Postfix as the primary. Needs root."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.peer.postfix import postfix
from tests.serve.instance import Client, Instance, eventually, running

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150)]

BODY = "Subject: {subject}\r\nX-Mark: {subject}\r\n\r\n.a dot\r\n..two\r\n\r\nGr\u00fc\u00dfe, {subject}\r\n"


def swaks(instance: Instance, place: Path, subject: str, *more: str) -> None:
    """One message, the way an admin tries a server out."""
    letter = place / subject
    # swaks ends the last line itself
    letter.write_bytes(BODY.format(subject=subject).removesuffix("\r\n").encode())
    command = ["swaks", "--server", f"127.0.0.1:{instance.port}", "--helo", "client.test", "--from", "a@sender.test"]
    done = subprocess.run(
        [*command, "--to", "user@example.com", "--data", f"@{letter}", *more],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def smtp_source(instance: Instance, messages: int) -> None:
    """Many at once."""
    command = ["smtp-source", "-s", "10", "-l", "5000", "-m", str(messages), "-M", "client.test"]
    subprocess.run(
        [*command, "-f", "b@sender.test", "-t", "user@example.com", f"127.0.0.1:{instance.port}"], check=True, timeout=60
    )


def waiting(instance: Instance) -> int:
    return int(instance.status()["queue"]["messages"])


def test_what_came_while_postfix_was_away_is_delivered_when_it_returns(tmp_path: Path) -> None:
    """I1: two outages; plain and over TLS, one by one and many at once; each arrives once."""
    with running(tmp_path) as instance, postfix(instance.primary.port) as primary:
        swaks(instance, tmp_path, "first")
        swaks(instance, tmp_path, "encrypted", "--tls")
        smtp_source(instance, 50)
        assert waiting(instance) == 52
        primary.start()
        eventually(lambda: waiting(instance) == 0, "the queue drains")
        primary.stop()
        swaks(instance, tmp_path, "second-outage")
        assert waiting(instance) == 1
        primary.start()
        eventually(lambda: waiting(instance) == 0, "the queue drains again")
        eventually(lambda: len(primary.mail()) == 53, "Postfix has put all in the mailbox")
        for subject in ("first", "encrypted", "second-outage"):
            found = [mail for mail in primary.mail() if f"X-Mark: {subject}\n".encode() in mail]
            assert len(found) == 1
            assert found[0].endswith(BODY.format(subject=subject).replace("\r\n", "\n").encode())
        assert instance.status()["queue"]["quarantined"] == 0
        eventually(lambda: " bdat=1 " in primary.log(), "it takes leave; the content went in a chunk")


def test_what_postfix_refuses_for_good_is_kept_for_the_admin(tmp_path: Path) -> None:
    """I3: an unknown user's copy ends in quarantine with Postfix's words; the other recipient gets the message."""
    with running(tmp_path) as instance, postfix(instance.primary.port) as primary:
        with Client(instance.port) as client:
            taken = client.mail(b"X-Mark: both\r\n\r\nhello\r\n", to=("user@example.com", "nobody-here@example.com"))
            assert taken.startswith("250 ")
        primary.start()
        eventually(lambda: instance.status()["queue"]["quarantined"] == 1, "it is quarantined")
        eventually(lambda: len(primary.mail()) == 1, "the known recipient has it")
        assert waiting(instance) == 0
        row = json.loads(instance.cli("queue", "list", "--state", "quarantined", "--json").stdout)
        assert row["state"] == "quarantined"
        assert "550" in json.dumps(row)
        assert "nobody-here@example.com" in json.dumps(row)
