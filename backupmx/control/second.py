"""A second factor: the codes of an app on somebody's phone (RFC 6238), and recovery codes for who has lost it.

Knows: which codes count now, and that each counts once.
Does not know: whose it is, where it is kept, who asks, how often one may try.
"""

import hashlib
import hmac
import re
import secrets
from base64 import b32encode
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace
from pyotp import TOTP

RECOVERY_CODES = 10
DRIFT = 1
"""Steps of half a minute that a phone's clock may be early or late (RFC 6238 section 5.2)."""
_SECRET = re.compile(r"[A-Z2-7]{32}")
_CODE = re.compile(r"[0-9]{6}")
_RECOVERY_OCTETS = 10
_GROUP = 4
_BETWEEN = re.compile(r"[\s-]")
"""What people write between the parts of a code."""


class Second(Struct, frozen=True):
    """One user's second factor."""

    secret: str
    """In base32; the app has it too."""
    since: datetime
    last: int
    """The step of the last code that counted: this one, and those before it, do not count again."""
    recovery: tuple[str, ...]
    """Digests of the recovery codes that were not used yet."""


def begin(secret: str, code: str, now: datetime) -> tuple[Second, tuple[str, ...]] | None:
    """The second factor and its recovery codes, to be shown once; None when `code` does not prove that an app has the secret."""
    step = _step(secret, _tidied(code), now, 0) if _SECRET.fullmatch(secret) else None
    if step is None:
        return None
    recovery = tuple(_recovery_code() for _ in range(RECOVERY_CODES))
    return Second(secret, now, step, tuple(_digest(_tidied(code)) for code in recovery)), recovery


def spent(second: Second, code: str, now: datetime) -> Second | None:
    """What is left after this code was used; None when it does not count: it is wrong, or was used before."""
    code = _tidied(code)
    if _CODE.fullmatch(code):
        step = _step(second.secret, code, now, second.last)
        return None if step is None else replace(second, last=step)
    digest = _digest(code)
    left = tuple(known for known in second.recovery if not hmac.compare_digest(known, digest))
    return None if left == second.recovery else replace(second, recovery=left)


def _step(secret: str, code: str, now: datetime, last: int) -> int | None:
    """The step whose code this is, of those that are near and later than `last`."""
    if not _CODE.fullmatch(code):
        return None
    app = TOTP(secret)
    near = app.timecode(now)
    steps = (step for step in range(near - DRIFT, near + DRIFT + 1) if step > last)
    return next((step for step in steps if hmac.compare_digest(app.generate_otp(step), code)), None)


def _recovery_code() -> str:
    letters = b32encode(secrets.token_bytes(_RECOVERY_OCTETS)).decode().lower()
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def _tidied(code: str) -> str:
    return _BETWEEN.sub("", code).lower()


def _digest(code: str) -> str:
    # a recovery code is 80 random bits: a plain digest is as good as a slow one
    return hashlib.sha256(code.encode(errors="replace")).hexdigest()
