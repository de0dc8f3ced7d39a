"""What can be told of this machine: versions, memory, disks, units.

Knows: where Debian and the kernel tell it.
Does not know: mail, configuration.
"""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from backupmx import __version__

PACKAGES = (
    *("backupmx", "python3", "systemd", "openssl", "ca-certificates", "unbound", "chrony", "nftables", "unattended-upgrades"),
    *(
        "watchdog",
        "avahi-daemon",
        "cloud-init",
        "linux-image*",
        "raspi-firmware",
        "postfix",
        "exim4-daemon-light",
        "sendmail-bin",
    ),
)
"""Of Debian: ours, what we lean on, and what could be in our way."""
UNITS = "backupmx*"
LINES = 5000
"""Of the journal."""
PATIENCE_S = 30
COMMANDS = ("serve", "web", "setup", "backup", "restore", "check", "support-bundle")


def about() -> Iterator[str]:
    """Versions."""
    yield f"Backup MX {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield f"Python {sys.version.split()[0]} at {sys.executable}"
    yield f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} processors"
    for name in ("PRETTY_NAME", "VERSION"):
        if said := _os_release().get(name):
            yield f"{name}: {said}"
    model = Path("/proc/device-tree/model")
    if model.exists():
        yield model.read_text(errors="replace").rstrip("\0\n")
    yield from _file("/proc/loadavg")
    yield from _file("/proc/meminfo", "Mem", "Swap")
    yield ""
    yield from _run("dpkg-query", "-W", "-f", "${binary:Package} ${Version} ${db:Status-Status}\n", *PACKAGES)
    yield ""
    yield from sorted(f"{each.name} {each.version}" for each in importlib.metadata.distributions())


def processes() -> Iterator[str]:
    """Ours, and the memory that each takes."""
    for place in sorted(Path("/proc").glob("[0-9]*"), key=lambda each: int(each.name)):
        try:
            words = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if not any(word == "backupmx" or word.endswith("/backupmx") for word in words[:5]):
                continue
            status = dict(line.partition(":")[::2] for line in (place / "status").read_text().splitlines())
        except OSError:
            continue
        command = next((word for word in words if word in COMMANDS), "other")
        some = {key: status.get(key, "?").strip() for key in ("PPid", "Uid", "Threads", "VmRSS", "RssAnon", "VmSwap")}
        yield f"pid {place.name} {command}: " + ", ".join(f"{key} {value}" for key, value in some.items())


def disks(spool: Path, directory: Path) -> Iterator[str]:
    """How full they are, and what is in the spool's directory."""
    for place in (spool, directory, Path("/")):
        try:
            usage, inodes = shutil.disk_usage(place), os.statvfs(place)
            yield f"{place}: {usage.total} octets, {usage.free} free; inodes: {inodes.f_files}, {inodes.f_favail} free"
        except OSError as error:
            yield f"{place}: {error.strerror}"
    yield from _run("findmnt", "-n", "-o", "TARGET,FSTYPE,OPTIONS", "--target", str(spool))
    yield ""
    try:
        for file in sorted(spool.iterdir()):
            found = file.lstat()
            when = datetime.fromtimestamp(found.st_mtime, UTC)
            yield f"{found.st_mode:o} {found.st_uid}:{found.st_gid} {found.st_size} {when:%Y-%m-%dT%H:%M:%SZ} {file.name}"
    except OSError as error:
        yield f"{spool}: {error.strerror}"


def units() -> Iterator[str]:
    """How systemd sees ours."""
    names = "Id,ActiveState,SubState,Result,NRestarts,ExecMainStatus,ExecMainCode,MemoryCurrent,MemoryPeak,TasksCurrent"
    yield from _run("systemctl", "show", "--all", "-p", names, UNITS)
    yield from _run("systemctl", "list-timers", "--all", "--no-pager", UNITS)


def journal() -> Sequence[str]:
    """The newest lines of ours; none where there is no journal."""
    return list(_run("journalctl", "-u", UNITS, "-n", str(LINES), "--no-pager", "-o", "short-iso", "-q"))


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _file(name: str, *beginnings: str) -> Iterator[str]:
    try:
        lines = Path(name).read_text().splitlines()
    except OSError:
        return
    yield from (f"{name}: {line}" for line in lines if not beginnings or line.startswith(beginnings))


def _run(*command: str) -> Iterator[str]:
    """What a command says, if there is one."""
    try:
        done = subprocess.run(  # noqa: S603 - commands of our own
            command, capture_output=True, timeout=PATIENCE_S, check=False, stdin=subprocess.DEVNULL, errors="replace", text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield f"{command[0]}: {type(error).__name__}"
        return
    yield from done.stdout.splitlines()
