"""A machine that looks like an appliance to our scripts: this one in a namespace, with the image's files laid over it.

Knows: namespaces, overlay filesystems, and what of the image's files the scripts need.
Does not know: what any script does. Needs root; nothing outside is changed.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
IMAGE = PROJECT / "image"
OVER = ("etc", "usr", "var", "root", "boot")

_BEGIN = """
set -eu
work=$1; shift
# the overlay's upper side must not be an overlay itself
mount -t tmpfs tmpfs "$work"
for each in "$@"; do
  mkdir -p "$work/$each.upper" "$work/$each.work"
  mount -t overlay overlay -o "lowerdir=/$each,upperdir=$work/$each.upper,workdir=$work/$each.work" "/$each"
done
mount -t tmpfs tmpfs /run
ip link set lo up
echo ready
exec cat
"""


class Machine:
    """Runs commands and scripts in it; what they write is gone with it."""

    def __init__(self, place: Path) -> None:
        place.mkdir()
        self._life = subprocess.Popen(
            ["unshare", "--mount", "--net", "--propagation", "private", "bash", "-c", _BEGIN, "machine", place, *OVER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._life.stdout is not None
        assert self._life.stdout.readline() == "ready\n", "no namespaces or no overlay here: these tests need root"
        self.run("cp", "-r", f"{IMAGE}/root/.", "/")

    def close(self) -> None:
        """Switch it off."""
        assert self._life.stdin is not None
        assert self._life.stdout is not None
        self._life.stdin.close()
        self._life.wait()
        self._life.stdout.close()

    @property
    def process(self) -> int:
        """Whose namespaces they are."""
        return self._life.pid

    def run(self, *command: str, given: str | bytes = b"", env: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command in it, and return what it said, all in one; the status is the caller's to judge."""
        inside = ["nsenter", "--target", str(self.process), "--mount", "--net", "env", *env, *command]
        content = given.encode() if isinstance(given, str) else given
        done = subprocess.run(inside, input=content, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=150, check=False)
        return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(errors="replace"))

    def do(self, *command: str, given: str | bytes = b"") -> str:
        """Run a command that must succeed, and return what it said."""
        done = self.run(*command, given=given)
        assert done.returncode == 0, f"{command}: {done.returncode}: {done.stdout}"
        return done.stdout

    def write(self, path: str, content: str | bytes, mode: str = "644") -> None:
        """Put a file in place."""
        self.do("install", "-D", "-m", mode, "/dev/stdin", path, given=content)

    def there(self, path: str) -> bool:
        """Is there such a file?"""
        return self.run("test", "-e", path).returncode == 0

    def install_backupmx(self) -> None:
        """Our program, as the package would install it, and its user."""
        self.do("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/var/lib/backupmx", "backupmx")
        self.do("install", "-d", "-o", "backupmx", "-g", "backupmx", "-m", "750", "/etc/backupmx", "/var/lib/backupmx")
        self.write("/usr/bin/backupmx", f'#!/bin/sh\ncd /\nexec {sys.executable} -P -m backupmx "$@"\n', "755")
