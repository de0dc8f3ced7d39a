"""What becomes of the machine later: updates, good and bad, a larger disk, somebody at the screen; a clock that stands still.

Pictures of the screen are beside its disk: `pytest --basetemp`.
"""

import re
import smtplib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.conftest import newest
from tests.image.machine import HOST, PATIENCE, Machine
from tests.image.test_story import PASSWORD, greets, number
from tests.image.visitor import can_log_in, claim
from tests.serve.instance import Primary

# in the long form alone: each start takes minutes under emulation
pytestmark = [pytest.mark.image, pytest.mark.campaign, pytest.mark.timeout(3600 * PATIENCE)]

SPOOL = "/var/lib/backupmx"
LATER = 1200 * PATIENCE
"""Seconds for what installs a package, or copies a disk."""


def send(machine: Machine, *numbers: int) -> None:
    with smtplib.SMTP("127.0.0.1", machine.doors.smtp, "sender.example", timeout=120) as line:
        for each in numbers:
            content = f"Subject: {each}\r\nMessage-ID: <{each}@sender.example>\r\n\r\nhello\r\n"
            line.sendmail("sender@sender.example", ["someone@example.com"], content)


def version(package: Path, number: str, place: Path, *, broken: bool = False) -> Path:
    """The same package under another number; a broken one has a program that ends at once."""
    tree = place / number
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {number}", control.read_text()))
    if broken:
        program = tree / "opt/backupmx/bin/backupmx"
        assert program.is_file()
        program.write_text("#!/bin/sh\nexit 1\n")
    built = place / f"backupmx_{number}_amd64.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--build", tree, built], check=True, stdout=subprocess.DEVNULL)
    return built


def update(machine: Machine, package: Path) -> str:
    machine.bring("/root", package)
    return machine.inside(f"backupmx-update /root/{package.name} 2>&1; echo status $?; rm /root/{package.name}", LATER)


def own(machine: Machine, primary: Primary) -> None:
    """It is set up."""
    machine.start()
    code = machine.said(r"backupmx: set-up code: (\S+)").group(1)
    claim(machine.doors.page, code, "example.com", f"{HOST}:{primary.port}", PASSWORD)
    machine.answers(lambda: greets(machine.doors.smtp), "EHLO after the set-up")


def given_back(machine: Machine, primary: Primary, *numbers: int) -> None:
    """Once the primary is there."""
    primary.start()
    try:
        arrived: set[int] = set()

        def all_there() -> bool:
            arrived.update(number(content) for _, _, content in list(primary.received))
            return arrived == set(numbers)

        machine.answers(all_there, "all that was taken is delivered")
    finally:
        primary.stop()


def test_years_in_an_hour(image: Path, machines: Callable[..., Machine], tmp_path: Path) -> None:
    machine = machines(image)
    primary = Primary()
    machine.screen()
    machine.stick("usb", "3G")
    own(machine, primary)
    send(machine, 1, 2, 3)

    # a good update, and one whose program does not run
    package = newest("backupmx_*_amd64.deb")
    said = update(machine, version(package, "99.0", tmp_path))
    assert "status 0" in said, said
    machine.answers(lambda: greets(machine.doors.smtp), "EHLO after an update")
    send(machine, 4)
    said = update(machine, version(package, "99.1", tmp_path, broken=True))
    assert "status 2" in said, said
    assert machine.inside("dpkg-query --show --showformat '${Version}' backupmx") == "99.0"
    machine.answers(lambda: greets(machine.doors.smtp), "EHLO after an update that was taken back")
    machine.answers(lambda: can_log_in(machine.doors.page, PASSWORD), "the page, too")
    send(machine, 5)

    # the mail moves to the USB disk
    usb = machine.inside("ls /dev/disk/by-id/usb-*").split()[0]
    moved = machine.inside(f"backupmx-move-spool --yes $(realpath {usb}) 2>&1", LATER)
    print(moved)
    assert machine.inside(f"findmnt -no SOURCE {SPOOL}").startswith("/dev/sd")
    machine.answers(lambda: greets(machine.doors.smtp), "EHLO after the move")
    send(machine, 6)

    # somebody at the screen asks for the menu
    machine.monitor(f"screendump {tmp_path}/state.png -f png", "sendkey ret")
    machine.inside("sleep 20", 60)
    machine.monitor(f"screendump {tmp_path}/menu.png -f png", "sendkey esc")
    print(machine.inside("systemctl --failed --no-legend"))
    given_back(machine, primary, *range(1, 7))


def test_a_clock_that_begins_in_another_year(image: Path, machines: Callable[..., Machine]) -> None:
    """After a power cut its battery is empty, and no time server is there: mail is taken, and what was held is given back."""
    machine = machines(image)
    primary = Primary()
    own(machine, primary)
    send(machine, 1, 2)
    machine.cut()
    machine.hardware += ["-rtc", "base=2001-01-01T00:00:00"]
    machine.start()
    machine.answers(lambda: greets(machine.doors.smtp), "EHLO with a clock that is wrong")
    print(machine.inside("date; backupmx status"))
    send(machine, 3)
    given_back(machine, primary, 1, 2, 3)
