"""A machine in QEMU, with the image as its disk: switched on, cut off in the middle of anything, looked at from outside.

Emulated unless BACKUPMX_QEMU_ACCEL says otherwise (as `kvm`): a machine that can do both may still hang in real mode.
"""

import base64
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.serve.instance import free_port

ACCELERATOR = os.environ.get("BACKUPMX_QEMU_ACCEL", "tcg,thread=multi")
CPU = "Opteron_G3" if ACCELERATOR.startswith("tcg") else "host"
"""The first machines of 64 bits had no more: what was compiled for newer ones ends here, as it would with somebody. And of AMD,
since page tables of the kernel's own (against Meltdown) are slow to emulate."""
PATIENCE = float(os.environ.get("BACKUPMX_IMAGE_PATIENCE", "1"))
"""On a slower machine than ours, or a busy one, more."""
START_S = 400 * PATIENCE
MUCH = 4000
"""Of the console, in the message of a failure."""
HOST = "10.0.2.2"
"""Where the guest finds the loopback of the host."""
UEFI = ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd")


@dataclass(frozen=True, slots=True)
class Doors:
    """Ports of the host that lead to those of the guest."""

    smtp: int
    page: int
    ssh: int


class Machine:
    """One disk, one console, and a process while it is switched on."""

    def __init__(self, place: Path, image: Path, *, uefi: bool = False, disk: str = "8G", iops: int = 0) -> None:
        self.place = place
        self.image = image.resolve()
        self.doors = Doors(free_port(), free_port(), free_port())
        self.console = place / "console.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.seed: Path | None = None
        self.hardware: list[str] = []
        """What else is in it from the next start on, in QEMU's words."""
        self._uefi = uefi
        self._iops = iops
        self._read = 0
        self.console.touch()
        self._disk = place / "disk.qcow2"
        backing = ["-b", str(self.image), "-F", _format(image)]
        _run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(self._disk), disk])
        self._key = place / "key"
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key)])

    def start(self) -> None:
        """Switch it on."""
        assert self.process is None
        log = (self.place / "qemu.log").open("ab")
        self.process = subprocess.Popen(self._command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()

    def cut(self) -> None:
        """Power is gone."""
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def said(self, pattern: str, within: float = START_S) -> re.Match[str]:
        """What comes to stand on the serial console after all that was asked for before."""
        deadline = time.monotonic() + within
        while True:
            # octets as characters, so that lengths are the same
            text = self.console.read_text(encoding="latin-1")
            if found := re.compile(pattern).search(text, self._read):
                self._read = found.end()
                return found
            self._go_on(deadline, pattern)

    def answers(self, holds: Callable[[], bool], what: str, within: float = START_S) -> None:
        """Wait until something outside is as it should be."""
        deadline = time.monotonic() + within
        while not _holds(holds):
            self._go_on(deadline, what)

    def _go_on(self, deadline: float, what: str) -> None:
        """There is still something to wait for."""
        assert self.process and self.process.poll() is None, (self.place / "qemu.log").read_text()
        assert time.monotonic() < deadline, f"not in time: {what}\n{self.console.read_text(errors='replace')[-MUCH:]}"
        time.sleep(0.5)

    def inside(self, script: str, within: float = 60) -> str:
        """What a shell of root in it says, by ssh."""
        return _run(["ssh", *self._secure, "-p", str(self.doors.ssh), "root@127.0.0.1", script], within * PATIENCE)

    def bring(self, directory: str, *files: Path) -> None:
        """Copy files of the host into it, as root."""
        command = [
            "scp",
            *self._secure,
            "-P",
            str(self.doors.ssh),
            *(str(each) for each in files),
            f"root@127.0.0.1:{directory}/",
        ]
        _run(command, 300 * PATIENCE)

    def stick(self, name: str, size: str) -> Path:
        """A disk at USB, empty at first, in it from the next start on."""
        disk = self.place / f"{name}.qcow2"
        _run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), size])
        if not any("xhci" in each for each in self.hardware):
            self.hardware += ["-device", "qemu-xhci"]
        self.hardware += ["-drive", f"file={disk},if=none,id={name},format=qcow2", "-device", f"usb-storage,drive={name}"]
        return disk

    def screen(self) -> None:
        """With a screen and a keyboard from the next start on; `monitor` works both."""
        self.hardware += ["-device", "VGA", "-monitor", f"unix:{self.place}/monitor,server=on,wait=off"]

    def monitor(self, *commands: str) -> None:
        """Give QEMU's monitor commands: `sendkey ret`, `screendump FILE -f png`."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(60)
            line.connect(f"{self.place}/monitor")
            for command in ("", *commands):
                if command:
                    line.sendall(f"{command}\n".encode())
                said = b""
                while not said.endswith(b"(qemu) "):
                    said += line.recv(4096)

    def give(self, **files: str) -> None:
        """A disk with a seed of cloud-init (NoCloud), in it from the next start on."""
        self.seed = self.place / "seed.img"
        self.seed.unlink(missing_ok=True)
        _run(["mkfs.vfat", "-C", "-n", "CIDATA", str(self.seed), "1024"])
        for name, content in files.items():
            file = self.place / name.replace("_", "-")
            file.write_text(content)
            _run(["mcopy", "-i", str(self.seed), str(file), f"::{file.name}"])

    @property
    def public_key(self) -> str:
        """With what we come in."""
        return self._key.with_suffix(".pub").read_text().strip()

    @property
    def _secure(self) -> list[str]:
        hosts = f"UserKnownHostsFile={self.place}/hosts"
        options = ("StrictHostKeyChecking=no", hosts, "BatchMode=yes", "ConnectTimeout=30", "LogLevel=ERROR")
        return ["-i", str(self._key), *(word for each in options for word in ("-o", each))]

    def _command(self) -> Sequence[str]:
        # Writes stay in caches of QEMU and of the host until the guest asks for a flush, as in a disk with a cache of its own:
        # what of qcow2's tables was not flushed is lost with the process. `no-flush=off` is what makes a flush a flush.
        drive = f"file={self._disk},if=none,id=disk,format=qcow2,cache.writeback=on,cache.direct=off,cache.no-flush=off"
        if self._iops:
            drive += f",throttling.iops-total={self._iops}"
        ways = ((self.doors.smtp, 25), (self.doors.page, 80), (self.doors.ssh, 22))
        network = "user,id=net" + "".join(f",hostfwd=tcp:127.0.0.1:{ours}-:{its}" for ours, its in ways)
        credential = f"type=11,value=io.systemd.credential:ssh.authorized_keys.root={self.public_key}"
        command = [*self._board(), "-m", "512", "-smp", "2", "-nodefaults", "-vga", "none", "-display", "none"]
        command += ["-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console"]
        command += ["-drive", drive, "-device", "virtio-blk-pci,drive=disk,write-cache=on"]
        command += ["-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"]
        command += ["-smbios", credential, *self.hardware]
        if self._uefi:
            command += self._firmware()
        if self.seed:
            command += ["-drive", f"file={self.seed},if=virtio,format=raw"]
        return command

    def _board(self) -> list[str]:
        return ["qemu-system-x86_64", "-accel", ACCELERATOR, "-machine", "q35", "-cpu", CPU]

    def _firmware(self) -> list[str]:
        code, variables = UEFI
        own = self.place / "variables.fd"
        if not own.exists():
            shutil.copy(variables, own)
        return ["-drive", f"if=pflash,format=raw,readonly=on,file={code}", "-drive", f"if=pflash,format=raw,file={own}"]


class PiStandIn(Machine):
    """The disk of a Raspberry Pi at a board that QEMU knows: same kernel, initramfs and root, but not its firmware."""

    BOOT_AT = "4M"
    """Where the FAT partition begins."""
    CREDENTIAL = "systemd.set_credential_binary=ssh.authorized_keys.root"

    def _board(self) -> list[str]:
        kernel, initramfs = self.place / "vmlinuz", self.place / "initrd.img"
        if not initramfs.exists():
            self._take_out(kernel, initramfs)
        # without UEFI there are no tables to give a credential in
        key = base64.b64encode(self.public_key.encode()).decode()
        line = f"root=LABEL=root ro quiet panic=10 fsck.repair=yes console=ttyAMA0 {self.CREDENTIAL}:{key}"
        machine = ["-accel", "tcg,thread=multi", "-machine", "virt", "-cpu", "cortex-a53"]
        return ["qemu-system-aarch64", *machine, "-kernel", str(kernel), "-initrd", str(initramfs), "-append", line]

    def _take_out(self, *wanted: Path) -> None:
        """The newest of each, from the FAT partition of the image."""
        raw = self.place / "disk.raw"
        _run(["qemu-img", "convert", "-O", "raw", str(self.image), str(raw)], 300)
        fat = ["-i", f"{raw}@@{self.BOOT_AT}"]
        listed = _run(["mdir", "-b", *fat, "::"]).split()
        for file in wanted:
            found = sorted(each for each in listed if each.startswith(f"::/{file.name}"))
            assert found, f"no {file.name} among {listed}"
            _run(["mcopy", *fat, found[-1], str(file)])
        raw.unlink()


def _format(image: Path) -> str:
    return "qcow2" if image.suffix == ".qcow2" else "raw"


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except (OSError, EOFError):
        return False


def _run(command: Sequence[str], within: float = 60) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=within, check=False)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
