"""Answers given in advance: used once, or what is wrong with them beside them."""

import pytest

from tests.device.machine import Machine

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

PASSWORD = "correct horse battery"
ANSWERS = f"""\
hostname = "mx2.example.net"

[setup]
user = "petra"
password = "{PASSWORD}"

[domain."example.com"]
primary = ["192.0.2.25"]
"""
FAT = "/boot/efi"
CONFIGURATION = "/etc/backupmx/backupmx.toml"


@pytest.fixture
def appliance(machine: Machine) -> Machine:
    machine.install_backupmx()
    machine.write("/etc/fstab", f"LABEL=BACKUPMX {FAT} vfat noatime 0 2\n")
    machine.write("/usr/bin/systemctl", '#!/bin/sh\necho "$@" >>/run/systemctl\n', "755")
    machine.do("mkdir", "-p", FAT)
    return machine


def answers(machine: Machine, status: int = 0) -> None:
    done = machine.run("/usr/lib/backupmx/answers")
    assert done.returncode == status, done.stdout


def notes(machine: Machine) -> list[str]:
    return machine.do("ls", FAT).split()


def test_they_are_used_once_and_then_gone(appliance: Machine) -> None:
    """The server can read what is written, the password is in no file, and the socket is opened."""
    appliance.write(f"{FAT}/backupmx.toml", ANSWERS)
    answers(appliance)
    written = appliance.do("setpriv", "--reuid=backupmx", "--regid=backupmx", "--clear-groups", "cat", CONFIGURATION)
    assert "mx2.example.net" in written
    assert "[setup]" not in written
    assert notes(appliance) == ["backupmx-done.txt"]
    assert appliance.run("grep", "-r", PASSWORD, "/etc/backupmx", "/var/lib/backupmx", "/boot").stdout == ""
    assert appliance.do("cat", "/run/systemctl").splitlines() == ["--no-block start backupmx.socket"]
    answers(appliance)
    assert "petra" in appliance.do("backupmx", "user", "list")


def test_mistakes_are_written_beside_them_and_they_stay(appliance: Machine) -> None:
    """For people: each on a line, as Windows shows them; corrected, the next start takes them."""
    appliance.write(f"{FAT}/backupmx.toml", ANSWERS.replace("primary", "primery").replace(PASSWORD, "short"))
    answers(appliance)
    assert not appliance.there(CONFIGURATION)
    assert notes(appliance) == ["backupmx-errors.txt", "backupmx.toml"]
    told = appliance.do("cat", f"{FAT}/backupmx-errors.txt")
    assert "primery" in told
    assert "password" in told
    assert all(line.endswith("\r") for line in told.rstrip("\n").split("\n"))
    assert "primery" in appliance.do("cat", "/run/backupmx-trouble/answers")
    appliance.write(f"{FAT}/backupmx.toml", ANSWERS)
    answers(appliance)
    assert appliance.there(CONFIGURATION)
    assert notes(appliance) == ["backupmx-done.txt"]
    assert not appliance.there("/run/backupmx-trouble/answers")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_of_notepad_will_do(appliance: Machine, encoding: str) -> None:
    """With its line ends, its mark, and the end that Windows puts behind the name."""
    appliance.write(f"{FAT}/backupmx.toml.txt", ANSWERS.replace("\n", "\r\n").encode(encoding))
    answers(appliance)
    assert appliance.there(CONFIGURATION)
    assert notes(appliance) == ["backupmx-done.txt"]


def test_after_a_power_cut_the_password_goes_all_the_same(appliance: Machine) -> None:
    """Set up, but not yet removed."""
    appliance.write(f"{FAT}/backupmx.toml", ANSWERS)
    appliance.write(CONFIGURATION, "# set up by somebody\n")
    answers(appliance)
    assert appliance.do("cat", CONFIGURATION) == "# set up by somebody\n"
    assert notes(appliance) == ["backupmx-done.txt"]
    assert "already" in appliance.do("cat", f"{FAT}/backupmx-done.txt")


def test_a_program_that_breaks_takes_nothing_away(appliance: Machine) -> None:
    appliance.write("/usr/bin/backupmx", "#!/bin/sh\necho Traceback\nexit 1\n", "755")
    appliance.write(f"{FAT}/backupmx.toml", ANSWERS)
    answers(appliance)
    assert appliance.do("cat", f"{FAT}/backupmx.toml") == ANSWERS
    assert "Traceback" in appliance.do("cat", f"{FAT}/backupmx-errors.txt")


def test_those_of_cloud_init_and_a_credential(appliance: Machine) -> None:
    """Mistakes in either are written to a place of root's, until the other has set the machine up: then both go."""
    told = "/run/backupmx-answers/backupmx-errors.txt"
    appliance.write("/etc/backupmx-answers.toml", ANSWERS.replace("petra", "PETRA "))
    answers(appliance)
    assert "setup.user" in appliance.do("cat", told)
    appliance.write("/run/credentials/x/backupmx.toml", ANSWERS)
    done = appliance.run("/usr/lib/backupmx/answers", env=["CREDENTIALS_DIRECTORY=/run/credentials/x"])
    assert done.returncode == 0, done.stdout
    assert "petra" in appliance.do("backupmx", "user", "list")
    assert not appliance.there(told)
    answers(appliance)
    assert not appliance.there("/etc/backupmx-answers.toml")
