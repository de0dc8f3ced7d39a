"""How fast both sides give mail back to smtp-sink once the primary returns: from the first delivery to the last.

python -m tests.bench.drain [--messages 5000] [--bytes 4096] [--slow-reply MS] [--rounds 3]

With `--slow-reply` it is a sink of ours that takes so many milliseconds for each reply; 0 is allowed, and is cheaper than
smtp-sink for large messages. Both sides may have 20 connections.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

from tests.bench.ours import ours, wait_until
from tests.bench.peers import directory, free_port, load, postfix, sink

PATIENCE_S = 300.0


def drained(
    port: int, messages: int, slow_reply: float | None, come_back: Callable[[], None], waiting: Callable[[], int]
) -> tuple[float, float]:
    """Seconds from the primary's return to the first delivery, and messages a second from then on."""
    with sink(port, slow_reply) as primary:
        come_back()
        wait_until(lambda: primary.taken() >= messages, PATIENCE_S, "all delivered")
        wait_until(lambda: waiting() == 0, PATIENCE_S, "nothing waits")
        first = min(primary.times.values())
        return first - primary.began, (messages - 1) / (primary.times[messages] - first)


def ours_once(place: Path, messages: int, octets: int, slow_reply: float | None) -> tuple[float, float]:
    port = free_port()
    with ours(place, port, probe="1s") as us:
        load(us.port, messages, octets)
        assert us.waiting() == messages
        return drained(port, messages, slow_reply, lambda: None, us.waiting)


def theirs_once(place: Path, messages: int, octets: int, slow_reply: float | None) -> tuple[float, float]:
    port = free_port()
    with postfix(place, port) as them:
        load(them.port, messages, octets)
        # all have been tried and put off, as after a long outage
        wait_until(them.calm, PATIENCE_S, "all put off", 0.2)
        assert them.waiting() == messages
        return drained(port, messages, slow_reply, them.flush, them.waiting)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--messages", type=int, default=5000)
    asked.add_argument("--bytes", type=int, default=4096)
    asked.add_argument("--slow-reply", type=float)
    asked.add_argument("--rounds", type=int, default=3)
    wish = asked.parse_args()
    to = f"a sink that takes {wish.slow_reply:g} ms for each reply" if wish.slow_reply is not None else "smtp-sink"
    print(f"drain: {wish.messages} messages of {wish.bytes} bytes to {to}", flush=True)
    ratios = []
    with directory() as place:
        for number in range(1, wish.rounds + 1):
            first, rate = ours_once(place / f"ours{number}", wish.messages, wish.bytes, wish.slow_reply)
            their_first, their_rate = theirs_once(place / f"postfix{number}", wish.messages, wish.bytes, wish.slow_reply)
            ratios.append(rate / their_rate)
            print(
                f"round {number}: ours {rate:.0f}/s, first after {first:.2f} s (probe_interval 1 s); "
                f"Postfix {their_rate:.0f}/s, first after {their_first:.2f} s (flushed); ratio {ratios[-1]:.2f}",
                flush=True,
            )
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
