"""The image on a slow card, emulated: how fast it takes mail, beside Postfix in the same machine on the same disk.

python -m tests.bench.board [--iops 100] [--bytes 4096] [--sessions 50] [--seconds 60] [--rounds 3]

Needs `make image`, QEMU, smtp-source, and Debian's mirror for Postfix. Both sides take mail through port 25, in turn, sent by
smtp-source from outside. Postfix has its queue on the root partition of the same disk.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tests.bench.peers import PEERS
from tests.image.conftest import newest
from tests.image.machine import Machine
from tests.image.visitor import claim

MIRROR = os.environ.get("MIRROR", "http://deb.debian.org/debian")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
BATCH = 50
"""Messages to begin with: after them it is known how many fill the time."""
MOST = 1000
QUEUE = "/var/lib/postfix-peer"
OURS = "systemctl stop postfix-peer; systemctl start backupmx.socket backupmx.service"
THEIRS = "systemctl stop backupmx.socket backupmx.service; systemctl start postfix-peer"
UNIT = f"""[Service]
Type=forking
ExecStart=/usr/local/bin/postfix-backup start {QUEUE} 25 9
ExecStop=/usr/local/bin/postfix-backup stop {QUEUE}
"""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--iops", type=int, default=100)
    asked.add_argument("--bytes", type=int, default=4096)
    asked.add_argument("--sessions", type=int, default=50)
    asked.add_argument("--seconds", type=int, default=60, help="how long each side takes mail in a round")
    asked.add_argument("--rounds", type=int, default=3)
    wish = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="backupmx-board-") as place:
        machine = Machine(Path(place), newest("backupmx-*-amd64.qcow2"), iops=wish.iops)
        machine.start()
        try:
            compare(machine, wish)
        except subprocess.CalledProcessError:
            print(machine.inside("journalctl --no-pager --lines=100", 300))
            raise
        finally:
            machine.cut()


def compare(machine: Machine, wish: argparse.Namespace) -> None:
    """Both sides in turn; nobody is there to give the mail to."""
    code = machine.said(r"backupmx: set-up code: (\S+)").group(1)
    claim(machine.doors.page, code, "example.com", "10.0.2.2:9", "correct horse battery staple")
    machine.said(r"backupmx: state: takes mail")
    # all senders have one address here, and there are many for a moment when sessions follow each other
    machine.inside(f"printf '\\n[smtp]\\nmax_connections_per_client = {MOST}\\n' >>/etc/backupmx/backupmx.toml")
    machine.inside("systemctl restart backupmx.service", 300)
    give_postfix(machine)
    print(
        f"accept in the machine: {wish.sessions} sessions of {wish.bytes} bytes, the disk takes {wish.iops} requests a second",
        flush=True,
    )
    ratios = []
    for _ in range(wish.rounds):
        ours, theirs = taken(machine, OURS, wish), taken(machine, THEIRS, wish)
        ratios.append(ours / theirs)
        print(f"ours {ours:.1f}/s, Postfix {theirs:.1f}/s, ratio {ours / theirs:.1f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.1f}")


def taken(machine: Machine, turn: str, wish: argparse.Namespace) -> float:
    """Messages a second of one side."""
    machine.inside(turn, within=300)
    time.sleep(5)
    pilot = sent(machine, BATCH, wish)
    return sent(machine, max(BATCH, int(pilot * wish.seconds)), wish)


def sent(machine: Machine, messages: int, wish: argparse.Namespace) -> float:
    """Messages a second of these many."""
    began = time.monotonic()
    command = ["smtp-source", "-s", str(wish.sessions), "-l", str(wish.bytes), "-m", str(messages), "-f", "sender@sender.test"]
    command += ["-t", "user@example.com", "-M", "client.test", f"127.0.0.1:{machine.doors.smtp}"]
    subprocess.run(command, check=True, timeout=1800)
    return messages / (time.monotonic() - began)


def give_postfix(machine: Machine) -> None:
    """Debian's package and all that it needs, fetched here for what is installed there."""
    packages = machine.place / "packages"
    for each in ("lists/partial", "archives/partial"):
        (packages / each).mkdir(parents=True)
    (packages / "status").write_text(machine.inside("cat /var/lib/dpkg/status"))
    (packages / "sources").write_text(f"deb [signed-by={KEYRING}] {MIRROR} trixie main\n")
    options = {
        "Dir::Etc::SourceList": packages / "sources",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": packages / "lists",
        "Dir::State::status": packages / "status",
        "Dir::Cache::archives": packages / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
    }
    apt = ["apt-get", "-qq", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "--yes", "--download-only", "install", "postfix"], check=True, stdout=subprocess.DEVNULL)
    machine.bring("/root", *(packages / "archives").glob("*.deb"))
    script = packages / "postfix-backup"
    # for the world outside of the machine, as ours
    peer = (PEERS / "postfix-backup").read_text()
    script.write_text(
        peer.replace("127.0.0.1:$port inet", "$port inet").replace("inet_interfaces = 127.0.0.1", "inet_interfaces = all")
    )
    script.chmod(0o755)
    unit = packages / "postfix-peer.service"
    unit.write_text(UNIT)
    machine.bring("/usr/local/bin", script)
    machine.bring("/etc/systemd/system", unit)
    quiet = "echo postfix postfix/main_mailer_type select No configuration | debconf-set-selections"
    machine.inside(f"{quiet}; DEBIAN_FRONTEND=noninteractive dpkg -i /root/*.deb; systemctl disable --now postfix", within=900)
    machine.inside("systemctl daemon-reload")


if __name__ == "__main__":
    main()
