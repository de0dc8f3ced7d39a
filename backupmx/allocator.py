"""How the C library hands memory out to a process that passes large content on.

Knows: glibc's `mallopt`.
Does not know: who allocates what.

By default a block of 128 KiB or more is mapped for itself, cleared by the kernel and faulted in page by page, each time: at
messages of 1 MiB that took longer than storing them.
"""

import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
LARGEST = 2 * 2**20
"""Octets of a block that comes from the heap and goes back to it. More than one message ever keeps in memory at once."""
KEPT = 16 * 2**20
"""Octets of free heap that a process keeps for the next message."""


def keep_blocks() -> None:
    """Let this process use its large blocks again. Without glibc nothing happens: it is a matter of speed alone."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGEST)
        mallopt(_M_TRIM_THRESHOLD, KEPT)
