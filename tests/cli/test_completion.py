"""`backupmx completion`: the Tab key."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from backupmx.cli.main import root
from cli.test_root import BACKUPMX


def completed(*words: str) -> list[str]:
    """What is offered for the last of these words."""
    *before, begun = words
    shell = BashComplete(root, {}, "backupmx", "_BACKUPMX_COMPLETE")
    return [offer.value for offer in shell.get_completions(before, begun)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "b.toml").write_text('[domain."one.example"]\n[domain."two.example"]\n')
    return tmp_path / "b.toml"


def test_commands_options_and_domains_are_completed(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked, nothing but the file is read."""
    monkeypatch.setenv("BACKUPMX_CONFIG", str(config))
    assert completed("qu") == ["queue"]
    assert completed("queue", "re") == ["retry", "release"]
    assert completed("queue", "list", "--state", "qu") == ["quarantined"]
    assert completed("queue", "list", "--domain", "O") == ["one.example"]
    assert completed("flush", "") == ["one.example", "two.example"]
    monkeypatch.setenv("BACKUPMX_CONFIG", "/nowhere")
    assert completed("flush", "--config", str(config), "t") == ["two.example"]
    assert completed("flush", "t") == []


def test_bash_is_answered_and_told_of_no_trouble(config: Path) -> None:
    """A wrong configuration completes nothing, and says nothing in the middle of a line."""
    environment = {"COMP_WORDS": "backupmx flush o", "COMP_CWORD": "2", "_BACKUPMX_COMPLETE": "bash_complete"}
    for text, answer in ((config.read_text(), "plain,one.example"), ("colour = 1", "")):
        config.write_text(text)
        every = os.environ | environment | {"BACKUPMX_CONFIG": str(config)}
        done = subprocess.run(BACKUPMX, env=every, capture_output=True, text=True, check=True)
        assert (done.stdout.strip(), done.stderr) == (answer, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str, tmp_path: Path) -> None:
    """Which it can read, where it is there to be asked."""
    done = CliRunner().invoke(root, ["completion", shell])
    assert done.exit_code == 0
    assert f"_BACKUPMX_COMPLETE={shell}_complete" in done.stdout
    if shutil.which(shell):
        (tmp_path / "script").write_text(done.stdout)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)
