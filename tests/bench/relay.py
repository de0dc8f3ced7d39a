"""How fast mail is passed on in the session, beside how fast it is spooled: same server, same primary (smtp-sink).

python -m tests.bench.relay [--bytes 4096] [--sessions 100] [--messages 3000] [--rounds 3]
"""

import argparse
import statistics
import time
from contextlib import ExitStack

from tests.bench.ours import Ours, ours, wait_until
from tests.bench.peers import directory, free_port, load, sink

SPOOL = 'when_primary_up = "spool"\nrecipients = "any"'


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--bytes", type=int, default=4096)
    asked.add_argument("--sessions", type=int, default=100)
    asked.add_argument("--messages", type=int, default=3000)
    asked.add_argument("--rounds", type=int, default=3)
    wish = asked.parse_args()
    with ExitStack() as stack:
        place, port, away = stack.enter_context(directory()), free_port(), free_port()
        taken = stack.enter_context(sink(port))
        relaying = stack.enter_context(ours(place / "relay", port))
        spooling = stack.enter_context(ours(place / "spool", port, domain=SPOOL))
        holding = stack.enter_context(ours(place / "hold", away, domain=SPOOL, probe="30s"))
        for us in (relaying, spooling):
            wait_until(lambda us=us: us.status().domains[0].primary.state == "up", 20, "the primary is up")  # type: ignore[misc]
        ratios, whole = [], []
        for _ in range(wish.rounds):
            passed, before = rate(relaying, wish), taken.taken()
            held = rate(holding, wish)
            spooled = rate(spooling, wish)
            wait_until(lambda: spooling.waiting() == 0, 120, "all is delivered")
            ratios.append(passed / held)
            whole.append(passed / spooled)
            print(
                f"relayed {passed:.0f}/s, held (primary down) {held:.0f}/s: {ratios[-1]:.2f}; "
                f"spooled and delivered at once {spooled:.0f}/s: {whole[-1]:.2f}",
                flush=True,
            )
        print(f"median: relayed is {statistics.median(ratios):.2f} of held, {statistics.median(whole):.2f} of spooled")
        print(f"left in the spool of the relaying server: {relaying.waiting()}; the sink counted {before} and more")


def rate(us: Ours, wish: argparse.Namespace) -> float:
    """Messages a second."""
    began = time.monotonic()
    load(us.port, wish.messages, wish.bytes, wish.sessions)
    return float(wish.messages / (time.monotonic() - began))


if __name__ == "__main__":
    main()
