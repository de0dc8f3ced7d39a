"""The mail moves to another disk; whenever power is cut, exactly one disk is used afterwards, and it has all mail."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.machine import Machine
from tests.device.test_disk import STEP

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]  # others may have the disks first

STEPS = ("wipefs", "sfdisk", "mkfs.ext4", "mount", "cp", "sync", "umount", "diff", "sed", "mv", "e2label", "systemctl")
SPOOL = "/var/lib/backupmx"

# what systemd does with the mount, and what it is told to do with the server
SYSTEMCTL = f"""\
#!/bin/sh
case "$*" in
  *is-active*) [ "$3" = backupmx.service ] && test -e /run/server ;;
  "stop var-lib"*) umount {SPOOL} ;;
  "start var-lib"*) mount "$(sed -n 's|^\\(UUID=[^ ]*\\) .*|\\1|p' /etc/fstab)" {SPOOL} ;;
  stop*) rm -f /run/server ;;
  start*) mountpoint -q {SPOOL} && touch /run/server ;;
esac
"""


class Disks:
    """The card, and a disk at USB."""

    def __init__(self, machine: Machine, place: Path) -> None:
        self.machine = machine
        self._loops: list[str] = []
        self.card, self.usb = (self._disk(place / name) for name in ("card", "usb"))
        machine.write("/usr/bin/udevadm", "#!/bin/sh\n", "755")
        machine.write("/usr/bin/systemctl", SYSTEMCTL, "755")
        machine.write("/usr/bin/systemd-tmpfiles", "#!/bin/sh\n", "755")
        machine.do("mkdir", "-p", SPOOL)

    def fresh(self) -> None:
        """All mail on the card, and the server runs."""
        do = self.machine.do
        do("mkfs.ext4", "-q", "-F", "-L", "spool", self.card)
        uuid = do("blkid", "-c", "/dev/null", "-o", "value", "-s", "UUID", self.card).strip()
        self.machine.write("/etc/fstab", f"UUID={uuid} {SPOOL} ext4 noatime 0 2\n")
        do("mount", self.card, SPOOL)
        self.machine.write(f"{SPOOL}/data.mdb", b"mail" * 100_000)
        self.machine.write(f"{SPOOL}/chunks/one", b"content")
        do("touch", "/run/server")

    def cut(self) -> None:
        """Power is gone, and comes back: what is mounted is not, and what /etc/fstab names is."""
        self.machine.run("umount", "/run/backupmx-new-spool")
        self.machine.run("umount", SPOOL)
        self.machine.do("rm", "-f", "/run/server", "/run/step", "/run/cut")
        self.machine.do("/usr/lib/backupmx/disk")
        self.machine.do("systemctl", "start", "var-lib-backupmx.mount")

    @property
    def used(self) -> str:
        """The disk that is mounted, with all mail."""
        assert self.machine.do("cat", f"{SPOOL}/data.mdb") == "mail" * 100_000
        assert self.machine.do("cat", f"{SPOOL}/chunks/one") == "content"
        source = self.machine.do("findmnt", "--noheadings", "--output", "SOURCE", SPOOL).strip()
        labelled = self.machine.do("blkid", "-c", "/dev/null", "-o", "device", "-t", "LABEL=spool").split()
        assert labelled == [source], "and nobody could take another one for it"
        return source

    def close(self) -> None:
        for each in ("/run/backupmx-new-spool", SPOOL):
            self.machine.run("umount", each)
        for each in self._loops:
            subprocess.run(["partx", "--delete", each], check=False, capture_output=True)
            subprocess.run(["losetup", "--detach", each], check=True)

    def _disk(self, file: Path) -> str:
        with file.open("wb") as made:
            made.truncate(512 * 2**20)
        told = subprocess.run(["losetup", "--find", "--show", file], capture_output=True, text=True, check=True).stdout
        self._loops.append(told.strip())
        return self._loops[-1]


@pytest.fixture
def disks(place: Path, machine: Machine) -> Iterator[Disks]:
    found = Disks(machine, place)
    found.fresh()
    yield found
    found.close()


def test_the_mail_is_on_the_other_disk_and_the_server_runs(disks: Disks) -> None:
    assert disks.used == disks.card
    disks.machine.do("backupmx-move-spool", "--yes", disks.usb)
    assert disks.used == f"{disks.usb}p1"
    assert disks.machine.there("/run/server")
    disks.cut()
    assert disks.used == f"{disks.usb}p1"


def test_nothing_without_a_yes_and_no_disk_that_is_used(disks: Disks) -> None:
    for device, answer in ((disks.usb, "no\n"), (disks.card, "yes\n"), ("/dev/null", "yes\n"), ("/nowhere", "yes\n")):
        assert disks.machine.run("backupmx-move-spool", device, given=answer).returncode == 1
    assert disks.used == disks.card
    assert disks.machine.there("/run/server")


def test_a_copy_that_is_not_the_same_is_not_used(disks: Disks) -> None:
    """And the server runs again where it was."""
    disks.machine.write("/usr/local/bin/cp", '#!/bin/sh\n/bin/cp "$@" && truncate -s 5 /run/backupmx-new-spool/data.mdb\n', "755")
    done = disks.machine.run("backupmx-move-spool", "--yes", disks.usb)
    assert (done.returncode, "differs" in done.stdout) == (1, True), done.stdout
    assert disks.used == disks.card
    assert disks.machine.there("/run/server")


@pytest.mark.slow
def test_power_cut_before_each_step(disks: Disks) -> None:
    for each in STEPS:
        real = disks.machine.do("which", each).strip()
        disks.machine.write(f"/usr/local/bin/{each}", STEP.replace("REAL", real), "755")
    cuts, before, after = 0, 0, 0
    while True:
        disks.machine.do("rm", "-f", "/run/step")
        disks.machine.write("/run/cut", str(cuts + 1))
        status = disks.machine.run("sh", "-c", f"echo $$ >/run/process; exec backupmx-move-spool --yes {disks.usb}").returncode
        if status == 0:
            break
        disks.cut()
        cuts += 1
        if disks.used == disks.card:
            before += 1
        else:
            after += 1
            disks.machine.do("umount", SPOOL)
            disks.fresh()
        disks.machine.do("touch", "/run/server")
        disks.machine.run("wipefs", "--quiet", "--all", f"{disks.usb}p1")
    assert before > 5
    assert after > 2
