"""`backupmx setup serve`: a machine waits for its owner, as a process with a control socket."""

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from control.house import House

from backupmx.cli.main import root
from backupmx.control.accounts import Role
from backupmx.control.answers import (
    AnyAnswer,
    CodeRefused,
    Done,
    MachineAnswer,
    Refused,
    SetupAnswer,
    SetupChecked,
)
from backupmx.control.client import ControlClient
from backupmx.control.requests import AnyRequest, BeginSetup, CheckSetup, Claim, GetAccounts, GetSetup, GetStatus, Reload
from backupmx.core.amendment import Fault
from backupmx.core.finding import Level
from backupmx.core.setup import Answers
from tests.serve.instance import eventually
from tests.setup.machine import ANSWERS, HASH, Machine

CLOSED = SetupAnswer(open=False)


def setup(machine: Machine, *arguments: str) -> Result:
    return CliRunner().invoke(root, ["setup", *arguments, "--config", str(machine.places.configuration)])


def test_it_is_claimed_once_and_makes_room_for_the_server(machine: Machine) -> None:
    """What was answered is in the file, the admin is there, the code is gone, and the process ends by itself."""
    machine.start()
    assert machine.ask(GetSetup()) == SetupAnswer(open=True)
    printed = setup(machine, "code", "--socket", str(machine.places.socket))
    assert (printed.exit_code, printed.stdout) == (0, f"{machine.code}\n")
    assert machine.kept.read_text() == printed.stdout
    assert isinstance(machine.ask(BeginSetup(machine.code)), MachineAnswer)
    code = machine.code
    assert machine.ask(Claim(code.upper(), ANSWERS)) == Done()
    status, said = machine.ended()
    assert (status, machine.settings.hostname) == (0, "mx2.example.net")
    assert 'verb="set up" by=petra domain=example.com' in said
    assert code not in said
    assert HASH not in said
    assert [(user.name, user.role) for user in machine.accounts.users()] == [("petra", Role.ADMIN)]
    assert not machine.kept.exists()
    assert not machine.places.socket.exists()
    printed = setup(machine, "code")
    assert (printed.exit_code, printed.stdout) == (1, "")
    assert "is set up already" in printed.stderr


def test_without_the_code_nothing_is_told_or_done(machine: Machine) -> None:
    """Whatever is asked; nor is there anything of an ordinary server to be asked."""
    machine.start()
    for asked in (BeginSetup("x"), CheckSetup("x", ANSWERS), Claim("", ANSWERS), Claim("x" * 12, ANSWERS)):
        assert machine.ask(asked) == CodeRefused()
    for asked in (GetStatus(), GetAccounts(), Reload()):
        answer = machine.ask(asked)
        assert isinstance(answer, Refused)
        assert "not set up yet" in answer.problems[0]
    assert not machine.places.configuration.exists()
    assert machine.accounts.users() == ()


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        ("domain", "example"),
        ("domain", ""),
        ("domain", "a b.example"),
        ("primary", "mail example"),
        ("primary", "mx2.EXAMPLE.net"),
        ("hostname", "backupmx"),
        ("hostname", '"] # .example'),
        ("name", "../x"),
        ("password_hash", "secret"),
        ("alert", "petra@example.org"),
        ("alert", 'json://x"\n[web]'),
    ],
)
def test_what_cannot_be_right_is_said(machine: Machine, key: str, typed: str) -> None:
    """By the question that it is about, and nothing is written."""
    from msgspec.structs import replace

    from backupmx.setup.questions import faults

    assert [fault.key for fault in faults(replace(ANSWERS, **{key: typed}))] == [key.removesuffix("_hash")]
    assert faults(ANSWERS) == ()


def test_all_faults_are_told_at_once(machine: Machine) -> None:
    """To who checks, and to who claims without having checked."""
    machine.start()
    wrong = Answers("x", "a b", "y", "", "", "z")
    for asked in (CheckSetup(machine.code, wrong), Claim(machine.code, wrong)):
        answer = machine.ask(asked)
        assert isinstance(answer, SetupChecked)
        assert [fault.key for fault in answer.faults] == ["domain", "primary", "hostname", "alert", "name", "password"]
        assert Fault("domain", 'must be a whole name, like "example.com"') in answer.faults
    assert not machine.places.configuration.exists()


def test_the_network_is_looked_at_before(machine: Machine) -> None:
    """A primary that nobody is at, and names that nobody knows; it takes as long as it takes."""
    machine.start()
    code, found = machine.code, []

    def told() -> bool:
        answer = machine.ask(CheckSetup(code, ANSWERS))
        assert isinstance(answer, SetupChecked)
        found[:] = answer.findings
        return not answer.looking

    eventually(told, "everything is looked at", 30)
    topics = {finding.topic: finding for finding in found}
    assert topics["primary"].level is Level.BAD
    assert topics["primary"].subject == "example.com"
    assert {"mx", "addresses", "inward", "port25"} <= topics.keys()
    assert "certificate" not in topics


def test_of_two_who_claim_at_once_one_has_it(machine: Machine) -> None:
    """And the other is told so."""
    machine.start()
    code, answers = machine.code, []

    def one(name: str) -> None:
        answers.append(machine.ask(Claim(code, Answers("example.com", "", "mx2.example.net", name, HASH))))

    threads = [threading.Thread(target=one, args=(name,)) for name in ("anna", "otto")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers, key=str) == [Done(), CLOSED]
    assert machine.ended()[0] == 0
    assert len(machine.accounts.users()) == 1


def test_a_restart_changes_nothing(machine: Machine) -> None:
    """The code that is on the screen stays right, also after a kill."""
    machine.start()
    code = machine.code
    machine.kill()
    machine.start()
    assert machine.code == code
    assert machine.process
    machine.process.send_signal(signal.SIGTERM)
    assert machine.ended()[0] == 0
    machine.start()
    assert machine.code == code


def test_a_configuration_that_comes_another_way_ends_it(machine: Machine) -> None:
    """`backupmx init` on the machine itself; the code opens nothing any more."""
    machine.start()
    path = str(machine.places.configuration)
    arguments = ["--domain", "example.com", "--hostname", "mx2.example.net", "--yes", "--config", path]
    assert CliRunner().invoke(root, ["init", *arguments]).exit_code == 0
    assert machine.ended()[0] == 0
    assert not machine.kept.exists()
    assert machine.accounts.users() == ()


def test_systemd_is_told_when_it_can_be_asked(machine: Machine, tmp_path: Path) -> None:
    """READY=1, and not before."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        machine.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert b"READY=1" in systemd.recv(100)
    assert os.access(machine.places.socket, os.W_OK)


def test_who_is_set_up_needs_no_set_up(machine: Machine) -> None:
    """It ends at once."""
    machine.places.configuration.parent.mkdir()
    machine.places.configuration.write_text("mine")
    assert subprocess.run(machine.command, timeout=20, check=False).returncode == 0
    assert machine.places.configuration.read_text() == "mine"
    assert not machine.kept.exists()


def test_nobody_answers_for_the_code(machine: Machine) -> None:
    """A sentence, and another exit status than where there is none to be had any more."""
    printed = setup(machine, "code", "--socket", str(machine.places.socket))
    assert printed.exit_code == 69
    assert "backupmx setup serve" in printed.stderr


def test_a_running_server_is_set_up(house: House) -> None:
    """Whatever is asked, with whatever code."""
    questions: list[AnyRequest] = [GetSetup(), BeginSetup(""), CheckSetup("", ANSWERS), Claim("", ANSWERS)]
    answers: list[AnyAnswer] = [ControlClient(house.path / "c.sock", 20).ask(question) for question in questions]
    assert answers == [CLOSED] * 4
