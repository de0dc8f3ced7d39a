"""The first start gives the disk to the mail; with power cut before any of its steps, the next start finishes that."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.machine import Machine

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]  # others may have the disks first

GIB = 2**30
STEPS = ("sfdisk", "partx", "resize2fs", "mkfs.ext4", "e2label", "sed", "sync", "mv")
"""What changes something, or comes before what does."""

STEP = """\
#!/bin/bash
# Power is cut before the command with this number.
n=$(($(cat /run/step 2>/dev/null || echo 0) + 1))
echo $n >/run/step
if [ "$n" = "$(cat /run/cut 2>/dev/null)" ]; then
  kill -9 $(cat /run/process)
  exit 137
fi
exec REAL "$@"
"""


class Disk:
    """A disk as it comes from the image, the root partition of which is in use."""

    def __init__(self, machine: Machine, file: Path, size: int) -> None:
        self.machine = machine
        with file.open("wb") as made:
            made.truncate(size)
        # with room before the first one, as on the disk of a Pi
        table = "label: dos\n8192,8192,c\n16384,100MiB,83\n"
        subprocess.run(["sfdisk", "--quiet", file], input=table, text=True, check=True)
        self.device = subprocess.run(
            ["losetup", "--find", "--show", file], capture_output=True, text=True, check=True
        ).stdout.strip()  # fmt: skip
        subprocess.run(["partx", "--add", self.device], check=True)
        machine.do("mkfs.ext4", "-q", "-b", "4096", "-L", "root", f"{self.device}p2", "50M")
        machine.do("mount", f"{self.device}p2", "/mnt")
        machine.write("/etc/fstab", "LABEL=spool     /var/lib/backupmx ext4 noatime 0 2\n")
        # what the script finds out about the machine: our disk is its only one
        machine.write("/usr/local/bin/findmnt", f"#!/bin/sh\necho {self.device}p2\n", "755")
        machine.write("/usr/local/bin/systemctl", "#!/bin/sh\n", "755")
        machine.write("/usr/local/bin/udevadm", "#!/bin/sh\n", "755")

    def close(self) -> None:
        self.machine.run("umount", "/mnt")
        subprocess.run(["partx", "--delete", self.device], check=True)
        subprocess.run(["losetup", "--detach", self.device], check=True)

    def start(self) -> int:
        """Its exit status."""
        return self.machine.run("sh", "-c", "echo $$ >/run/process; exec /usr/lib/backupmx/disk").returncode

    def begin_anew(self) -> None:
        self.machine.do("rm", "-f", "/run/step", "/run/cut")

    @property
    def fstab(self) -> str:
        return self.machine.do("cat", "/etc/fstab")

    def spool(self) -> str:
        """The number of its filesystem."""
        return self.machine.do(
            "blkid", "-c", "/dev/null", "-o", "value", "-s", "UUID", "-t", "LABEL=spool", f"{self.device}p3"
        ).strip()

    def partitions(self) -> list[int]:
        """Their octets, as the table has them."""
        said = subprocess.run(["sfdisk", "--dump", self.device], capture_output=True, text=True, check=True).stdout
        return [512 * int(line.split("size=")[1].split(",")[0]) for line in said.splitlines() if "size=" in line]


@pytest.fixture
def disk(place: Path, machine: Machine) -> Iterator[Disk]:
    found = Disk(machine, place / "disk", 16 * GIB)
    yield found
    found.close()


def test_root_grows_a_little_and_mail_gets_the_rest(disk: Disk) -> None:
    """The partition: whether a mounted filesystem may grow depends on where tests run, and it is not waited for."""
    assert disk.start() == 0
    _, root, spool = disk.partitions()
    assert root == 4 * GIB
    assert spool > 11.9 * GIB
    assert disk.fstab == f"UUID={disk.spool()}     /var/lib/backupmx ext4 noatime 0 2\n"


def test_another_start_changes_nothing(disk: Disk) -> None:
    assert disk.start() == 0
    before = disk.fstab, disk.spool(), disk.partitions()
    assert disk.start() == 0
    assert (disk.fstab, disk.spool(), disk.partitions()) == before


@pytest.mark.slow
def test_power_cut_before_each_step(disk: Disk) -> None:
    """Everything is begun anew for each, on the same disk, until one goes through."""
    for each in STEPS:
        real = disk.machine.do("which", each).strip()
        disk.machine.write(f"/usr/local/bin/{each}", STEP.replace("REAL", real), "755")
    pristine = subprocess.run(["sfdisk", "--dump", disk.device], capture_output=True, text=True, check=True).stdout
    cuts = 0
    while True:
        disk.begin_anew()
        disk.machine.write("/run/cut", str(cuts + 1))
        status = disk.start()
        disk.begin_anew()
        if status == 0:
            break
        cuts += 1
        assert disk.start() == 0, f"after a cut before step {cuts}"
        assert disk.fstab.startswith(f"UUID={disk.spool()} ")
        assert disk.machine.run("e2fsck", "-fn", f"{disk.device}p3").returncode == 0
        # as it came
        disk.machine.do("wipefs", "--quiet", "--all", f"{disk.device}p3")
        disk.machine.write("/etc/fstab", "LABEL=spool     /var/lib/backupmx ext4 noatime 0 2\n")
        subprocess.run(["sfdisk", "--quiet", "--no-reread", "--force", disk.device], input=pristine, text=True, check=True)
        subprocess.run(["partx", "--delete", "--nr", "3", disk.device], check=True)
    assert cuts > len(STEPS)


def test_a_spool_that_was_there_before_is_used(disk: Disk) -> None:
    """Of an image that was written anew over the old one, or of a machine whose card has died."""
    assert disk.start() == 0
    mail = disk.spool()
    disk.machine.write("/etc/fstab", "LABEL=spool     /var/lib/backupmx ext4 noatime 0 2\n")
    subprocess.run(["sfdisk", "--quiet", "--no-reread", "--force", "--delete", disk.device, "3"], check=True)
    subprocess.run(["partx", "--delete", "--nr", "3", disk.device], check=True)
    assert disk.start() == 0
    assert disk.spool() == mail
    assert disk.fstab.startswith(f"UUID={mail} ")


def test_a_disk_that_is_too_small(place: Path, machine: Machine) -> None:
    """Said in words; nothing is changed."""
    disk = Disk(machine, place / "disk", GIB)
    try:
        assert disk.start() == 1
        assert len(disk.partitions()) == 2
        assert "too small" in machine.do("cat", "/run/backupmx-trouble/disk")
        assert disk.fstab.startswith("LABEL=spool ")
    finally:
        disk.close()
