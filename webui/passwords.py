"""Passwords: whether one is right, and the hash of a new one.

Knows: argon2, and that hashing takes memory.
Does not know: whose they are, who asks.
"""

import secrets
import threading

from argon2.exceptions import Argon2Error, InvalidHashError

from backupmx.control.passwords import hasher


class Passwords:
    """One is hashed at a time, whoever waits: each takes the memory that makes it dear to guess."""

    def __init__(self) -> None:
        self._hasher = hasher()
        self._nobody = self._hasher.hash(secrets.token_urlsafe())
        self._hashing = threading.Lock()

    def right(self, hash: str | None, password: str) -> bool:
        """Whether this is the password; with no hash it is wrong, and that takes the same time."""
        with self._hashing:
            return self._verified(hash or self._nobody, password) and hash is not None

    def hashed(self, password: str) -> str:
        """For the accounts file."""
        with self._hashing:
            return self._hasher.hash(password)

    def _verified(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password)
        except (Argon2Error, InvalidHashError):
            return False
