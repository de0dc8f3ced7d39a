"""This machine: its clock, the disk under the spool, the way out and the way in; and whom its domains are known to have."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backupmx.checks import clock, disk, port25, recipients
from backupmx.checks.disk import System
from backupmx.checks.port25 import Came
from backupmx.config import Domain
from backupmx.core.belief import Acquaintance
from backupmx.core.finding import Finding, Level
from tests.checks.zone import HOSTNAME, check_words

ODD, BAD, GOOD, UNKNOWN = Level.ODD, Level.BAD, Level.GOOD, Level.UNKNOWN
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


# The clock


def test_a_clock_before_the_program_is_wrong(tmp_path: Path) -> None:
    """A board without a battery begins in another year."""
    found = clock.look(NOW, built=NOW + timedelta(days=2), mark=tmp_path)
    assert found.level is BAD
    assert "this program is from 2026-11-25" in found.said
    assert "`timedatectl set-ntp true`" in found.mend


def test_the_program_s_own_age_is_that_of_its_files(tmp_path: Path) -> None:
    """They are here now."""
    assert clock.look(datetime.now(UTC), mark=tmp_path).level is GOOD
    assert clock.look(datetime(1970, 1, 1, tzinfo=UTC), mark=tmp_path).level is BAD


@pytest.mark.parametrize(
    ("script", "level"),
    [
        ("echo yes", GOOD),
        ("echo no", ODD),
        ("echo yes; exit 1", UNKNOWN),
        ("echo 'Failed to connect' >&2", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_whether_the_network_sets_it(script: str | None, level: Level, tmp_path: Path) -> None:
    """As the system says; what cannot be asked is not known."""
    ask = ("/bin/sh", "-c", script) if script else (str(tmp_path / "nothing"),)
    found = clock.look(NOW, built=NOW, mark=tmp_path / "synchronized", ask=ask)
    check_words([found])
    assert found.level is level
    (tmp_path / "synchronized").touch()
    assert clock.look(NOW, built=NOW, mark=tmp_path / "synchronized", ask=ask).level is GOOD


# The disk


class Machine:
    """A list of mounts and of devices as Linux shows them, for a spool that is really there."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.spool = place / "spool"
        self.spool.mkdir(mode=0o700)
        self.system = System(place / "mountinfo", place / "devices")
        self.mounts(("/", "ext4", "8:1"))

    def mounts(self, *each: tuple[str, str, str]) -> None:
        lines = (f"{n} 1 {device} / {point} rw - {kind} /dev/x rw" for n, (point, kind, device) in enumerate(each, 20))
        self.system.mounts.write_text("\n".join(lines) + "\n")

    def look(self, reserve: int = 0, spool: Path | None = None) -> dict[str, Finding]:
        """By topic, the gravest last."""
        found = disk.look(spool or self.spool, reserve, self.system)
        check_words(found)
        return {finding.topic: finding for finding in sorted(found, key=lambda each: [GOOD, UNKNOWN, ODD, BAD].index(each.level))}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_all_is_well_with_a_disk_of_this_machine(machine: Machine) -> None:
    """Disk, room, directory."""
    assert {topic: finding.level for topic, finding in machine.look().items()} == {"disk": GOOD, "room": GOOD, "spool": GOOD}


@pytest.mark.parametrize(
    ("kind", "level", "said"),
    [
        ("tmpfs", BAD, "gone with the power"),
        ("overlay", BAD, "made anew"),
        ("nfs4", BAD, "another machine"),
        ("xfs", GOOD, "lasts"),
    ],
)
def test_the_kind_of_its_file_system(machine: Machine, kind: str, level: Level, said: str) -> None:
    """Of the nearest mount above it, and the last one there."""
    place = str(machine.place).replace(" ", "\\040")
    machine.mounts(("/", "ext4", "8:1"), (place, "ext3", "8:2"), (place, kind, "8:3"), (f"{place}/spool2", "tmpfs", "0:9"))
    found = machine.look()["disk"]
    assert found.level is level
    assert said in found.said


def test_a_mount_with_a_space_in_its_name(tmp_path: Path) -> None:
    """Linux writes it in octal."""
    place = tmp_path / "my disk"
    place.mkdir()
    machine = Machine(place)
    machine.mounts(("/", "ext4", "8:1"), (str(place).replace(" ", "\\040"), "tmpfs", "0:44"))
    assert machine.look()["disk"].level is BAD


@pytest.mark.parametrize(("kind", "level"), [("SD", ODD), ("MMC", GOOD)])
def test_a_memory_card_wears_out(machine: Machine, kind: str, level: Level) -> None:
    """What is soldered to the board does not count as one."""
    card = machine.place / "sys" / "mmcblk0"
    (card / "mmcblk0p2").mkdir(parents=True)
    (card / "device").mkdir()
    (card / "device" / "type").write_text(f"{kind}\n")
    machine.system.devices.mkdir()
    (machine.system.devices / "179:2").symlink_to(card / "mmcblk0p2")
    machine.mounts(("/", "ext4", "179:2"))
    assert machine.look()["disk"].level is level


def test_room_is_what_the_reserve_leaves(machine: Machine) -> None:
    """As for mail itself."""
    free = disk.shutil.disk_usage(machine.spool).free
    assert machine.look(reserve=2**60)["room"].level is BAD
    found = machine.look(reserve=free - 100 * 2**20)["room"]
    assert found.level is ODD
    assert "are left for mail" in found.said


def test_others_must_not_look_into_it(machine: Machine) -> None:
    """Mail is private."""
    machine.spool.chmod(0o755)
    found = machine.look()["spool"]
    assert found.level is ODD
    assert f"`chmod 0700 {machine.spool}`" in found.mend


def test_a_spool_that_is_not_made_yet_or_is_a_file(machine: Machine) -> None:
    """Its place is looked at all the same."""
    found = machine.look(spool=machine.place / "later" / "spool")
    assert {topic: each.level for topic, each in found.items()} == {"disk": GOOD, "room": GOOD}
    (machine.place / "file").touch()
    assert machine.look(spool=machine.place / "file")["spool"].level is BAD


def test_a_system_that_does_not_tell(machine: Machine) -> None:
    """Not known; nothing raises."""
    machine.system.mounts.write_text("rubbish\n - \n1 2 3 - x\n")
    assert machine.look()["disk"].level is UNKNOWN
    machine.system.mounts.unlink()
    assert machine.look()["spool"].level is UNKNOWN


def test_this_very_machine_s_list_can_be_read(tmp_path: Path) -> None:
    """As it is here."""
    (tmp_path / "spool").mkdir(mode=0o700)
    assert {finding.topic for finding in disk.look(tmp_path / "spool", 0)} == {"disk", "room", "spool"}


# The way out, and the way in


@contextmanager
def listening(ip: str, port: int = 0, *, full: bool = False) -> Iterator[int]:
    """Somebody at this address; `full`: who does not answer any more."""
    listener = socket.socket()
    others = []
    try:
        listener.bind((ip, port))
        listener.listen(0 if full else 16)
        port = listener.getsockname()[1]
        for _ in range(2 if full else 0):
            # the kernel takes one more than are allowed to wait, and then is silent
            other = socket.socket()
            other.setblocking(False)
            other.connect_ex((ip, port))
            others.append(other)
        yield port
    finally:
        for each in (listener, *others):
            each.close()


async def outward(port: int, *ips: str, needed: bool = True) -> Finding:
    found = await port25.outward(None, ips, needed=needed, port=port, within=0.3)
    check_words([found])
    return found


async def test_the_way_out_is_open_where_anybody_says_anything() -> None:
    """A no is an answer too; one that is silent proves nothing then."""
    with listening("127.0.0.2") as port:
        assert (await outward(port, "127.0.0.2")).level is GOOD
        assert (await outward(port, "127.0.0.3")).level is GOOD
        with listening("127.0.0.4", port, full=True):
            found = await outward(port, "127.0.0.4", "127.0.0.2")
            assert (found.level, found.said) == (GOOD, "the way out is open: 127.0.0.2 answers")


@pytest.mark.parametrize(("needed", "level"), [(True, BAD), (False, ODD)])
async def test_it_may_be_closed_where_nobody_says_anything(needed: bool, level: Level) -> None:
    """Either they are all off, or the provider is in the way; a primary at another port has its mail all the same."""
    with listening("127.0.0.2", full=True) as port:
        found = await outward(port, "127.0.0.2", needed=needed)
    assert found.level is level
    assert found.said.startswith("no answer at port 25 of 127.0.0.2")
    assert "provider" in found.mend
    assert "primary_user" in found.mend


async def test_nobody_to_try_it_with() -> None:
    """Strangers are never tried; whoever answered already need not be."""
    assert (await outward(9)).level is UNKNOWN
    assert (await port25.outward("192.0.2.7", (), needed=True)).said == "the way out is open: 192.0.2.7 answers"


@pytest.mark.parametrize(
    ("came", "level"),
    [
        (None, UNKNOWN),
        (Came("198.51.100.7", NOW - timedelta(hours=2)), GOOD),
        (Came("198.51.100.7", NOW - timedelta(days=8)), UNKNOWN),
        (Came("10.0.0.7", NOW - timedelta(hours=2)), UNKNOWN),
        (Came("127.0.0.1", NOW - timedelta(hours=2)), UNKNOWN),
    ],
)
def test_mail_from_outside_proves_the_way_in(came: Came | None, level: Level) -> None:
    """Nothing else can be seen from here."""
    found = port25.inward(HOSTNAME, came, NOW)
    check_words([found])
    assert found.level is level
    assert level is GOOD or f"`nc -vz {HOSTNAME} 25`" in found.mend


# Recipients


@pytest.mark.parametrize(
    ("policy", "known", "level", "mend"),
    [
        ({}, None, UNKNOWN, "`backupmx serve`"),
        ({}, Acquaintance(), ODD, "`backupmx recipients import FILE`"),
        ({}, Acquaintance(known=12), GOOD, ""),
        ({}, Acquaintance(listed=12), GOOD, ""),
        ({}, Acquaintance(listed=200, waiting=150, lost=60), ODD, "`backupmx recipients approve example.com`"),
        ({"when_unknown": "defer"}, Acquaintance(), BAD, "`backupmx recipients import FILE`"),
        ({"when_unknown": "accept"}, Acquaintance(), ODD, "`backupmx recipients import FILE`"),
        ({"recipients": "list"}, Acquaintance(known=12), BAD, "`backupmx recipients import FILE`"),
        ({"recipients": "list"}, Acquaintance(listed=1), GOOD, ""),
        ({"recipients": "any"}, None, GOOD, ""),
    ],
)
def test_who_is_known_to_exist(policy: dict[str, Any], known: Acquaintance | None, level: Level, mend: str) -> None:
    """As much as the domain's policy needs."""
    found = recipients.look("example.com", Domain(**policy), known)
    check_words([found])
    assert found.level is level
    assert mend in found.mend
