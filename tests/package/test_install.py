"""The package in Debian 12 and 13: comes, serves, is upgraded, goes; and never takes mail along."""

from pathlib import Path

import pytest

from tests.package.chroots import Chroot

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

CONFIGURATION = """# ours
hostname = "mx2.test"
reserve = "1 MiB"
[smtp]
listen = ["127.0.0.1:2525"]
[domain."example.com"]
primary = ["127.0.0.1:1"]
"""
SERVE = """
setpriv --reuid=backupmx --regid=backupmx --init-groups backupmx serve 2>/tmp/log & server=$!
i=0; until grep -q 'backupmx: ready' /tmp/log; do i=$((i + 1)); [ $i -lt 300 ] || { cat /tmp/log; exit 1; }; sleep 0.1; done
"""
STOP = """
kill $server; wait $server
"""
SEND = """
python3 -c 'import smtplib
with smtplib.SMTP("127.0.0.1", 2525) as client: client.sendmail("a@sender.test", ["user@example.com"], "Subject: x")'
"""
WAITING = """
backupmx status --json | grep -q '"messages": *1' || { backupmx status --json; exit 1; }
"""
LISTENER = """
python3 -c 'import socket, time
open("/proc/self/comm", "w").write("exim4")
taken = socket.create_server(("0.0.0.0", 25))
open("/tmp/taken", "w").close()
time.sleep(300)' &
i=0; until [ -e /tmp/taken ] || [ $i = 100 ]; do i=$((i + 1)); sleep 0.1; done
"""


def install(debian: Chroot, package: Path, before: str = "", after: str = "") -> str:
    """As an admin does; what it said."""
    debian.copy(package, "/tmp/backupmx.deb")
    return debian.run(f"{before} apt-get -q -y install /tmp/backupmx.deb 2>&1 || exit 1; {after}").stdout


def configure(debian: Chroot) -> None:
    """As root, in an editor."""
    path = debian.place / "etc/backupmx/backupmx.toml"
    path.write_text(CONFIGURATION)
    debian.run("chown backupmx:backupmx /etc/backupmx/backupmx.toml; chmod 0640 /etc/backupmx/backupmx.toml")


def test_it_comes_works_is_upgraded_and_goes(debian: Chroot, package: Path, previous: Path) -> None:
    """Mail and configuration outlive every step; only purging an empty spool leaves nothing."""
    said = install(debian, previous, after="backupmx --version; backupmx demo --once")
    assert "Nothing was lost, nothing was altered." in said
    assert 'with the code that "backupmx setup code" prints' in said
    assert "Warning" not in said and "Traceback" not in said

    configure(debian)
    debian.run(f"backupmx check; {SERVE} {SEND} {WAITING} {STOP}")

    # a newer one
    said = install(debian, package, after=f"dpkg -s backupmx | grep Status; {SERVE} {WAITING} {STOP}")
    assert "install ok installed" in said
    assert "setup code" not in said, "it is set up"
    assert (debian.place / "etc/backupmx/backupmx.toml").read_text() == CONFIGURATION

    # gone, and what is people's stays
    debian.run("apt-get -q -y remove backupmx")
    assert not (debian.place / "opt/backupmx").exists(), "nothing that was compiled is left"
    assert (debian.place / "etc/backupmx/backupmx.toml").read_text() == CONFIGURATION
    assert (debian.place / "var/lib/backupmx/left-behind").read_text() == "1\n"

    # purged with mail: told, and kept
    said = debian.run("apt-get -q -y purge backupmx").stdout
    assert "there may be mail in /var/lib/backupmx" in said
    assert not (debian.place / "etc/backupmx").exists()
    assert (debian.place / "var/lib/backupmx/data.mdb").exists()

    # back again, with the mail
    install(debian, package)
    configure(debian)
    debian.run(f"{SERVE} {WAITING} backupmx queue delete --yes --all || exit 1; {STOP}")
    debian.run("apt-get -q -y purge backupmx")
    assert not (debian.place / "var/lib/backupmx").exists()
    assert not (debian.place / "opt/backupmx").exists()


def test_port_25_is_somebody_elses(debian: Chroot, package: Path) -> None:
    """The package is there whole, says who has the port and what to do, and does not fight for it at the next start."""
    said = install(debian, package, before=LISTENER, after="dpkg -s backupmx | grep Status")
    assert "install ok installed" in said
    assert "port 25 is held by exim4 (process " in said
    assert "systemctl enable --now backupmx.socket" in said
    links = debian.place / "etc/systemd/system"
    assert not (links / "sockets.target.wants/backupmx.socket").is_symlink()
    assert not (links / "multi-user.target.wants/backupmx.service").is_symlink()
    assert (links / "sockets.target.wants/backupmx-web.socket").is_symlink()
    debian.run("systemctl enable backupmx.socket")
    assert (links / "sockets.target.wants/backupmx.socket").is_symlink()
    assert (links / "multi-user.target.wants/backupmx.service").is_symlink()


def test_units_are_sound_and_closed(debian: Chroot, package: Path) -> None:
    """By the systemd of each Debian; the two that have to do with the network more than strangers' octets pay 0.5 for it."""
    units = "backupmx.socket backupmx.service backupmx-web.socket backupmx-web.service backupmx-setup.service "
    units += "backupmx-backup.service backupmx-backup.timer"
    said = install(debian, package, after=f"echo VERIFIED; systemd-analyze verify --man=no {units} 2>&1").partition("VERIFIED")[2]
    assert not [line for line in said.splitlines() if "backupmx" in line], said
    for unit in units.split():
        if unit.endswith(".service"):
            # the threshold is in tenths
            debian.run(f"systemd-analyze security --offline=true --no-pager --threshold=15 /usr/lib/systemd/system/{unit}")


def test_a_full_disk_leaves_nothing_half_compiled(debian: Chroot, package: Path) -> None:
    """What cannot be compiled whole is not there, and the program runs without."""
    small = "mount -t tmpfs -o size=2m none /mnt; mkdir /mnt/modules; cp /opt/backupmx/lib/bytecode.py /mnt/; "
    small += "tar -C /opt/backupmx/lib/modules --exclude=__pycache__ -c rich | tar -C /mnt/modules -x; "
    said = install(debian, package, after=small + "python3 -I /mnt/bytecode.py make; echo; find /mnt -name '*.pyc*' | wc -l")
    assert "nothing is compiled, it starts more slowly: " in said
    assert said.splitlines()[-1] == "0"
