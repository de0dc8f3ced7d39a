"""By UEFI instead of BIOS, and with answers given in advance instead of a browser."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.machine import HOST, PATIENCE, Machine
from tests.image.test_story import greets
from tests.image.visitor import can_log_in

# in the long form alone: each start takes minutes under emulation
pytestmark = [pytest.mark.image, pytest.mark.campaign, pytest.mark.timeout(1200 * PATIENCE)]

PASSWORD = "a password from before"
SEED = """#cloud-config
write_files:
- path: /etc/backupmx-answers.toml
  permissions: "0600"
  content: |
    hostname = "mx2.example.net"

    [domain."example.com"]
    primary = ["{primary}"]

    [setup]
    user = "admin"
    password = "{password}"
"""


def test_answers_from_a_seed_of_cloud_init(image: Path, machines: Callable[..., Machine]) -> None:
    machine = machines(image, uefi=True)
    machine.give(meta_data="instance-id: one\n", user_data=SEED.format(primary=f"{HOST}:25", password=PASSWORD))
    machine.start()
    machine.answers(lambda: greets(machine.doors.smtp), "EHLO, without anybody having done anything")
    machine.answers(lambda: can_log_in(machine.doors.page, PASSWORD), "the admin logs in")
    assert "efi" in machine.inside("ls /sys/firmware")
    # nothing of ours has the password any more, nor has anything that cloud-init keeps
    left = machine.inside(f"grep -rlsF '{PASSWORD}' /etc /var /run /boot /root || true")
    assert not re.sub(r"\s", "", left), left
