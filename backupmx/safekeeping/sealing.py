"""A stream that only who has a key can read: age (age-encryption.org/v1), as the command `age` writes and reads it.

Knows: keys of age and of ssh, and that large things go through piece by piece.
Does not know: what is sealed.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader
from typing import Any, BinaryIO

from backupmx.errors import BackupUnusable

BEGINNINGS = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")
LOOK = 64
"""Octets that tell a sealed stream from another."""
NO_RECIPIENT = 'is no key to seal for: "age1…", "ssh-ed25519 …" or "ssh-rsa …" is'
NO_IDENTITY = 'is no key that opens anything: lines "AGE-SECRET-KEY-1…", or a private key of ssh without a passphrase'


def recipient(text: str) -> Any:
    """A public key. Raises ValueError."""
    from pyrage import RecipientError, ssh, x25519  # type: ignore[import-untyped]  # noqa: PLC0415 - two megabytes that most processes never need

    kind = ssh if text.startswith("ssh-") else x25519
    try:
        return kind.Recipient.from_str(text.strip())
    except RecipientError:
        raise ValueError(NO_RECIPIENT) from None


def identities(text: str) -> list[Any]:
    """Private keys: one a line, `#` begins a comment; or one of ssh. Raises ValueError, which does not repeat them."""
    from pyrage import IdentityError, ssh, x25519  # noqa: PLC0415

    try:
        if "PRIVATE KEY-----" in text:
            return [ssh.Identity.from_buffer(text.encode())]
        lines = (line.strip() for line in text.splitlines())
        found = [x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (IdentityError, UnicodeError):
        raise ValueError(NO_IDENTITY) from None
    if not found:
        raise ValueError(NO_IDENTITY)
    return found


def is_sealed(stream: BufferedReader) -> bool:
    """Nothing is taken out of the stream."""
    return stream.peek(LOOK).startswith(BEGINNINGS)


@contextmanager
def sealing(out: BinaryIO, recipients: Sequence[Any]) -> Iterator[BinaryIO]:
    """Where to write what is to be sealed; whole when this ends. Raises OSError of the stream."""
    import pyrage  # noqa: PLC0415

    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as plain:
        trouble: list[BaseException] = []
        # who writes gets a broken pipe when the other end can write no more
        thread = _begun(trouble, plain.close, lambda: pyrage.encrypt_io(plain, out, list(recipients)))
        broken = False
        try:
            with os.fdopen(theirs, "wb") as into:
                yield into
        except BrokenPipeError:
            broken = True
        finally:
            thread.join()
    if trouble or broken:
        raise OSError(str(trouble[0]) if trouble else "cannot be written")


@contextmanager
def opening(stream: BinaryIO, keys: Sequence[Any]) -> Iterator[BinaryIO]:
    """What was sealed. Raises BackupUnusable when none of the keys opens it, or it is damaged."""
    import pyrage  # noqa: PLC0415

    ours, theirs = os.pipe()
    trouble: list[BaseException] = []
    into = os.fdopen(theirs, "wb")
    thread = _begun(trouble, into.close, lambda: pyrage.decrypt_io(stream, into, list(keys)))
    early: BackupUnusable | None = None
    try:
        with os.fdopen(ours, "rb") as plain:
            yield plain
            while plain.read(LOOK * 1024):
                # what is sealed must be whole also where nothing of ours follows
                pass
    except BackupUnusable as error:
        early = error
    finally:
        thread.join()
    if trouble and not isinstance(trouble[0], BrokenPipeError) and "Broken pipe" not in str(trouble[0]):
        wrong_key = isinstance(trouble[0], pyrage.DecryptError)
        raise BackupUnusable("is sealed for another key" if wrong_key else "is damaged: what is sealed cannot be opened")
    if early:
        raise early


def _begun(trouble: list[BaseException], end: Callable[[], None], work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - told by whoever waits for the thread
            trouble.append(error)
        finally:
            with suppress(OSError):
                end()

    thread = threading.Thread(target=run, name="sealing", daemon=True)
    thread.start()
    return thread
