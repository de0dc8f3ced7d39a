"""The image for a Raspberry Pi, as far as it can be seen without one: its kernel and its root on a board that QEMU knows."""

from pathlib import Path

import pytest

from tests.image.conftest import newest
from tests.image.machine import PATIENCE, PiStandIn
from tests.image.test_story import story

pytestmark = [pytest.mark.image, pytest.mark.campaign, pytest.mark.timeout(3600 * PATIENCE)]


def test_the_same_story_on_arm(tmp_path: Path) -> None:
    machine = PiStandIn(tmp_path, newest("backupmx-*-pi.qcow2"))
    try:
        story(machine)
    finally:
        machine.cut()
