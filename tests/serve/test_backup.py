"""A backup of a real server's spool, brought to another machine, whose server delivers what is in it."""

from pathlib import Path

import pytest

from tests.serve.instance import Client, eventually, running

CONTENT = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.mark.slow
def test_what_a_running_server_held_another_one_delivers(tmp_path: Path) -> None:
    """Taken while it serves; and a restore that was killed after it was decided is finished by the server that starts."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    saved = tmp_path / "saved.tar"
    with running(tmp_path / "old") as old:
        with Client(old.port) as client:
            held = client.mail(CONTENT).split()[-1]
        assert old.cli("spool", "backup", str(saved)).returncode == 0
        assert old.status()["queue"]["messages"] == 1
        for command in (("compact",), ("restore", str(saved), "--yes", "--replace")):
            refused = old.cli("spool", *command)
            assert (refused.returncode, "another instance works on it" in refused.stderr) == (1, True)
    with running(tmp_path / "new", start=False) as new:
        assert new.cli("spool", "restore", str(saved), "--yes").returncode == 0
        spool = tmp_path / "new" / "spool"
        decided = spool / "restored-20260503T000000Z"
        decided.mkdir()
        (spool / "data.mdb").rename(decided / "data.mdb")
        new.start()
        assert new.cli("queue", "show", held).returncode == 0
        new.primary.start()
        eventually(lambda: len(new.primary.received) == 1, "the message is delivered")
        eventually(lambda: new.status()["queue"]["messages"] == 0, "it is settled")
        assert new.cli("spool", "verify").returncode == 0
        assert not decided.exists()
