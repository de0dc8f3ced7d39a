"""The command line as a whole: help, configuration, exit statuses, terminals."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from control.house import House, an_id

from backupmx.cli.main import Root, root
from backupmx.cli.recipients import Recipients

BACKUPMX = [sys.executable, "-m", "backupmx"]
GROUPS = ("queue", "recipients", "spool", "user", "token", "setup")


def alone(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BACKUPMX, *arguments], check=False, capture_output=True, text=True, timeout=30, env=os.environ | environment
    )


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What a terminal of 120 columns is sent."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "200"} | environment
    process = subprocess.Popen([*BACKUPMX, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    sent = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        sent += part
    process.wait(30)
    os.close(ours)
    return sent.decode()


@pytest.mark.parametrize("command", [(), *((name,) for name in Root.places), *((g, "--help") for g in GROUPS)])
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    """`--help` works everywhere, without a configuration."""
    done = CliRunner().invoke(root, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage: " in done.output


def test_the_commands_of_this_version_are_there() -> None:
    """The contract's names to the letter."""
    names = {"serve", "web", "demo", "domain", "check", "status", "reload", "queue", "spool", "user", "token", "mailq", "flush"}
    names |= {"recipients", "track", "report", "alerts", "init", "setup", "qshape", "completion"}
    assert names | {"backup", "restore", "support-bundle"} == set(Root.places)
    assert {"import", "list", "verify", "forget"} <= set(Recipients.places)


def test_the_configuration_is_named_before_the_command_or_after_it(house: House) -> None:
    """And the one after it counts."""
    config = str(house.path / "b.toml")
    bare = CliRunner(env={"BACKUPMX_CONFIG": "/nowhere.toml"})
    for arguments in (
        ("--config", config, "status"),
        ("status", "--config", config),
        ("--config", "/nowhere", "status", "--config", config),
        ("queue", "--config", config, "list"),
        ("queue", "list", "--config", config),
        ("spool", "stats", "--config", config),
    ):
        assert bare.invoke(root, arguments).exit_code == 0, arguments
    assert bare.invoke(root, ["status"]).exit_code == 78


def test_a_wrong_configuration_is_told_whole_and_exits_78(tmp_path: Path) -> None:
    """Wherever it is read, and nothing on standard output."""
    path = tmp_path / "b.toml"
    path.write_text('colour = 1\n[domain."one.example"]\nholding_window = "1y"\n')
    for command in (("check",), ("status",), ("queue", "list"), ("user", "list"), ("serve",), ("spool", "verify")):
        done = alone(*command, "--config", str(path)) if command == ("serve",) else None
        result = done or CliRunner().invoke(root, [*command, "--config", str(path)])
        assert (done.returncode if done else result.exit_code) == 78, command
        assert result.stdout == ""
        assert [line.partition(f"backupmx: {path}: ")[2].partition(":")[0] for line in result.stderr.splitlines()] == [
            'domain."one.example".holding_window = "1y"',
            "colour = 1",
        ]


def test_check_says_what_is_configured(tmp_path: Path) -> None:
    """Exit 0."""
    path = tmp_path / "b.toml"
    path.write_text(
        'hostname = "mx2.example.net"\n[defaults]\nrecipients = "callout"\n[domain."one.example"]\nprimary = ["mail"]\n'
    )
    done = CliRunner().invoke(root, ["check", "--config", str(path)])
    assert done.exit_code == 0
    assert f"{path}: no problems" in done.stdout
    assert "one.example: primary mail:25; holding window 14d" in done.stdout


def test_a_server_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    """Exit 1, with what to look for."""
    path = tmp_path / "b.toml"
    path.write_text(f'[control]\nsocket = "{tmp_path}/c.sock"\n[domain."one.example"]\n')
    done = alone("status", "--config", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"backupmx: {tmp_path}/c.sock: nobody answers; is `backupmx serve` running, with this configuration?\n"
    )


def test_the_program_runs_as_a_module_and_pipes_clean_data(house: House) -> None:
    """The whole way: a process of its own, a real socket."""
    house.take(1)
    done = alone("queue", "list", "--json", BACKUPMX_CONFIG=str(house.path / "b.toml"))
    assert done.returncode == 0
    assert json.loads(done.stdout)["queue_id"] == an_id(1)
    assert done.stderr == ""


def test_a_reader_that_goes_away_is_no_traceback(house: House) -> None:
    """`backupmx mailq | head -1`."""
    for number in range(2000):
        house.take(number)
    environment = os.environ | {"BACKUPMX_CONFIG": str(house.path / "b.toml")}
    process = subprocess.Popen([*BACKUPMX, "mailq", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(30)


def test_a_terminal_gets_a_table_that_obeys_nothing_in_the_mail(house: House) -> None:
    """I7: colours are ours alone; markup and escapes in an address show as they are; NO_COLOR is heeded."""
    house.take(1, sender="\x1b]0;owned\x07[bold]x[/bold]@elsewhere.example")
    house.do(house.spool.hold((an_id(1),), "alice", "", house.status().time))
    config = str(house.path / "b.toml")
    sent = on_a_terminal("queue", "list", "--config", config)
    assert "\x1b[33mheld" in sent
    assert "\\x1b]0;owned\\x07[bold]x[/bold]" in re.sub(r"\x1b\[[0-9;]*m|\s", "", sent)
    assert "\x1b]" not in sent
    assert "\x1b[3" not in on_a_terminal("queue", "list", "--config", config, NO_COLOR="1")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_watch_goes_on_until_ctrl_c(house: House, options: tuple[str, ...]) -> None:
    """Then it ends as it should, with exit 0."""
    environment = os.environ | {"BACKUPMX_CONFIG": str(house.path / "b.toml")}
    process = subprocess.Popen(
        [*BACKUPMX, "status", "--watch", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")


def test_watch_draws_in_place_on_a_terminal(house: House) -> None:
    """With the same sentence as the page; Ctrl-C ends it with exit 0."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "BACKUPMX_CONFIG": str(house.path / "b.toml")}
    process = subprocess.Popen([*BACKUPMX, "status", "--watch"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    sent = b""
    while b"two.example" not in sent:
        sent += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    os.close(ours)
    assert b"All is well" in sent
