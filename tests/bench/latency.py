"""How soon mail leaves: after the primary's return, and while it is up.

python -m tests.bench.latency [--probe 5s] [--outages 5] [--messages 20]
"""

import argparse
import random
import statistics
import time

from backupmx.core.status import PrimaryState
from tests.bench.ours import Ours, ours, wait_until
from tests.bench.peers import Sink, directory, free_port, load, sink

PATIENCE_S = 120.0


def after_return(us: Ours, port: int) -> float:
    """Seconds from the primary's return at a random moment to the first redelivery."""
    load(us.port, 1)
    wait_until(lambda: us.status().domains[0].primary.state is PrimaryState.DOWN, PATIENCE_S, "the primary is seen to be down")
    time.sleep(random.uniform(0, 2))
    with sink(port) as primary:
        wait_until(lambda: primary.taken() == 1, PATIENCE_S, "redelivered", 0.001)
        wait_until(lambda: us.waiting() == 0, PATIENCE_S, "nothing waits")
        return primary.times[1] - primary.began


def while_up(us: Ours, primary: Sink) -> float:
    """Seconds from handing one message over to its arrival at the primary."""
    before, began = primary.taken(), time.monotonic()
    load(us.port, 1, sessions=1)
    wait_until(lambda: primary.taken() > before, PATIENCE_S, "delivered", 0.001)
    return primary.times[before + 1] - began


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--probe", default="5s")
    asked.add_argument("--outages", type=int, default=5)
    asked.add_argument("--messages", type=int, default=20)
    wish = asked.parse_args()
    with directory() as place:
        port = free_port()
        with ours(place / "ours", port, probe=wish.probe) as us:
            waits = [after_return(us, port) for _ in range(wish.outages)]
            _tell(f"from the primary's return to the first redelivery, probe_interval {wish.probe}", waits)
            with sink(port) as primary:
                load(us.port, 1)
                wait_until(lambda: primary.taken() == 1, PATIENCE_S, "the primary is up")
                _tell("from sending to arrival while the primary is up", [while_up(us, primary) for _ in range(wish.messages)])


def _tell(what: str, seconds: list[float]) -> None:
    middle, worst = statistics.median(seconds), max(seconds)
    print(f"{what}: median {middle:.3f} s, worst {worst:.3f} s, of {len(seconds)}", flush=True)


if __name__ == "__main__":
    main()
