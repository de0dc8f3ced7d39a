"""The ledger campaign: over weeks with primaries that do anything, each recipient of each message ends where it may end (I1).

What was accepted, taken and refused stands in a book outside of our code; in the end the spool is held against it.

    BACKUPMX_LEDGER_PAIRS=1000000 pytest -m campaign tests/campaigns/test_ledger.py

is the long form; without that variable it is the short one, which CI runs. BACKUPMX_LEDGER_SEED tells one story again, as far as
sockets let it be the same.
"""

import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop

from backupmx.spool.memory import MemorySpool
from backupmx.spool.store import LmdbSpool
from tests.campaigns.ledger_book import ENDS
from tests.campaigns.ledger_story import Story

PAIRS = int(os.environ.get("BACKUPMX_LEDGER_PAIRS", "100000"))
SEED = os.environ.get("BACKUPMX_LEDGER_SEED")
PART = 25_000
"""Pairs of one story: weeks, a dozen restarts, some hundred changes of the weather."""
ON_DISK = 4
"""Every so many of the stories has its mail in LMDB, and opens it anew at each restart."""


@pytest.fixture
def faults() -> Iterator[list[Any]]:
    """What our code says went wrong within itself: in a campaign nothing may. No more is logged: that would cost too much."""
    kept, found = structlog.get_config(), list[Any]()

    def keep(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if event["event"] == "trouble":
            found.append(event)
        raise structlog.DropEvent

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR), processors=[keep])
    yield found
    structlog.configure(**kept)


def tell(pairs: int, days: int, faults: list[Any], opened: Callable[[], Any]) -> Counter[str]:
    """One story, and the balance at its end."""
    seed = int(SEED) if SEED else random.randrange(2**32)
    story = Story(seed, opened)
    try:
        # the loop that `backupmx serve` runs on
        ends = uvloop.run(story.tell(pairs, timedelta(days=days)))
    except Exception as error:
        error.add_note(f"seed {seed}")
        raise
    told = f"seed {seed}: {dict(ends)}"
    assert not faults, (told, faults[:3])
    assert not story.book.faults, (told, len(story.book.faults), story.book.faults[:10])
    assert sum(ends.values()) == story.book.pairs >= pairs, told
    assert ends.keys() <= set(ENDS), told
    return ends


def on_disk(place: Path) -> Callable[[], LmdbSpool]:
    return lambda: LmdbSpool(place / "spool", owner="campaign", reserve=0, map_size=2**30)


def in_memory() -> Callable[[], MemorySpool]:
    spool = MemorySpool()
    return lambda: spool


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_two_days(tmp_path: Path, faults: list[Any], where: str) -> None:
    """I1, I3, I9, I10, I11: so that the worst is known at once."""
    tell(1000, 2, faults, on_disk(tmp_path) if where == "disk" else in_memory())


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(-(-PAIRS // PART)))
def test_two_weeks(tmp_path: Path, faults: list[Any], part: int) -> None:
    """I1, I3, I9, I10, I11: the campaign."""
    ends = tell(PART, 15, faults, on_disk(tmp_path) if part % ON_DISK == 0 else in_memory())
    # else it would prove little
    assert ends["delivered"] > PART / 2, ends
    assert min(ends["returned"], ends["quarantined"]) > 0, ends
