"""`backupmx spool verify`: on a real store, with and without somebody working on it."""

import json
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest
from click.testing import CliRunner, Result
from control.house import an_id, running

from backupmx.cli.main import root
from backupmx.spool import layout
from backupmx.spool.store import LmdbSpool


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A store with two messages in it; nobody works on it."""
    path = tmp_path / "spool"
    layout.prepare(path)
    store = LmdbSpool(path, owner="test", reserve=0)
    with running(tmp_path, store) as house:
        house.take(1)
        house.take(2)
    store.close()
    (tmp_path / "b.toml").write_text(f'spool = "{path}"\n[domain."one.example"]\n')
    return path


def verify(spool: Path, *options: str) -> Result:
    return CliRunner().invoke(root, ["spool", "verify", "--config", str(spool.parent / "b.toml"), *options])


def test_a_sound_spool_is_called_sound(spool: Path) -> None:
    """Exit 0, nothing on standard output."""
    done = verify(spool)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "backupmx: the spool is sound, messages: 2\n")


def test_it_needs_no_pause_of_the_server(spool: Path) -> None:
    """Another process may have the store open."""
    store = LmdbSpool(spool, owner="test", reserve=0)
    config = str(spool.parent / "b.toml")
    command = [sys.executable, "-m", "backupmx", "spool", "verify", "--config", config]
    assert subprocess.run(command, check=False, timeout=30, capture_output=True).returncode == 0
    store.close()


def test_an_altered_octet_is_found(spool: Path) -> None:
    """I1: a message that is not what came in is named, exit 1; the others are sound."""
    env = lmdb.open(str(spool), max_dbs=8, lib_version=0)
    chunks = env.open_db(b"chunk")
    with env.begin(write=True) as txn, txn.cursor(chunks) as cursor:
        assert cursor.first()
        key, value = cursor.item()
        cursor.put(key, value[:-1] + b"?")
    env.close()
    done = verify(spool)
    assert done.exit_code == 1
    assert done.stdout == f"{an_id(1)}: the content does not match its digest\n"
    assert done.stderr == "backupmx: 1 sound, problems: 1\n"
    found = json.loads(verify(spool, "--json").stdout)
    assert found == {"id": an_id(1), "problem": "the content does not match its digest"}


def test_a_spool_that_cannot_be_opened_is_one_clear_line(spool: Path) -> None:
    """Exit 1."""
    (spool / "data.mdb").write_bytes(b"x" * 8192)
    done = verify(spool)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"backupmx: spool {spool}: ")
    assert len(done.stderr.splitlines()) == 1
