"""The properties of `tests/edge/test_fuzz.py`, hunted by coverage: octets that atheris (libFuzzer) chooses.

    pip install atheris
    python -m tests.campaigns.fuzz_edge -max_total_time=60 [CORPUS_DIRECTORY]

Options are libFuzzer's. What breaks a promise is left in `crash-…`; give that file as the argument to see it again.
The first octet chooses how the client behaves; then every 0xFF octet, which no valid command holds, cuts a packet,
and an octet from 0x80 on stands for a piece of a real session.
"""

import asyncio
import logging
import sys

import structlog

try:
    import atheris
except ImportError:
    sys.exit("This campaign needs atheris, which is no part of the lock: pip install atheris (Linux, Python 3.11 to 3.13)")

with atheris.instrument_imports(include=["backupmx.edge", "backupmx.core", "backupmx.admission"]):
    from tests.edge.test_fuzz import HELLO, PIECES, anything

CUT = 0xFF
FIRST_PIECE = 0x80
SLOW, UNREAD, UNGREETED, FEW_ERRORS = 1, 2, 4, 8


_runner = asyncio.Runner()


def packets(octets: bytes) -> list[bytes]:
    """Pieces put in, cut where the octets say."""
    found = [bytearray()]
    for octet in octets:
        if octet == CUT:
            found.append(bytearray())
        elif FIRST_PIECE <= octet < FIRST_PIECE + len(PIECES):
            found[-1] += PIECES[octet - FIRST_PIECE]
        else:
            found[-1].append(octet)
    return [bytes(packet) for packet in found if packet]


def one(octets: bytes) -> None:
    """One conversation; an AssertionError is a finding."""
    manner, sent = octets[0] if octets else 0, packets(octets[1:])
    _runner.run(
        anything(
            sent if manner & UNGREETED else [HELLO, *sent],
            slow=bool(manner & SLOW),
            reads=not manner & UNREAD,
            max_errors=3 if manner & FEW_ERRORS else 10**6,
        )
    )


def main() -> None:
    """Until libFuzzer has enough."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    # conversations are worth something from some length on: not the shortest first
    atheris.Setup([sys.argv[0], "-len_control=0", "-max_len=100", *sys.argv[1:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
