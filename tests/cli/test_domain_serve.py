"""`backupmx domain set|remove|add` beside a real server: where mail goes afterwards, and that none is lost."""

from pathlib import Path

import pytest
from serve.instance import Client, Primary, eventually, running

from backupmx import config

pytestmark = pytest.mark.slow

CONTENT = b"Subject: hello\r\n\r\nhello\r\n"


def test_a_domain_whose_primary_never_returns_is_diverted(tmp_path: Path) -> None:
    """What waits goes to the new host too; a second change, while the server is busy with the first, is taken as well."""
    new = Primary()
    with running(tmp_path) as instance:
        with Client(instance.port) as client:
            assert client.mail(CONTENT).startswith("250 ")
        eventually(lambda: instance.status()["domains"][0]["primary"]["state"] == "down", "the old primary is down")
        new.start()
        try:
            for wish in (f"primary=127.0.0.1:{new.port}", "holding_window=21d"):
                done = instance.cli("domain", "set", "example.com", wish)
                assert (done.returncode, done.stderr) == (0, "backupmx: the change is in the file, and is being applied\n")
            eventually(lambda: bool(new.received), "the mail that waited arrives at the new primary")
            eventually(lambda: instance.status()["queue"]["messages"] == 0, "nothing waits any more")
            assert instance.status()["domains"][0]["holding_window_s"] == 21 * 86400
        finally:
            new.stop()
        (sender, recipients, content) = new.received[0]
        assert (sender, recipients) == ("a@sender.test", ("user@example.com",))
        assert content.endswith(CONTENT)
        said = [line for line in instance.log.read_text().splitlines() if "verb=configure" in line]
        assert [f'what="domain set example.com primary=127.0.0.1:{new.port}"' in line for line in said] == [True, False]


def test_mail_of_a_domain_that_was_removed_is_there_when_it_is_added_again(tmp_path: Path) -> None:
    """I1: refused without a yes; with one it stays in the spool, and is shown."""
    with running(tmp_path, tables='[domain."other.example"]\nprimary = ["127.0.0.1:9"]') as instance:
        with Client(instance.port) as client:
            assert client.mail(CONTENT).startswith("250 ")
        refused = instance.cli("domain", "remove", "example.com")
        assert refused.returncode == 1
        assert "1 message " in refused.stderr
        assert instance.cli("domain", "remove", "example.com", "--yes").returncode == 0
        assert list(config.load(instance.path).domains) == ["other.example"]

        def foreign() -> bool:
            with Client(instance.port) as client:
                return client.mail(CONTENT).startswith("550 5.7.1 ")

        eventually(foreign, "the server knows the domain no longer")
        instance.primary.start()
        left = [(each["domain"], each["messages"]) for each in instance.status()["domains"]]
        assert left == [("other.example", 0), ("example.com", 1)]
        done = instance.cli("domain", "add", "example.com", "--primary", f"127.0.0.1:{instance.primary.port}")
        assert done.returncode == 0
        eventually(lambda: bool(instance.primary.received), "the mail arrives")


def test_a_change_that_the_server_refuses_is_taken_back(tmp_path: Path) -> None:
    """It reads files that the command need not be able to read."""
    with running(tmp_path) as instance:
        before = instance.path.read_text()
        instance.path.write_text(f'{before}tls_ca_file = "{tmp_path}/none.pem"\ntls = "verify"\n')
        amended = instance.path.read_text()
        done = instance.cli("domain", "set", "example.com", "holding_window=3d")
        assert done.returncode == 1
        assert "none.pem" in done.stderr
        assert instance.path.read_text() == amended
