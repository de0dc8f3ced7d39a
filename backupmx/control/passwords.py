"""How passwords are hashed: argon2id, at one price everywhere.

Knows: the price, and how long a password is.
Does not know: whose they are, where hashes are kept.

The courier's process, which answers on the control socket, keeps hashes and makes none: the command line does, and the page.
"""

from argon2 import PasswordHasher

MEMORY_KIB = 19 * 1024
"""With two passes and one lane: OWASP's first choice that a board of 512 MB bears while mail comes in."""
SHORTEST = 8
"""Characters of a password (NIST SP 800-63B section 3.1.1.2)."""
LONGEST = 1024


def hasher() -> PasswordHasher:
    """Makes hashes, and verifies them."""
    return PasswordHasher(time_cost=2, memory_cost=MEMORY_KIB, parallelism=1)
