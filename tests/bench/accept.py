"""How fast both sides take mail while the primary is down, every `250` durable: ours, Postfix, and the ratio.

python -m tests.bench.accept [--bytes 4096] [--sessions 100] [--messages 2000] [--rounds 3] [--slow-disk 0]

With `--beside-sink` the other side is smtp-sink, which stores nothing.
"""

import argparse
import socket
import statistics
import subprocess
import time

from tests.bench.ours import ours, wait_until
from tests.bench.peers import PEERS, directory, free_port, load, postfix, sink, slow_disk


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--bytes", type=int, default=4096)
    asked.add_argument("--sessions", type=int, default=100)
    asked.add_argument("--messages", type=int, default=2000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--slow-disk", type=int, default=0, metavar="MS", help="what each sync costs")
    asked.add_argument("--beside-sink", action="store_true")
    wish = asked.parse_args()
    if wish.beside_sink:
        beside_sink(wish)
        return
    with directory() as place:
        away = free_port()
        more = slow_disk(place, wish.slow_disk)
        with ours(place / "ours", away, probe="30s", more=more) as us, postfix(place / "postfix", away, more=more) as them:
            print(f"accept: {wish.sessions} sessions of {wish.bytes} bytes, sync costs {wish.slow_disk} ms more", flush=True)
            words = {"sessions": wish.sessions, "bytes": wish.bytes, "messages": wish.messages, "rounds": 1}
            command = [str(PEERS / "accept-rate"), str(us.port), str(them.port)]
            command += [part for name, value in words.items() for part in (f"--{name}", str(value))]
            ratios = []
            for _ in range(wish.rounds):
                said = subprocess.run(command, check=True, timeout=600, capture_output=True, text=True).stdout.splitlines()
                print(said[0].partition(": ")[2], flush=True)
                ratios.append(float(said[0].rpartition(" ")[2]))
                # its attempts to deliver what it has just taken would slow both sides of the next round down
                wait_until(them.calm, 600, "Postfix has put everything off")
            print(f"median ratio {statistics.median(ratios):.2f}")
            print(f"held afterwards: ours {us.waiting()}, Postfix {them.waiting()}")


def beside_sink(wish: argparse.Namespace) -> None:
    """How much slower durable is than forgotten."""
    port = free_port()
    times = []
    with directory() as place, ours(place / "ours", free_port(), probe="30s") as us, sink(port):
        wait_until(lambda: answers(port), 10, "smtp-sink listens")
        for _ in range(wish.rounds):
            theirs = rate(port, wish)
            mine = rate(us.port, wish)
            times.append(theirs / mine)
            print(f"ours {mine:.0f}/s, smtp-sink {theirs:.0f}/s: {times[-1]:.2f} times slower", flush=True)
        print(f"median {statistics.median(times):.2f} times slower; held afterwards: {us.waiting()}")


def answers(port: int) -> bool:
    """Whether anybody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def rate(port: int, wish: argparse.Namespace) -> float:
    """Messages a second."""
    began = time.monotonic()
    load(port, wish.messages, wish.bytes, wish.sessions)
    return float(wish.messages / (time.monotonic() - began))


if __name__ == "__main__":
    main()
