"""`kill -9` of any process at any moment under load: nothing that got `250` is lost, nothing is altered (I1)."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.serve.instance import Client, Instance, eventually, running

BACK_WITHIN_S = 2.0
"""On a quiet machine; the test allows for a loaded one."""
SIZES = (200, 200, 200, 4096, 4096, 4096, 60_000, 400_000)
DRAINED_PER_S = 100
"""By a stand-in primary that keeps everything in this process' memory."""


class Senders:
    """Threads that send without pause, and keep what got its `250`."""

    def __init__(self, port: int, count: int) -> None:
        self.accepted: dict[bytes, bytes] = {}
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        serial = 0
        rng = random.Random(number)
        while not self._stop.is_set():
            try:
                with Client(self._port) as client:
                    for _ in range(5):
                        serial += 1
                        mark = b"%d-%d" % (number, serial)
                        line = b"%s %s\r\n" % (mark, b"x" * 60)
                        content = b"X-Mark: %s\r\n\r\n" % mark + line * (rng.choice(SIZES) // len(line))
                        if client.mail(content).startswith("250"):
                            self.accepted[mark] = content
            except (OSError, AssertionError):
                time.sleep(0.01)

    def stop(self) -> dict[bytes, bytes]:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        return self.accepted


def mail_is_taken(instance: Instance) -> bool:
    """Whether a whole transaction works just now."""
    try:
        with Client(instance.port, 2) as client:
            return client.mail(b"X-Mark: probe\r\n\r\nx\r\n").startswith("250")
    except (OSError, AssertionError):
        return False


def kill_one(instance: Instance, rng: random.Random) -> None:
    """Kill one process; an init system would start a dead supervisor anew."""
    assert instance.process
    victims = {**instance.children(), "supervisor": instance.process.pid}
    name = rng.choice(sorted(victims))
    os.kill(victims[name], signal.SIGKILL)
    if name == "supervisor":
        instance.process.wait(10)
        instance.start()


def survives(place: Path, kills: int, seed: int) -> None:
    """Kill `kills` times under load, then let all drain and compare."""
    rng = random.Random(seed)
    # what was cut off at its final dot must not wait five minutes for the end of the test
    with running(place, tables='retry_min = "1s"') as instance:
        primary = instance.primary
        senders = Senders(instance.port, 4)
        for n in range(kills):
            # the primary comes and goes too, so that settling is interrupted as well as accepting
            if n % 4 == 1:
                primary.start()
            elif n % 4 == 3:
                primary.stop()
            time.sleep(rng.uniform(0.0, 0.7))
            kill_one(instance, rng)
            began = time.monotonic()
            eventually(lambda: mail_is_taken(instance), "mail is taken again", 5 * BACK_WITHIN_S)
            assert time.monotonic() - began < 5 * BACK_WITHIN_S
        accepted = senders.stop()
        primary.stop()
        primary.start()
        eventually(lambda: instance.cli("status").returncode == 0, "the last one killed is back", 5 * BACK_WITHIN_S)
        eventually(lambda: instance.status()["queue"]["messages"] == 0, "the queue drains", 40 + len(accepted) / DRAINED_PER_S)
        assert instance.cli("spool", "verify").returncode == 0
    arrived: dict[bytes, bytes] = {}
    for _, _, content in primary.received:
        received, _, rest = content.partition(b"X-Mark: ")
        assert received.startswith(b"Received: ")
        arrived[rest.split(b"\r\n", 1)[0]] = b"X-Mark: " + rest
    assert accepted
    lost = accepted.keys() - arrived.keys()
    assert not lost, f"{len(lost)} of {len(accepted)} lost"
    for mark, content in accepted.items():
        assert arrived[mark] == content


@pytest.mark.timeout(150)
@pytest.mark.slow
def test_nothing_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    """I1, the short form: eight kills."""
    survives(tmp_path, kills=8, seed=random.randrange(2**32))


@pytest.mark.campaign
@pytest.mark.timeout(900)
def test_nothing_is_lost_in_a_hundred_kills(tmp_path: Path) -> None:
    """I1, the campaign."""
    survives(tmp_path, kills=100, seed=random.randrange(2**32))
