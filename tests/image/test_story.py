"""The proof: from a disk just written to a power cut in the middle of mail, and all of it delivered.

One machine for the whole story, since each start takes its time under emulation. Figures are printed: `pytest -s`.
"""

import re
import smtplib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.machine import HOST, PATIENCE, START_S, Machine
from tests.image.senders import Promises, Senders
from tests.image.visitor import can_log_in, claim
from tests.serve.instance import Primary

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800 * PATIENCE)]

PASSWORD = "correct horse battery staple"
MEMORY_KIB = 160 * 1024
ENOUGH = 60
"""Messages promised when power is cut."""

PSS = """
for pid in $(pgrep -u backupmx,backupmx-web); do
  awk -v name="$(tr '\\0' ' ' </proc/$pid/cmdline)" '/^Pss:/ { print $2, name }' /proc/$pid/smaps_rollup
done
"""


def greets(port: int) -> bool:
    """EHLO is answered by a server with our name."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as line:
        return line.ehlo("probe.example")[0] == 250


def test_from_the_first_start_to_a_power_cut_and_back(image: Path, machines: Callable[..., Machine]) -> None:
    story(machines(image))


def story(machine: Machine) -> None:
    """What holds on each board."""
    primary = Primary()
    began = time.monotonic()
    machine.start()
    code = machine.said(r"backupmx: set-up code: (\S+)").group(1)
    print(f"\nfirst start until the set-up code is on the console: {time.monotonic() - began:.0f} s")

    # nobody is served yet, and the page tells nothing to who has no code
    claim(machine.doors.page, code, "example.com", f"{HOST}:{primary.port}", PASSWORD)
    machine.answers(lambda: greets(machine.doors.smtp), "EHLO after the set-up")
    machine.answers(lambda: can_log_in(machine.doors.page, PASSWORD), "the admin logs in")
    print(f"until it takes mail: {time.monotonic() - began:.0f} s")

    # the primary is down; power is cut while mail comes in
    promises = Promises()
    senders = Senders(machine.doors.smtp, promises)
    senders.start()
    try:
        machine.answers(lambda: len(promises.kept) >= ENOUGH, f"{ENOUGH} messages are taken")
    except AssertionError:
        print(f"{len(promises.kept)} messages are taken of {len(promises.sent)}: {senders.said}")
        print(machine.inside("date; backupmx status; journalctl --no-pager --lines=60 --unit='backupmx*'", 300))
        raise
    machine.cut()
    senders.stop()
    print(f"power cut after {len(promises.kept)} promises of {len(promises.sent)} messages")

    # it comes back by itself, and takes mail again
    began = time.monotonic()
    machine.start()
    machine.answers(lambda: greets(machine.doors.smtp), "EHLO after the power cut")
    print(f"start until it takes mail: {time.monotonic() - began:.0f} s")

    idle(machine)
    primary.start()
    try:
        arrived: dict[int, bytes] = {}

        def all_there() -> bool:
            arrived.update((number(content), content) for _, _, content in list(primary.received))
            return promises.kept <= arrived.keys()

        machine.answers(all_there, "all that was promised is delivered", START_S)
    finally:
        primary.stop()
    for each in promises.kept:
        assert arrived[each].endswith(promises.sent[each]), f"message {each} is not what was sent"
    print(f"delivered: {len(arrived)} messages, {len(primary.received) - len(arrived)} of them twice")


def number(content: bytes) -> int:
    found = re.search(rb"^Subject: (\d+)\r?$", content, re.MULTILINE)
    assert found, content[:500]
    return int(found.group(1))


def idle(machine: Machine) -> None:
    """What our processes need while nothing happens."""
    lines = machine.inside(PSS).splitlines()
    for line in lines:
        print(f"  {int(line.split()[0]) / 1024:6.1f} MiB  {line.split(maxsplit=1)[1][:90]}")
    total = sum(int(line.split()[0]) for line in lines)
    print(f"idle memory of all our processes: {total / 1024:.0f} MiB")
    print(machine.inside("free -m; systemd-analyze; systemctl --failed --no-legend"))
    assert total < MEMORY_KIB
    assert len(lines) >= 4, lines
