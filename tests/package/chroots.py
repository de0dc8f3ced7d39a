"""Debian 12 and 13 in a directory each, made once, to install packages in: what a test writes is laid over it, and gone with it.

Without systemd as the first process; with a network of its own, in which nobody else has port 25.
"""

import fcntl
import os
import subprocess
import time
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "backupmx-chroots"
"""Beside that of the image, so that a fresh clone has it too."""
KEPT = timedelta(days=7)
"""Then it is made anew: so long Debian's updates can wait for the tests."""
MIRROR = os.environ.get("MIRROR", "http://deb.debian.org/debian")
SUITES = ("bookworm", "trixie")
INCLUDED = ("python3", "ca-certificates", "tzdata", "systemd", "iproute2", "dbus")
"""What our package depends on, so that a test needs no network; and what tests use."""
PREPARED = "ip link set lo up; mount -t tmpfs tmpfs /dev/shm; "


class Chroot:
    """One of them."""

    def __init__(self, around: Path, suite: str) -> None:
        self._around = around
        # the overlay's upper side must not be an overlay itself
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", around], check=True)
        self.place, over, work = (around / each for each in ("root", "over", "work"))
        for each in (self.place, over, work):
            each.mkdir()
        layers = f"lowerdir={_debian(suite)},upperdir={over},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", self.place], check=True)

    def close(self) -> None:
        """All that was written is gone."""
        for each in (self.place, self._around):
            subprocess.run(["umount", each], check=True)

    def run(self, script: str, *, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """A shell script in there, as root; all that it starts is gone with it."""
        inside = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child", f"--mount-proc={self.place}/proc"]
        done = subprocess.run(
            [*inside, "chroot", self.place, "/bin/sh", "-c", PREPARED + script],
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND": "noninteractive",
                "LC_ALL": "C.UTF-8",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout
        return done

    def copy(self, file: Path, name: str) -> None:
        """Into it."""
        (self.place / name.lstrip("/")).write_bytes(file.read_bytes())


def _debian(suite: str) -> Path:
    made = CACHE / suite
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists() or time.time() - made.stat().st_mtime > KEPT.total_seconds():
            draft = CACHE / f"{suite}.draft"
            for old in (made, draft):
                subprocess.run(["rm", "-rf", "--one-file-system", old], check=True)
            command = ["mmdebstrap", "--quiet", "--variant=apt", f"--include={','.join(INCLUDED)}", suite, draft, MIRROR]
            subprocess.run(command, check=True)
            draft.touch()
            draft.rename(made)
    return made


def architecture() -> str:
    """Of this machine, as Debian calls it."""
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def built(place: Path, machine: str = "") -> Path:
    """The package of this tree; of another machine's kind if one is named."""
    python = ROOT / ".venv" / "bin" / "python"
    command = [python, ROOT / "image" / "deb" / "build.py", "--arch", machine or architecture(), "--out", place]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(place.glob("*.deb"))


def older(package: Path, place: Path) -> Path:
    """The same with a lower version."""
    tree = place / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    lines = control.read_text().splitlines(keepends=True)
    control.write_text("".join("Version: 0.0.9\n" if line.startswith("Version:") else line for line in lines))
    subprocess.run(["dpkg-deb", "-Znone", "--build", tree, place / "older.deb"], check=True, stdout=subprocess.DEVNULL)
    return place / "older.deb"
