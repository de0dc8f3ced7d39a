"""An admin is root, and the server is not: what root's commands leave behind is the server's to read and to change."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytestmark = [pytest.mark.peer, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

SERVER = 64123
"""A user that nobody has."""


@pytest.fixture
def configuration() -> Iterator[Path]:
    """Where it is to be: the directories are as the package makes them, in one that everybody may enter."""
    with TemporaryDirectory(prefix="backupmx-owner-") as place:
        Path(place).chmod(0o755)
        for name in ("etc", "spool"):
            (Path(place) / name).mkdir(mode=0o700)
            os.chown(Path(place) / name, SERVER, SERVER)
        yield Path(place) / "etc" / "backupmx.toml"


def root(configuration: Path, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """A command of root's."""
    command = [sys.executable, "-m", "backupmx", *words, "--config", str(configuration)]
    return subprocess.run(command, input=said, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.timeout(60)
def test_what_root_leaves_is_the_servers(configuration: Path) -> None:
    """Without a running server, on a new machine: the first command that opens the spool makes it."""
    place = configuration.parent.parent
    done = root(configuration, "init", "--yes", "--domain", "example.com", "--primary", "192.0.2.1", "--hostname", "mx2.test")
    assert done.returncode == 0, done.stderr
    assert (configuration.stat().st_uid, configuration.stat().st_mode & 0o777) == (SERVER, 0o640)
    configuration.write_text(f'spool = "{place}/spool"\n{configuration.read_text()}')
    for words in (["domain", "add", "example.org"], ["token", "create", "x", "--scope", "recipients"], ["spool", "verify"]):
        root(configuration, *words)
    files = [each for each in place.rglob("*") if each.is_file()]
    assert {"backupmx.toml", "accounts.json", "data.mdb", "lock.mdb"} <= {each.name for each in files}
    assert [each for each in files if each.stat().st_uid != SERVER] == []


def test_root_does_not_serve_another_users_spool(configuration: Path) -> None:
    """All that it would write there would be root's."""
    place = configuration.parent.parent
    text = f'hostname = "mx2.test"\nspool = "{place}/spool"\n[smtp]\nlisten = ["127.0.0.1:0"]\n[domain."example.com"]\n'
    configuration.write_text(text)
    done = root(configuration, "serve")
    assert done.returncode == 1
    assert f"belongs to user {SERVER}, so root does not serve it" in done.stderr
    assert list((place / "spool").iterdir()) == []


DOMAIN_ADD = ("domain", "add", "example.org")


def of_roots(place: Path, configuration: Path) -> Path:
    """A configuration in a directory of root's, as one that is kept in git."""
    place.chmod(0o755)
    found = place / "ours.toml"
    found.write_text(f'hostname = "mx2.test"\nspool = "{configuration.parent.parent}/spool"\n[domain."example.com"]\n')
    return found


def test_a_servers_link_leads_root_to_no_configuration(configuration: Path, tmp_path: Path) -> None:
    """A file of root's is not changed, also by a chain of links whose last one is root's; what is wrong is told in one line."""
    target = of_roots(tmp_path, configuration)
    before = target.stat(), target.read_text()
    (tmp_path / "roots.toml").symlink_to(target)
    for leads in (target, tmp_path / "roots.toml"):
        configuration.symlink_to(leads)
        os.chown(configuration, SERVER, SERVER, follow_symlinks=False)
        done = root(configuration, *DOMAIN_ADD)
        assert (done.returncode, len(done.stderr.splitlines())) == (78, 1)
        assert f"chown -h root {configuration}" in done.stderr
        assert (target.stat(), target.read_text()) == before
        configuration.unlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ours.toml", "roots.toml"]


def test_a_link_that_root_made_is_written_through(configuration: Path, tmp_path: Path) -> None:
    """In a directory of the server's too; and whose a link is does not matter where nobody but root can make one."""
    target = of_roots(tmp_path, configuration)
    configuration.symlink_to(target)
    second = tmp_path / "link.toml"
    second.symlink_to("ours.toml")
    os.chown(second, SERVER, SERVER, follow_symlinks=False)
    for link, domain in ((configuration, "example.org"), (second, "example.net")):
        assert root(link, "domain", "add", domain).returncode == 0
        assert domain in target.read_text()
        assert link.is_symlink()
    assert (target.stat().st_uid, target.stat().st_gid) == (0, 0)
    tmp_path.chmod(0o775)
    assert root(second, "domain", "add", "example.edu").returncode == 78


def test_links_lead_root_nowhere_when_it_sets_a_machine_up(configuration: Path, tmp_path: Path) -> None:
    """With answers from a file; and what it leaves is the server's."""
    spool = configuration.parent.parent / "spool"
    secret = tmp_path / "shadow"
    secret.write_text("of root alone\n")
    lock = spool / "accounts.json.lock"
    lock.symlink_to(secret)
    answers = f'hostname = "mx2.test"\nspool = "{spool}"\n[domain."example.com"]\n'
    answers += '[setup]\nuser = "petra"\npassword = "a long enough password"\n'
    assert root(configuration, "setup", "apply", "-", said=answers).returncode != 0
    assert (secret.read_text(), secret.stat().st_uid, configuration.exists()) == ("of root alone\n", 0, False)
    lock.unlink()
    assert root(configuration, "setup", "apply", "-", said=answers).returncode == 0
    files = [configuration, *spool.iterdir()]
    assert {"backupmx.toml", "accounts.json"} <= {each.name for each in files}
    assert {each.stat().st_uid for each in files} == {SERVER}


def test_links_lead_root_nowhere(configuration: Path, tmp_path: Path) -> None:
    """Whoever broke into the server may put links into its directories, and wait for root: it is not the system's master."""
    spool = configuration.parent.parent / "spool"
    configuration.write_text(f'hostname = "mx2.test"\nspool = "{spool}"\n[domain."example.com"]\n')
    secret = tmp_path / "shadow"
    secret.write_text("of root alone\n")
    secret.chmod(0o600)
    for name in ("lock", "lock.mdb", "data.mdb", "accounts.json.new", "accounts.json.lock"):
        (spool / name).symlink_to(secret)
    planted = spool / "restored-20260101T000000Z" / "aside" / "configuration"
    planted.mkdir(parents=True)
    (planted / "x").write_text("* * * * * root id\n")
    placements = '[{"name": "x", "place": "' + str(tmp_path / "cron.d" / "evil") + '", "mode": 420}]'
    (planted.parent / "placements.json").write_text(placements)
    os.chown(tmp_path, 0, 0)
    tmp_path.chmod(0o755)
    for words in (
        ["spool", "verify"],
        ["spool", "compact"],
        ["restore", __file__, "--yes", "--replace"],
        ["backup", str(tmp_path / "b")],
    ):
        assert root(configuration, *words).returncode != 0
    root(configuration, "user", "add", "x", "--password-stdin", said="a long enough password\n")
    assert (secret.read_text(), secret.stat().st_uid) == ("of root alone\n", 0)
    assert not (tmp_path / "cron.d").exists()
