"""Who reaches which port."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.device.machine import Machine

pytestmark = pytest.mark.peer

NEAR, FAR, FAR6 = "192.168.7.1", "203.0.113.7", "2001:db8:7::7"

LISTENER = """
import socket, json, sys
held = []
for port in (22, 25, 80, 8080):
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        each = socket.socket(family)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        each.bind((host, port))
        each.listen(512)
        held.append(each)
print("ready", flush=True)
sys.stdin.read()
"""

CALLER = """
import socket, json, sys
source, host, port, times = json.load(sys.stdin)
through = 0
for _ in range(times):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as each:
        each.settimeout(0.15)
        each.bind((source, 0))
        try:
            each.connect((host, port))
            through += 1
        except OSError:
            pass
print(through)
"""


class Street:
    """The machine, and a neighbour on the same cable that can take any address."""

    def __init__(self, machine: Machine, stack: ExitStack) -> None:
        self.machine = machine
        self._neighbour = stack.enter_context(
            subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        assert self._neighbour.stdout is not None
        self._neighbour.stdout.readline()
        machine.do("ip", "link", "add", "cable", "type", "veth", "peer", "name", "end", "netns", str(self._neighbour.pid))
        for each in ("192.168.7.2/24", "203.0.113.2/24", "2001:db8:7::2/64"):
            machine.do("ip", "address", "add", each, "dev", "cable", *(("nodad",) if ":" in each else ()))
        machine.do("ip", "link", "set", "cable", "up")
        for each in (f"{NEAR}/24", f"{FAR}/24", f"{FAR6}/64", "2001:db8:7::8/64"):
            self._there("ip", "address", "add", each, "dev", "end", *(("nodad",) if ":" in each else ()))
        self._there("ip", "link", "set", "end", "up")
        machine.do("nft", "--file", "/etc/nftables.conf")
        inside = ["nsenter", "--target", str(machine.process), "--net", "python3", "-c", LISTENER]
        listener = stack.enter_context(subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"ready\n"

    def through(self, source: str, port: int, times: int = 1) -> int:
        """How many of so many connections came about."""
        host = "192.168.7.2" if source == NEAR else "2001:db8:7::2" if ":" in source else "203.0.113.2"
        return int(self._there("python3", "-c", CALLER, given=json.dumps([source, host, port, times])))

    def _there(self, *command: str, given: str = "") -> str:
        inside = ["nsenter", "--target", str(self._neighbour.pid), "--net", *command]
        return subprocess.run(inside, input=given, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def street(machine: Machine) -> Iterator[Street]:
    with ExitStack() as stack:
        yield Street(machine, stack)


def test_mail_from_everywhere_the_page_from_near_and_nothing_else(street: Street) -> None:
    assert street.through(NEAR, 25) == street.through(FAR, 25) == street.through(FAR6, 25) == 1
    assert street.through(NEAR, 80) == street.through(NEAR, 22) == 1
    assert street.through(FAR, 80) == street.through(FAR, 22) == street.through(FAR6, 80) == 0
    assert street.through(NEAR, 8080) == street.through(FAR, 8080) == 0


def test_who_calls_too_often_waits_and_others_do_not(street: Street) -> None:
    assert 100 < street.through(FAR, 25, 130) < 130
    assert street.through(NEAR, 25, 140) == 140
    assert 100 < street.through(FAR6, 25, 130) < 130
    assert street.through("2001:db8:7::8", 25, 3) < 3, "another address of the same network is the same caller"


def test_networks_can_be_let_in_and_shut_out_again(street: Street) -> None:
    street.machine.do("backupmx-page-networks", "203.0.113.0/24")
    assert street.through(FAR, 80) == street.through(NEAR, 80) == 1
    assert street.through(FAR6, 80) == 0
    street.machine.do("backupmx-page-networks", "all")
    assert street.through(FAR6, 80) == 1
    street.machine.do("backupmx-page-networks", "private")
    assert street.through(FAR, 80) == street.through(FAR6, 80) == 0


def test_a_mistake_changes_nothing(street: Street) -> None:
    before = street.machine.do("cat", "/etc/nftables.d/page.nft")
    for wrong in ("203.0.113.0/33", "example.com", "--all", "; }"):
        assert street.machine.run("backupmx-page-networks", wrong).returncode != 0
    assert street.machine.do("cat", "/etc/nftables.d/page.nft") == before
    assert street.machine.run("test", "-e", "/etc/nftables.d/page.nft.new").returncode == 1
    assert street.through(NEAR, 80) == 1
